//! A probe that no file asks for: its words, as they would stand in a file, judged and lowered as there.

use std::path::Path;

use super::cx::Cx;
use super::field::{Field, Spot};
use super::file::{Probe, ProbeWord};
use super::report::{Fault, Severity};
use super::services::ProbeType;
use super::words::Word;
use super::{lower, syntax};
use crate::plan::{Host, ProbePlan, Service};

/// What `words`, the lines of a probe's table, ask of the server `whom`. Paths are relative to the working directory.
///
/// # Errors
/// Every fault in a line of its own. Warnings are for files, which stay.
pub fn probe(words: &str, whom: &str) -> Result<ProbePlan, Vec<String>> {
    let mut cx = Cx::new(Path::new(""), words.to_owned());
    whom.clone_into(&mut cx.owner);
    let plan = syntax::parse(words, None, &mut cx).and_then(|root| {
        cx.owner = format!("the probe of {whom}");
        let value = ProbeWord::Table(Box::new(Probe::read(&root, &mut cx)?));
        whom.clone_into(&mut cx.owner);
        let field = Field::Given(Spot { value, span: 0..0 });
        lower::probe(&field, Service::TCP, None, &mut cx)
    });
    let errors = cx.faults.into_iter();
    let errors = errors.filter(|fault| fault.severity == Severity::Error);
    let errors: Vec<String> = errors
        .map(|fault| {
            Fault {
                place: None,
                ..fault
            }
            .line()
        })
        .collect();
    plan.filter(|_| errors.is_empty()).ok_or(errors)
}

/// Host, and port if there is one.
///
/// # Errors
/// Why it is no address.
pub fn address(text: &str) -> Result<(Host, Option<u16>), String> {
    lower::address(text)
}

/// The words of `probe.type`, in the order of the docs.
pub fn probe_types() -> Vec<&'static str> {
    ProbeType::all().into_iter().map(|kind| kind.word).collect()
}

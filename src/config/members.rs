//! A file that lists servers, read and judged while howdah runs.

use std::path::Path;

use super::cx::Cx;
use super::file::Members;
use super::words::Word;
use super::{Report, Severity, lower, report, syntax};
use crate::plan::{PoolPlan, ServerPlan};

/// What `path` lists for `pool`. Blocks on disk.
///
/// # Errors
/// Every fault with its place, as [`super::load`] tells them.
pub fn members(path: &Path, pool: &PoolPlan) -> Result<Vec<ServerPlan>, Report> {
    let bytes = super::read(path)?;
    let (text, not_utf8) = syntax::text(bytes);
    let mut cx = Cx::new(path, text.clone());
    let plans = syntax::parse(&text, not_utf8, &mut cx).and_then(|root| {
        let words = Members::read(&root, &mut cx)?;
        Some(lower::members::lower(&words, pool, &mut cx))
    });
    let faulty = |fault: &report::Fault| fault.severity == Severity::Error;
    match plans {
        Some(plans) if !cx.faults.iter().any(faulty) => Ok(plans),
        _ => Err(super::report_of(path, cx)),
    }
}

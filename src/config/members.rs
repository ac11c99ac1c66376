//! A file that lists servers, read and judged while howdah runs.

use std::path::Path;

use super::cx::Cx;
use super::file::Members;
use super::words::Word;
use super::{Fault, Report, Severity, lower, opaque, read, syntax};
use crate::plan::{DiscoverPlan, Plan, PoolPlan, ServerPlan};

/// What is wrong with the lists that a plan names, as warnings: they may be mended while howdah runs, and need not be there.
pub(super) fn warnings(plan: &Plan) -> Vec<Fault> {
    let listed = plan.pools.iter().filter_map(|pool| match &pool.discover {
        Some(DiscoverPlan::File { path }) if path.exists() => members(path, pool).err(),
        _ => None,
    });
    let warning = |fault| Fault {
        severity: Severity::Warning,
        ..fault
    };
    let faults = listed.flat_map(|report| report.faults);
    faults.map(warning).collect()
}

/// What `path` lists for `pool`. Blocks on disk.
///
/// # Errors
/// Every fault with its place, as [`super::load`] tells them.
pub fn members(path: &Path, pool: &PoolPlan) -> Result<Vec<ServerPlan>, Report> {
    let bytes = read::read(path)?;
    let none = |stranger| read::none_of_ours(path, "list of servers", stranger);
    if let Some(stranger) = opaque::of_bytes(&bytes) {
        return Err(none(stranger));
    }
    let (text, not_utf8) = syntax::text(bytes);
    let mut cx = Cx::new(path, text.clone());
    let root = syntax::parse(&text, not_utf8, &mut cx);
    let stranger = match &root {
        Some(root) => opaque::of_keys(syntax::keys(root), &["servers"]),
        None => opaque::of_text(&text, cx.first_line(), &["servers"]),
    };
    if let Some(stranger) = stranger {
        return Err(none(stranger));
    }
    let plans = root.and_then(|root| {
        let words = Members::read(&root, &mut cx)?;
        Some(lower::members::lower(&words, pool, &mut cx))
    });
    let faulty = |fault: &Fault| fault.severity == Severity::Error;
    match plans {
        Some(plans) if !cx.faults.iter().any(faulty) => Ok(plans),
        _ => Err(read::report_of(path, cx)),
    }
}

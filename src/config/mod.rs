//! The user's words: from a file to a [`Plan`], or to a [`Report`] of everything that is wrong with it.
//!
//! ```text
//! text -> TOML values with places -> tables (file) -> Plan (lower)
//!            syntax                    words             report
//! ```
//! Each step goes on past a fault, so one run shows them all. Nothing outside this room knows how the file looks: the
//! running rooms see the plan alone. Reading the files that a configuration names happens here too, so that a reload
//! that cannot work fails before anything is touched.

mod card;
mod choices;
mod cx;
mod expressions;
mod field;
mod file;
mod foreign;
mod lower;
mod members;
mod opaque;
mod question;
mod reference;
mod report;
mod services;
mod source;
mod suggest;
mod syntax;
mod tables;
mod values;
mod words;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use self::card::card;
use self::cx::Cx;
pub use self::members::members;
pub use self::question::{address, probe, probe_types};
pub use self::reference::reference;
pub use self::report::{Fault, Place, Report, Severity};
use self::words::Word;
use crate::plan::Plan;

/// A file that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What howdah will do.
    pub plan: Plan,
    /// What someone should look at, in the order of the file.
    pub warnings: Vec<Fault>,
    /// The files that it names, as they were opened.
    pub files: Vec<PathBuf>,
}

/// Reads and judges `path` and the files that it names. Blocks on disk: not for a worker thread.
///
/// # Errors
/// Every fault at once, the file itself missing or not being text included.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    judge(path, read(path)?)
}

fn read(path: &Path) -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > LARGEST => Err(unreadable(
            path,
            &io::Error::other("it is larger than 64 MiB"),
        )),
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// As [`load`], with the content already there; `path` is for messages and relative paths.
///
/// # Errors
/// Every fault at once.
pub fn judge(path: &Path, bytes: Vec<u8>) -> Result<Loaded, Report> {
    let (text, not_utf8) = syntax::text(bytes);
    if let Some(why) = opaque::judge(&text, not_utf8.is_some()) {
        return Err(no_configuration(path, why));
    }
    let mut cx = Cx::new(path, text.clone());
    let plan = syntax::parse(&text, not_utf8, &mut cx).and_then(|root| {
        let file = file::File::read(&root, &mut cx)?;
        lower::lower(&file, &mut cx)
    });
    let files = std::mem::take(&mut cx.files);
    let report = report_of(path, cx);
    match plan {
        Some(plan) if report.errors() == 0 => Ok(Loaded {
            plan,
            warnings: report.faults,
            files,
        }),
        _ => Err(report),
    }
}

/// What was noted, in the order of the file.
fn report_of(path: &Path, cx: Cx) -> Report {
    let mut faults = cx.faults;
    faults.sort_by_key(|fault| fault.place.as_ref().map(|place| (place.line, place.column)));
    Report {
        path: path.to_owned(),
        faults,
    }
}

fn no_configuration(path: &Path, why: &str) -> Report {
    let mut cx = Cx::new(path, String::new());
    let what = format!("{} is no configuration", path.display());
    cx.error_anywhere(what)
        .why(why)
        .fix("nothing of it is shown here; name the configuration with --config FILE");
    Report {
        path: path.to_owned(),
        faults: cx.faults,
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Report {
    let mut cx = Cx::new(path, String::new());
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "name another one with --config FILE; `howdah demo` needs none",
        io::ErrorKind::PermissionDenied => "let the user that howdah runs as read it",
        _ => "a configuration is one readable text file",
    };
    let what = format!("the configuration {} cannot be read", path.display());
    cx.error_anywhere(what).why(lower::reason(error)).fix(fix);
    Report {
        path: path.to_owned(),
        faults: cx.faults,
    }
}

/// So that a wrong path, such as a device, ends in a fault.
const LARGEST: u64 = 64 << 20;

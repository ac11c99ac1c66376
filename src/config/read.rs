//! A file of the user's as bytes, and what was noted about it as a report.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::cx::Cx;
use super::lower;
use super::opaque::Stranger;
use super::report::Report;

/// All of it, or why it cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Report> {
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

/// What was noted, in the order of the file.
pub(super) fn report_of(path: &Path, cx: Cx) -> Report {
    let mut faults = cx.faults;
    faults.sort_by_key(|fault| fault.place.as_ref().map(|place| (place.line, place.column)));
    Report {
        path: path.to_owned(),
        faults,
    }
}

/// A file that was named as a `noun`, and is none.
pub(super) fn none_of_ours(path: &Path, noun: &str, stranger: Stranger) -> Report {
    let mut cx = Cx::new(path, String::new());
    let what = format!("{} is no {noun}", path.display());
    let fault = cx.error_anywhere(what).why(stranger.is);
    stranger.fix.map(|fix| fault.fix(fix));
    fault.fix(match noun {
        "configuration" => "nothing of it is shown here; name the configuration with --config FILE",
        _ => {
            "nothing of it is shown here; discover.file names a file with servers = [\"HOST\", ...]"
        }
    });
    report_of(path, cx)
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

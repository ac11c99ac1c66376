//! Opens the file, whatever it is: what cannot be used is set aside under another name, and never a reason not to start.
//!
//! | the file | what is done |
//! |---|---|
//! | is not there, or empty | made |
//! | was left amid a write | repaired, which loses what was being written |
//! | is damaged, is no history, or is of a newer howdah | renamed, and a new one begun |
//! | is in use by another howdah | left alone: this one keeps its history in memory |
//! | cannot be opened or made | the same |

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use redb::Error;

use super::rows::{FORMAT, Rows};
use crate::availability::calendar::Moment;

/// Why a file is not the history.
#[derive(Debug)]
enum Trouble {
    /// Another process has it.
    InUse,
    /// Nothing of it can be used; the sentence goes on from "it".
    Useless(String),
    /// The system says no.
    Refused(String),
}

/// The history of that file; `None`: it is to be kept in memory, and why has been said.
pub(super) fn open(path: &Path) -> Option<Rows> {
    let trouble = match judge(path) {
        Ok(rows) => return Some(rows),
        Err(trouble) => trouble,
    };
    let file = path.display();
    match trouble {
        Trouble::InUse => {
            tracing::error!(%file, "another howdah keeps its history there: this one keeps its own in memory");
            None
        }
        Trouble::Refused(why) => {
            tracing::error!(%file, why, "the history cannot be opened: it is kept in memory");
            None
        }
        Trouble::Useless(why) => {
            let aside = aside(path);
            let renamed = fs::rename(path, &aside).map_err(|error| error.to_string());
            match renamed.and_then(|()| judge(path).map_err(Trouble::sentence)) {
                Ok(rows) => {
                    let aside = aside.display();
                    tracing::error!(%file, why, %aside, "the history cannot be used: it was set aside, and a new one begins");
                    Some(rows)
                }
                Err(error) => {
                    tracing::error!(%file, why, error, "the history cannot be used, nor set aside: it is kept in memory");
                    None
                }
            }
        }
    }
}

fn judge(path: &Path) -> Result<Rows, Trouble> {
    let refused = |error: io::Error| Trouble::Refused(error.to_string());
    // Names and causes of outages are no business of everybody's.
    let mut options = fs::OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    drop(options.mode(0o640).open(path).map_err(refused)?);
    // What is damaged in an unforeseen way may make the crate panic.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let rows = Rows::open(path)?;
        let format = rows.format()?;
        Ok((rows, format))
    }));
    let useless = |why: &str| Trouble::Useless(why.to_owned());
    let opened = opened.map_err(|_| useless("it is damaged"))?;
    let (mut rows, format) = opened.map_err(|error| Trouble::of(&error))?;
    if let Some(newer) = format.filter(|format| *format > FORMAT) {
        let why =
            format!("it was written by a newer howdah (format {newer}, this one knows {FORMAT})");
        return Err(Trouble::Useless(why));
    }
    let size = fs::metadata(path).map(|about| about.len());
    rows.compact(size.ok())
        .map_err(|error| Trouble::of(&error))?;
    Ok(rows)
}

impl Trouble {
    fn of(error: &Error) -> Self {
        match error {
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => Self::InUse,
            Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
                Self::Refused(error.to_string())
            }
            Error::Io(_) => Self::Useless("it is no history of howdah's".to_owned()),
            Error::Corrupted(why) => Self::Useless(format!("it is damaged: {why}")),
            Error::UpgradeRequired(version) => {
                Self::Useless(format!("it is in an old format of redb ({version})"))
            }
            other => Self::Useless(other.to_string()),
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::InUse => "another howdah uses it".to_owned(),
            Self::Useless(why) | Self::Refused(why) => why,
        }
    }
}

/// Beside it, under a name that nothing has yet.
fn aside(path: &Path) -> PathBuf {
    let now = Moment::from(SystemTime::now()).rfc3339();
    let now: String = now.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".aside-{now}"));
    name.into()
}

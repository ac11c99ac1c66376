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
mod goal;
mod hidden;
mod keytab;
mod krb5;
mod language;
mod lower;
mod members;
mod named;
mod opaque;
mod question;
mod read;
mod reference;
mod report;
mod schema;
mod secrets;
mod services;
mod settings;
mod shorthand;
mod source;
mod strings;
mod suggest;
mod syntax;
mod tables;
mod values;
mod words;

use std::path::{Path, PathBuf};

pub use self::card::card;
use self::cx::Cx;
pub use self::members::members;
pub use self::question::{address, probe, probe_types};
pub use self::reference::reference;
pub use self::report::{Fault, Place, Report, Severity};
pub use self::schema::schema;
use self::settings::Files;
pub use self::settings::Settings;
use self::words::Word;
use crate::plan::Plan;

/// A file that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What howdah will do.
    pub plan: Plan,
    /// What someone should look at, in the order of the file; then what is wrong with the lists of servers that it names.
    pub warnings: Vec<Fault>,
    /// The files that it names, as they were opened.
    pub files: Vec<PathBuf>,
    /// What it says.
    pub words: Words,
}

/// What a file says, for those who look.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Key by key.
    pub settings: Settings,
    /// Its text, secrets masked.
    pub text: String,
}

/// Reads and judges `path` and the files that it names. Blocks on disk: not for a worker thread.
///
/// # Errors
/// Every fault at once, the file itself missing or not being text included.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    judge(path, read::read(path)?)
}

/// As [`load`], with the content already there; `path` is for messages and relative paths.
///
/// # Errors
/// Every fault at once.
pub fn judge(path: &Path, bytes: Vec<u8>) -> Result<Loaded, Report> {
    let none = |stranger| read::none_of_ours(path, "configuration", stranger);
    if let Some(stranger) = opaque::of_bytes(&bytes) {
        return Err(none(stranger));
    }
    let (text, not_utf8) = syntax::text(bytes);
    let mut cx = Cx::new(path, text.clone());
    let root = syntax::parse(&text, not_utf8, &mut cx);
    let stranger = match &root {
        Some(root) => opaque::of_keys(syntax::keys(root), &file::tables_of_the_file()),
        None => opaque::of_text(&text, cx.first_line(), &["listener", "pool"]),
    };
    if let Some(stranger) = stranger {
        return Err(none(stranger));
    }
    let plan = root.as_ref().and_then(|root| {
        let file = file::File::read(root, &mut cx)?;
        lower::lower(&file, &mut cx)
    });
    let words = root.map(|root| {
        let base = path.parent().unwrap_or(Path::new(""));
        let contents = &cx.contents;
        Words {
            settings: Settings::of(&root, &Files { base, contents }),
            text: secrets::masked(&text, &root),
        }
    });
    let files = std::mem::take(&mut cx.files);
    let report = read::report_of(path, cx);
    match plan {
        Some(plan) if report.errors() == 0 => {
            let mut warnings = report.faults;
            warnings.extend(members::warnings(&plan));
            Ok(Loaded {
                plan,
                warnings,
                files,
                words: words.unwrap_or_default(),
            })
        }
        _ => Err(report),
    }
}

//! What is wrong with a file: each fault with its place, the fact, the reason and the remedy.
//!
//! `words`, `file` and `lower` collect [`Fault`]s; [`super::load`] hands them out sorted by place. Display of a fault is
//! the block with line and caret that people read; [`Fault::line`] is the same in one line, for the log and the API.
//! No secret ever gets into an excerpt (see [`super::source`]).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Whether the file can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// It works, but someone should look.
    Warning,
}

/// One thing that the user should mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Error or warning.
    pub severity: Severity,
    /// The fact, with the names that it concerns.
    pub what: String,
    /// Where it stands; `None` where the file as a whole is meant.
    pub place: Option<Place>,
    /// Said right of the caret: the reason, or what would be right. May be empty.
    pub why: String,
    /// How to mend it, a sentence each.
    pub fix: Vec<String>,
}

/// A stretch of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line, secrets masked, shortened when very long.
    pub excerpt: String,
    /// Characters of the excerpt before the caret.
    pub indent: usize,
    /// How many carets; at least 1.
    pub width: usize,
}

/// Every fault of a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file as the user named it.
    pub path: PathBuf,
    /// Errors and warnings in the order of the file.
    pub faults: Vec<Fault>,
}

impl Fault {
    /// For logs and the API: file, line, column, fact, reason and remedy in one line.
    pub fn line(&self) -> String {
        let mut text = match &self.place {
            Some(place) => format!("{}:{}:{}: ", place.file, place.line, place.column),
            None => String::new(),
        };
        text.push_str(&self.what);
        if !self.why.is_empty() {
            text.push_str(&format!(" ({})", self.why));
        }
        for fix in &self.fix {
            text.push_str(&format!("; {fix}"));
        }
        text
    }

    /// For those who may look and did not write the file: place and fact, and nothing of the file's text.
    pub fn told(&self) -> String {
        match &self.place {
            Some(place) => {
                let Place {
                    file, line, column, ..
                } = place;
                format!("{file}:{line}:{column}: {}", self.what)
            }
            None => self.what.clone(),
        }
    }

    /// As Display, in colours: for a terminal.
    pub fn coloured(&self) -> String {
        Block {
            fault: self,
            colours: true,
        }
        .to_string()
    }

    pub(super) fn why(&mut self, why: impl Into<String>) -> &mut Self {
        self.why = why.into();
        self
    }

    pub(super) fn fix(&mut self, fix: impl Into<String>) -> &mut Self {
        self.fix.push(fix.into());
        self
    }
}

/// A fault as a block of lines; with colours when they are wanted.
struct Block<'f> {
    fault: &'f Fault,
    colours: bool,
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = self.fault;
        let (severity, colour) = match fault.severity {
            Severity::Error => ("error", RED),
            Severity::Warning => ("warning", YELLOW),
        };
        write!(f, "{}: {}", self.paint(severity, colour), fault.what)?;
        match &fault.place {
            None if fault.why.is_empty() => {}
            None => write!(f, ": {}", fault.why)?,
            Some(place) => {
                let margin = place.line.to_string().len();
                let (file, line, column) = (&place.file, place.line, place.column);
                write!(f, "\n{:margin$}--> {file}:{line}:{column}", "")?;
                write!(f, "\n{line} | {}", place.excerpt)?;
                let carets = format!("{} {}", "^".repeat(place.width), fault.why);
                let carets = self.paint(carets.trim_end(), colour);
                write!(
                    f,
                    "\n{:margin$} | {:indent$}{carets}",
                    "",
                    "",
                    indent = place.indent
                )?;
            }
        }
        for fix in &fault.fix {
            write!(f, "\n{}: {fix}", self.paint("help", CYAN))?;
        }
        Ok(())
    }
}

impl Block<'_> {
    fn paint(&self, text: &str, colour: &str) -> String {
        if self.colours {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Block {
            fault: self,
            colours: false,
        }
        .fmt(f)
    }
}

impl Report {
    /// Errors among the faults.
    pub fn errors(&self) -> usize {
        let error = |fault: &&Fault| fault.severity == Severity::Error;
        self.faults.iter().filter(error).count()
    }
}

impl Report {
    /// As Display, in colours: for a terminal.
    pub fn coloured(&self) -> String {
        let faults = self
            .faults
            .iter()
            .map(|fault| format!("{}\n\n", fault.coloured()));
        format!("{}{}", faults.collect::<String>(), self.sum())
    }

    fn sum(&self) -> String {
        let (path, errors) = (self.path.display(), self.errors());
        match self.faults.len() - errors {
            0 => format!("{path}: {}", count(errors, "fault")),
            warnings => format!(
                "{path}: {}, {}",
                count(errors, "fault"),
                count(warnings, "warning")
            ),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}\n")?;
        }
        f.write_str(&self.sum())
    }
}

impl std::error::Error for Report {}

/// "1 fault", "2 faults".
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const CYAN: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

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

    pub(super) fn why(&mut self, why: impl Into<String>) -> &mut Self {
        self.why = why.into();
        self
    }

    pub(super) fn fix(&mut self, fix: impl Into<String>) -> &mut Self {
        self.fix.push(fix.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n{place}")?;
            if !self.why.is_empty() {
                write!(f, " {}", self.why)?;
            }
        } else if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        for fix in &self.fix {
            write!(f, "\nhelp: {fix}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let margin = self.line.to_string().len();
        writeln!(
            f,
            "{:margin$}--> {}:{}:{}",
            "", self.file, self.line, self.column
        )?;
        writeln!(f, "{} | {}", self.line, self.excerpt)?;
        write!(
            f,
            "{:margin$} | {:indent$}{}",
            "",
            "",
            "^".repeat(self.width),
            indent = self.indent
        )
    }
}

impl Report {
    /// Errors among the faults.
    pub fn errors(&self) -> usize {
        let error = |fault: &&Fault| fault.severity == Severity::Error;
        self.faults.iter().filter(error).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}\n")?;
        }
        let errors = self.errors();
        write!(f, "{}: {}", self.path.display(), count(errors, "fault"))?;
        match self.faults.len() - errors {
            0 => Ok(()),
            warnings => write!(f, ", {}", count(warnings, "warning")),
        }
    }
}

impl std::error::Error for Report {}

/// "1 fault", "2 faults".
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

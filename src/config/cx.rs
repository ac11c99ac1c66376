//! What reading and lowering share: the source, the faults so far, and whose table is being read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::field::Value;
use super::report::{Fault, Severity};
use super::shorthand;
use super::source::{Source, Span};

/// Faults are noted here, never returned: reading and lowering go on.
pub(super) struct Cx {
    pub(super) source: Source,
    pub(super) faults: Vec<Fault>,
    /// `pool "hive"`.
    pub(super) owner: String,
    /// The key whose value is being read.
    pub(super) key: String,
    /// Read while lowering: what a reload will have to read again.
    pub(super) files: Vec<PathBuf>,
    /// A fingerprint of each of them, where a change of its content matters.
    pub(super) contents: HashMap<PathBuf, u64>,
    base: PathBuf,
}

impl Cx {
    pub(super) fn new(path: &Path, text: String) -> Self {
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self {
            source: Source::new(&path.display().to_string(), text),
            faults: Vec::new(),
            owner: String::new(),
            key: String::new(),
            files: Vec::new(),
            contents: HashMap::new(),
            base,
        }
    }

    /// Notes a fault; `why` and `fix` are added to what comes back.
    pub(super) fn error(&mut self, span: &Span, what: impl Into<String>) -> &mut Fault {
        self.note(Severity::Error, Some(span), what.into())
    }

    /// Notes a fault of the file as a whole.
    pub(super) fn error_anywhere(&mut self, what: impl Into<String>) -> &mut Fault {
        self.note(Severity::Error, None, what.into())
    }

    /// Notes a warning.
    pub(super) fn warning(&mut self, span: &Span, what: impl Into<String>) -> &mut Fault {
        self.note(Severity::Warning, Some(span), what.into())
    }

    fn note(&mut self, severity: Severity, span: Option<&Span>, what: String) -> &mut Fault {
        let place = span.map(|span| self.source.place(span));
        let fault = Fault {
            severity,
            what,
            place,
            why: String::new(),
            fix: Vec::new(),
        };
        let at = self.faults.len();
        self.faults.push(fault);
        &mut self.faults[at]
    }

    /// Of the first fault that has a place; from 1.
    pub(super) fn first_line(&self) -> usize {
        let places = self.faults.iter().filter_map(|fault| fault.place.as_ref());
        places.map(|place| place.line).min().unwrap_or(1)
    }

    /// A path of the file, relative to the file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// The key being read, and whose it is: `weight of server "hs2-1" of pool "hive"`.
    pub(super) fn subject(&self) -> String {
        self.subject_of(&self.key)
    }

    /// The same for another key of the same owner.
    pub(super) fn subject_of(&self, key: &str) -> String {
        let owner = &self.owner;
        let inside = [
            "[",
            "timeouts",
            "sticky",
            "tls",
            "discover",
            "server_defaults",
            "the file",
        ];
        let word = if inside.iter().any(|start| owner.starts_with(start)) {
            "in"
        } else {
            "of"
        };
        format!("{key} {word} {owner}")
    }

    /// The table in `value`, or a fault; `header` is how the table begins.
    pub(super) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        header: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            let example = shorthand::of(header, value.get_ref());
            let example = example.unwrap_or_else(|| format!("{header} above its keys"));
            self.wrong_type(value, "a table", &example);
        }
        table
    }

    /// The fault of a value of another type; `example` follows "write".
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, want: &str, example: &str) {
        let is = kind_of(value.get_ref());
        let what = format!("{} is {is}, not {want}", self.subject());
        self.error(&value.span(), what)
            .why(format!("{want} is wanted"))
            .fix(format!("write {example}"));
    }

    /// The value as it stands in the file, its first line.
    pub(super) fn written(&self, value: &Value<'_>) -> &str {
        let text = self.source.text().get(value.span()).unwrap_or_default();
        text.trim().lines().next().unwrap_or_default()
    }
}

/// With an article, as people say it.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

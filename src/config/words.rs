//! Values of the file, each with its place, and what to say when one is not what was asked for.
//!
//! Between the TOML parser and the tables of `file`: a [`Word`] is a type that can be read from one value. Reading never
//! stops at a fault: it is noted in [`Cx`] and the field becomes [`Field::Faulty`], so that one run shows them all and
//! nothing is reported twice.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Fault, Severity};
use super::source::{Source, Span};

/// A value of the file.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Something read, and where it stood.
#[derive(Clone, Debug)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// What became of one key.
#[derive(Clone, Debug, Default)]
pub(super) enum Field<T> {
    /// Not in the file: the default holds.
    #[default]
    Absent,
    /// In the file, but wrong, which has been said.
    Faulty,
    /// Read.
    Given(Spot<T>),
}

/// Can be read from one value.
pub(super) trait Word: Sized {
    /// What it is called in the reference: "duration".
    fn kind() -> String;

    /// Notes what is wrong in `cx` and gives `None`.
    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self>;
}

/// One value or a list of them.
#[derive(Clone, Debug)]
pub(super) struct Many<T>(pub(super) Vec<Spot<T>>);

/// A list.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<Spot<T>>,
    /// How many there were, faulty ones included.
    pub(super) written: usize,
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<const LOW: u64, const HIGH: u64>(pub(super) u64);

/// The path of a file, as written.
#[derive(Clone, Debug)]
pub(super) struct FilePath(pub(super) String);

/// What reading and lowering share: the source, the faults so far, and whose table is being read.
pub(super) struct Cx {
    pub(super) source: Source,
    pub(super) faults: Vec<Fault>,
    /// `pool "hive"`.
    pub(super) owner: String,
    /// The key whose value is being read.
    pub(super) key: String,
    base: PathBuf,
}

impl<T> Field<T> {
    pub(super) fn get(&self) -> Option<&Spot<T>> {
        match self {
            Self::Given(spot) => Some(spot),
            Self::Absent | Self::Faulty => None,
        }
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.get().map(|spot| &spot.value)
    }

    pub(super) fn span(&self) -> Option<Span> {
        self.get().map(|spot| spot.span.clone())
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Clone> Field<T> {
    pub(super) fn or(&self, default: T) -> T {
        self.value().cloned().unwrap_or(default)
    }
}

impl Cx {
    pub(super) fn new(path: &Path, text: String) -> Self {
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self {
            source: Source::new(&path.display().to_string(), text),
            faults: Vec::new(),
            owner: String::new(),
            key: String::new(),
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

    /// A path of the file, relative to the file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Reads the value of one key.
    pub(super) fn field<T: Word>(&mut self, key: &str, value: &Value<'_>) -> Field<T> {
        let outer = std::mem::replace(&mut self.key, key.to_owned());
        let field = match T::read(value, self) {
            Some(read) => Field::Given(Spot {
                value: read,
                span: value.span(),
            }),
            None => Field::Faulty,
        };
        self.key = outer;
        field
    }

    /// The key being read, and whose it is: `weight of server "hs2-1" of pool "hive"`.
    pub(super) fn subject(&self) -> String {
        self.subject_of(&self.key)
    }

    /// The same for another key of the same owner.
    pub(super) fn subject_of(&self, key: &str) -> String {
        let owner = &self.owner;
        let inside = ["[", "timeouts", "sticky", "tls", "the file"];
        let word = if inside.iter().any(|start| owner.starts_with(start)) {
            "in"
        } else {
            "of"
        };
        format!("{key} {word} {owner}")
    }

    /// The table in `value`, or a fault.
    pub(super) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        example: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table", example);
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

impl<T: Word> Word for Many<T> {
    fn kind() -> String {
        format!("{}, one or a list", T::kind())
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            let one = T::read(value, cx)?;
            let span = value.span();
            return Some(Self(vec![Spot { value: one, span }]));
        };
        let items = read_all(array.iter(), cx);
        (items.len() == array.len()).then_some(Self(items))
    }
}

impl<T: Word> Word for List<T> {
    fn kind() -> String {
        format!("list of {}", T::kind())
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            not_a_list(value, cx);
            return None;
        };
        let items = read_all(array.iter(), cx);
        let written = array.len();
        Some(Self { items, written })
    }
}

fn not_a_list(value: &Value<'_>, cx: &mut Cx) {
    let key = cx.key.clone();
    if value.get_ref().is_table() && (key == "listener" || key == "route") {
        let what = format!("a {key} stands in single brackets");
        let header = if key == "route" {
            "[[listener.route]]"
        } else {
            "[[listener]]"
        };
        cx.error(&value.span(), what)
            .why("there may be several")
            .fix(format!("write {header}, in double brackets"));
        return;
    }
    let example = format!("{key} = [{}]", cx.written(value));
    cx.wrong_type(value, "a list", &example);
}

fn read_all<'v, 'i: 'v, T: Word>(
    values: impl Iterator<Item = &'v Value<'i>>,
    cx: &mut Cx,
) -> Vec<Spot<T>> {
    let mut items = Vec::new();
    for value in values {
        if let Some(read) = T::read(value, cx) {
            let span = value.span();
            items.push(Spot { value: read, span });
        }
    }
    items
}

//! Values of the file, each with its place, and what to say when one is not what was asked for.
//!
//! Between the TOML parser and the tables of `file`: a [`Word`] is a type that can be read from one value. Reading never
//! stops at a fault: it is noted in [`Cx`] and the field becomes [`Field::Faulty`], so that one run shows them all and
//! nothing is reported twice.

use toml::Spanned;
use toml::de::DeValue;

use super::cx::Cx;
use super::source::Span;

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

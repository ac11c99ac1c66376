//! Reading values of the file, and what to say when one is not what was asked for.
//!
//! Between the TOML parser and the tables of `file`: a [`Word`] is a type that can be read from one value. Reading never
//! stops at a fault: it is noted in [`Cx`] and the field becomes [`Field::Faulty`], so that one run shows them all and
//! nothing is reported twice.

use serde_json::{Value as Schema, json};
use toml::de::DeValue;

use super::cx::Cx;
use super::field::{Field, Spot, Value};

/// Can be read from one value.
pub(super) trait Word: Sized {
    /// What it is called in the reference: "duration".
    fn kind() -> String;

    /// What editors may know of it: JSON Schema.
    fn schema() -> Schema;

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

impl Cx {
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
}

impl<T: Word> Word for Many<T> {
    fn kind() -> String {
        format!("{}, one or a list", T::kind())
    }

    fn schema() -> Schema {
        json!({ "anyOf": [T::schema(), List::<T>::schema()] })
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

    fn schema() -> Schema {
        json!({ "type": "array", "items": T::schema() })
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

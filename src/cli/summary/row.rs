//! A line of the summary: a key in a column of its own, and a value.

use std::fmt::{self, Display};

pub(super) fn row(f: &mut fmt::Formatter<'_>, key: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "  {key:<12} {value}")
}

pub(super) fn joined<T: Display>(all: &[T]) -> String {
    let texts: Vec<String> = all.iter().map(T::to_string).collect();
    texts.join(", ")
}

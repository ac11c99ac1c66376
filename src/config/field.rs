//! What the TOML parser gave for a key, what became of it, and where it stood.

use toml::Spanned;
use toml::de::DeValue;

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

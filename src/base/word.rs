//! An enum's stable words: what the file says, and what logs, metrics and the API print for it.
//!
//! Words are part of the face that users see; a variant may be renamed in code, its word may not.

/// An enum whose variants have one stable word each.
///
/// Use [`words!`](crate::base::word::words) to declare one.
pub trait Label: Copy + Send + Sync + 'static {
    /// Every variant, in the order of [`Label::index`].
    const ALL: &'static [Self];

    /// The word, in kebab-case.
    fn as_str(self) -> &'static str;

    /// The place in [`Label::ALL`]; counters are kept in arrays by it.
    fn index(self) -> usize;

    /// The variant of that word.
    fn named(word: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|one| one.as_str() == word)
    }
}

/// Declares an enum with its words, and implements [`Label`] and `Display` for it.
///
/// ```text
/// words! {
///     /// Why a session ended.
///     pub enum Reason {
///         /// The client ended it.
///         ClientClosed = "client-closed",
///     }
/// }
/// ```
macro_rules! words {
    ($(#[$doc:meta])* $vis:vis enum $name:ident {
        $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$of])* $variant),+
        }

        impl $name {
            /// The stable word, as logs, metrics and the API print it.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl $crate::base::word::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                Self::as_str(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(Self::as_str(*self))
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// For the test.
        pub(crate) enum Fruit {
            /// One.
            Apple = "apple",
            /// Two.
            SourCherry = "sour-cherry",
        }
    }

    #[test]
    fn index_is_the_place_in_all() {
        for (place, fruit) in Fruit::ALL.iter().enumerate() {
            assert_eq!(fruit.index(), place);
        }
        assert_eq!(Fruit::SourCherry.to_string(), "sour-cherry");
        assert_eq!(Fruit::named("sour-cherry"), Some(Fruit::SourCherry));
        assert_eq!(Fruit::named("SourCherry"), None);
    }
}

//! Lengths of time and sizes as people write them: `"500ms"`, `"12h"`, `"64KiB"`.
//!
//! Pure, both ways: [`duration`] and [`byte_size`] read, [`show_duration`] and [`show_byte_size`] write what they read.

use std::time::Duration;

/// Why a text is no duration or size; Display is a sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// A number stands without its unit.
    #[error("the unit is missing")]
    NoUnit,
    /// There is a unit that nobody knows.
    #[error("{0:?} is no unit")]
    UnknownUnit(String),
    /// What stands before the unit is no whole number.
    #[error("{0:?} is no whole number")]
    NotANumber(String),
    /// Larger than can be held.
    #[error("it is too large")]
    TooLarge,
}

/// Reads `"500ms"`, `"30s"`, `"5m"`, `"12h"`, `"7d"`, or several in a row: `"1h30m"`.
///
/// # Errors
/// A sentence's end that says what is wrong.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(UnitError::Empty);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, unit, after) = split(rest)?;
        let millis = TIME
            .iter()
            .find(|(word, _)| *word == unit)
            .ok_or_else(|| UnitError::UnknownUnit(unit.into()))?
            .1;
        let millis = number.checked_mul(millis).ok_or(UnitError::TooLarge)?;
        total = total
            .checked_add(Duration::from_millis(millis))
            .ok_or(UnitError::TooLarge)?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// What [`duration`] reads, as a regular expression for schemas.
pub const DURATION: &str = r"^\s*([0-9]+\s*(ms|s|m|h|d)\s*)+$";

/// Reads `"64KiB"`, `"1MiB"`, `"100kB"`, `"512B"`.
///
/// # Errors
/// A sentence's end that says what is wrong.
pub fn byte_size(text: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let (number, unit, after) = split(text)?;
    let unit = unit.trim_end();
    if !after.is_empty() {
        return Err(UnitError::UnknownUnit(format!("{unit}{after}")));
    }
    let factor = SIZE
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(unit))
        .ok_or_else(|| UnitError::UnknownUnit(unit.into()))?
        .1;
    number.checked_mul(factor).ok_or(UnitError::TooLarge)
}

/// Writes a duration so that [`duration`] reads it again, to the millisecond.
pub fn show_duration(length: Duration) -> String {
    let mut millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, size) in TIME.iter().rev() {
        if millis >= *size {
            text.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    text
}

/// Writes a size in the largest unit that divides it.
pub fn show_byte_size(bytes: u64) -> String {
    let fits = SIZE
        .iter()
        .rfind(|(unit, size)| unit.contains('i') && bytes >= *size && bytes.is_multiple_of(*size));
    match fits {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

/// Number, unit, and what follows.
fn split(text: &str) -> Result<(u64, &str, &str), UnitError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || rest.starts_with(['.', ',', '_', '-', '+']) {
        return Err(UnitError::NotANumber(text.into()));
    }
    let rest = rest.trim_start();
    let letters = rest
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    if unit.is_empty() {
        return Err(UnitError::NoUnit);
    }
    let number = number.parse().map_err(|_| UnitError::TooLarge)?;
    Ok((number, unit.trim_end(), after))
}

/// In milliseconds, ascending.
const TIME: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// In bytes; the binary ones ascend.
const SIZE: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            (" 2 s ", 2_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_duration_is_said() {
        for (text, says) in [
            ("", "it is empty"),
            ("30", "the unit is missing"),
            ("1h30", "the unit is missing"),
            ("5 minutes", "\"minutes\" is no unit"),
            ("1.5h", "\"1.5h\" is no whole number"),
            ("-3s", "\"-3s\" is no whole number"),
            ("fast", "\"fast\" is no whole number"),
            ("99999999999999999999s", "it is too large"),
            ("999999999999999999h", "it is too large"),
        ] {
            assert_eq!(duration(text).unwrap_err().to_string(), says, "{text}");
        }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [
            ("64KiB", 65_536),
            ("1 MiB", 1 << 20),
            ("100kB", 100_000),
            ("512b", 512),
        ] {
            assert_eq!(byte_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "64", "64 kilo", "1KiB2B", "KiB", "99999999999GiB"] {
            assert!(byte_size(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0_u64..10_000_000_000, bytes in proptest::prelude::any::<u64>()) {
            let length = Duration::from_millis(millis);
            assert_eq!(duration(&show_duration(length)), Ok(length));
            assert_eq!(byte_size(&show_byte_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,24}") {
            let _ = duration(&text);
            let _ = byte_size(&text);
        }
    }
}

//! Counts of the file, as the plan keeps them.

use crate::config::field::Field;
use crate::config::words::Whole;

/// A count that fits; the words are bounded far below.
pub(super) fn count<const LOW: u64, const HIGH: u64>(
    field: &Field<Whole<LOW, HIGH>>,
) -> Option<u32> {
    field.value().and_then(|whole| u32::try_from(whole.0).ok())
}

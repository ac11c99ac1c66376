//! Cells that howdah still owes: the table is right about them, and they do not hold yet. None at present.
//!
//! The run counts them as skipped, each group with its reason. Whoever pays a debt takes its line away; nothing else
//! may enter here, least of all a cell that holds most of the time.

use super::ground::Cell;

/// What is missing.
pub(crate) fn owed(_cell: &Cell) -> Option<&'static str> {
    None
}

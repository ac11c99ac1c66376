//! Cells that howdah still owes: the table is right about them, and they do not hold yet.
//!
//! The run counts them as skipped, each group with its reason. Whoever pays a debt takes its line away; nothing else
//! may enter here, least of all a cell that holds most of the time.

use super::ground::Cell;
use super::table::{Event, Phase};

/// What is missing.
pub(crate) fn owed(cell: &Cell) -> Option<&'static str> {
    use Event as E;
    match (cell.phase, cell.event) {
        (_, E::ServerVanishes | E::ClientVanishes) => {
            Some("peers that vanish: no key sets the kernel's patience yet")
        }
        (Phase::ClientEnded, E::ClientResets) => {
            Some("a client's reset after its end: nobody looks for it")
        }
        (Phase::ServerEnded, E::ServerResets) => {
            Some("a server's reset after its end: nobody looks for it")
        }
        (Phase::ServerEnded, E::ClientResets) => {
            Some("a client's reset after the server's end: the reason is server-closed")
        }
        (Phase::ServerEnded, E::Cut | E::Stop) if cell.transport.client_tls => {
            Some("an order after a server's end, TLS from clients: the server may see a reset")
        }
        _ => None,
    }
}

//! Where servers are: who lists them beside the file, and the addresses for their names.
//!
//! ```text
//!  source ──► Listing ──► hearer ──► roster of the pool ──► keeper ──► Snapshot ──► names, checkers
//! ```
//! A source is a task on the control thread that says what it [`Found`], again whenever that changes, or that it hears
//! nothing. Servers written as numbers need no more. Names are looked up at start and again while running, by one task for
//! each pool, which tells each [`Server`](crate::pool::Server) its addresses and nudges its checker when they changed. No
//! snapshot is made for that: a session reads the addresses when it dials.

mod dns;
mod file;
mod hearer;
mod impala;
mod listing;
mod sources;
mod srv;
#[cfg(test)]
mod tests;
mod zookeeper;

pub use self::dns::Names;
pub use self::file::ReadMembers;
pub use self::listing::{Found, Listing, Reports};
pub use self::sources::Sources;

//! Where servers are: addresses for the names in the file.
//!
//! Servers written as numbers need nothing from here. Names are looked up at start and again while running, by
//! one task for each pool on the control thread, which tells each [`Server`](crate::pool::Server) its addresses and
//! nudges its checker when they changed. No snapshot is made for that: a session reads the addresses when it dials.

mod dns;

pub use self::dns::Names;

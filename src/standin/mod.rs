//! Stand-in servers: what `howdah demo` shows and what the black-box tests talk to.
//!
//! They speak enough of HiveServer2, Impala and Hue that real clients connect, run a query and read which instance
//! answered; and they fail on order, in all the ways of [`Fault`]. They listen on loopback, keep nothing, and no
//! part of the load balancer depends on them.

mod certificate;
mod client;
mod digest;
mod fault;
mod hive;
mod hue;
mod impala;
mod listener;
pub mod raw;
mod web;

pub use self::certificate::{Authority, MintError, Minted, Validity, Wardrobe};
pub use self::client::{ClientError, HiveClient};
pub use self::digest::{Digest, Pattern, Sum, sum_of_pattern};
pub use self::fault::{Fault, Flaw, Switch};
pub use self::hive::{Auth, Flavour, Hive, HiveOptions, Transport};
pub use self::hue::Hue;
pub use self::impala::Impala;
pub use self::listener::{Bytes, Frame, Serve, StandInListener, Visit};

#[cfg(test)]
mod tests;

//! A client of ZooKeeper: an ensemble, of which one server is connected to, and a session with it.
//!
//! `discovery` lists servers with it, and `cluster` keeps what howdahs share. The bytes are [`crate::wire::zookeeper`]'s.
//! What comes in is bounded, and never panics.

mod connection;
mod ensemble;

pub use self::connection::{Broken, Connection, Heard, Hello, Pace};
pub use self::ensemble::{Ensemble, Member, Stream};

//! What servers say of their own load, and the share of their weight that follows from it.
//!
//! A [`Reader`](reader) for each server of a pool with `load` asks at the pace of the plan. What an answer means is pure:
//! [`metrics`] turns a page of numbers into how much of the server is in use and [`factor`] that into a share, smoothed;
//! [`agent`] keeps what an agent ordered. The pool is told when something changed that is worth a snapshot. Health is another
//! matter: nothing here makes a server ill, and a source that is silent costs nobody anything.

mod agent;
mod factor;
mod metrics;
mod reader;
mod readers;

pub use self::readers::LoadReaders;

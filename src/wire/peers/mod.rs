//! HAProxy's peers protocol, version 2.1: how entries of sticky tables travel between load balancers.
//!
//! A connection begins with lines of text ([`hello`]); from then on both sides send messages of a class, a type and perhaps
//! data ([`message`]). A sender defines a table ([`table`]) and then tells of its entries ([`update`]); a server's name is
//! sent once and known by a number from then on ([`dictionary`]). Numbers have a form of their own ([`varint`]).
//!
//! Written after haproxy's `doc/peers-v2.0.txt`, and after `src/peers.c` where that says more: heartbeats, timed updates,
//! the dictionary, and what a definition tells of each type of data.

pub mod dictionary;
mod fault;
pub mod hello;
pub mod message;
pub mod table;
pub mod update;
mod varint;

pub use self::dictionary::{Received, Sent};
pub use self::fault::{DATA_MAX, Malformed};
pub use self::hello::{Hello, Status};
pub use self::message::{Control, Message};
pub use self::table::{Definition, KeyKind};
pub use self::update::{Entry, Key, Update};
pub use self::varint::{put as put_number, take as take_number};

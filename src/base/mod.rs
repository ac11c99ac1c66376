//! What every room uses: the words of enums, units, a TCP connect, a rate, points in time, who a user is, and how far this process reaches.

pub mod caught;
pub mod connect;
pub mod fate;
pub mod keepalive;
pub mod lease;
pub mod passwd;
pub mod pattern;
pub mod pointer;
pub mod principal;
pub mod rate;
pub mod reach;
pub mod sync;
pub mod time;
pub mod unit;
pub mod word;

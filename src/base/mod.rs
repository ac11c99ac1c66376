//! What every room uses: units, and a TCP connect.

pub mod connect;
pub mod unit;

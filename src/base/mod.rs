//! Words that every room uses: units.

pub mod unit;

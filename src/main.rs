//! howdah.
fn main() {}

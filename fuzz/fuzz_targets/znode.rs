//! See `howdah_fuzz::znode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::znode(bytes));

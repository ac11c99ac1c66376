//! See `howdah_fuzz::admin`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::admin(bytes));

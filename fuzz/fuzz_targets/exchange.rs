//! See `howdah_fuzz::exchange`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::exchange(bytes));

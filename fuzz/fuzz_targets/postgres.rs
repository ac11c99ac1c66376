//! See `howdah_fuzz::postgres`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::postgres(bytes));

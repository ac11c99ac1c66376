//! See `howdah_fuzz::peers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::peers(bytes));

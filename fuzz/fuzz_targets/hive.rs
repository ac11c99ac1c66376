//! See `howdah_fuzz::hive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::hive(bytes));

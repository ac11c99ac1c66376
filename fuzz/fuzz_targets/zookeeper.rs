//! See `howdah_fuzz::zookeeper`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::zookeeper(bytes));

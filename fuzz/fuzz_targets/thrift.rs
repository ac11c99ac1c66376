//! See `howdah_fuzz::thrift`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::thrift(bytes));

//! See `howdah_fuzz::kerberos`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::kerberos(bytes));

//! See `howdah_fuzz::vrrp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::vrrp(bytes));

//! See `howdah_fuzz::netlink`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| howdah_fuzz::netlink(bytes));

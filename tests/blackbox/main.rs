//! The real program, driven from outside: its listeners, signals, files, commands and lines.
//!
//! One binary of modules. Every test starts a howdah of its own on free ports of the loopback address, and waits for
//! what it expects instead of sleeping. `HOWDAH_TEST_BYTES` and its like make the long ones longer; see `volume`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by failing"
)]

mod access;
mod admin;
mod bad_input;
mod balance;
mod drain;
mod health;
mod proxy_protocol;
mod relay;
mod reload;
mod support;
mod tls;
mod volume;

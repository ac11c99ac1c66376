//! The real program, driven from outside: its listeners, signals, files, commands and lines.
//!
//! One binary of modules. Every test starts a howdah of its own on free ports of the loopback address, and waits for
//! what it expects instead of sleeping.
//!
//! | variable | default | full run |
//! |---|---|---|
//! | `HOWDAH_TEST_BYTES`: each way, for each session of `volume` | 32 MiB | 1073741824 |
//! | `HOWDAH_TEST_SESSIONS`: for each share of `balance` | 10000 | 10000 |
//! | `HOWDAH_TEST_SECONDS`: how long the load of `reload` lasts | 6 | 30 |
//! | `HOWDAH_TEST_SOAK_SECONDS`: how long sessions go on in `soak` | 120 | 1800 |
//! | `HOWDAH_TEST_SOAK_RATE`: how many of them a second | 60 | 500 |
//! | `HOWDAH_TEST_DATAGRAM_SESSIONS`: short ones in `udp` | 20000 | 100000 |
//! | `HOWDAH_TEST_CONFLICT_SECONDS`: how long two servers say that they are active in `failover` | 5 | 30 |
//! | `HOWDAH_TEST_TAKEOVER_SECONDS`: how long the load of `takeover` lasts; from 60 on it is the whole load | 5 | 60 |
//! | `HOWDAH_TEST_PROGRAM`: another build of howdah to drive | this one | `target/release/howdah` |

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by failing"
)]

mod access;
mod admin;
mod alerts;
mod availability;
mod bad_input;
mod balance;
mod changes;
mod chaos;
mod check;
mod command;
mod confine;
mod demo;
mod dial;
mod discovery;
mod doctor;
mod drain;
mod events;
mod explain;
mod failover;
mod faults;
mod health;
mod hostile;
mod limits;
mod load;
mod locks;
mod logs;
mod newcomer;
mod peers;
mod places;
mod probe;
mod probes;
mod process_one;
mod proxy_protocol;
mod relay;
mod reload;
mod secrets;
mod services;
mod sessions;
mod shell;
mod situations;
mod soak;
mod state;
mod status;
mod support;
mod systemd;
mod takeover;
mod tls;
mod tls_clients;
mod udp;
mod volume;

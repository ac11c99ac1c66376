//! howdah: a Layer 4 load balancer for HiveServer2, Impala, Hue and the rest of a Hadoop platform.
//!
//! It carries few, long, stateful, mostly silent sessions to servers that are known to work. This library serves the
//! thin binary `howdah`, its tests and its benches; it promises nothing to others.
//!
//! # Floors
//!
//! Imports go down, or along an arrow. `tests/floors/` names the line that does not.
//!
//! | floor | rooms |
//! |---|---|
//! | 5 entry | `main`, [`cli`] |
//! | 4 house | [`app`] → [`config`], [`admin`] |
//! | 3 data path | [`listener`] → [`session`] · [`doctor`], [`explain`] → `session` |
//! | 2 rooms | [`availability`] → `pool` · [`state`] → `pool` · [`health`] → `pool`, `tls` · [`discovery`] → `pool`, `tls`, `wire`, `zookeeper` · [`alerts`] → `tls`, `wire` · [`cluster`] → `pool`, `zookeeper`, `tls`, `wire` · [`peers`] → `pool`, `tls`, `wire` · [`standin`] → `tls`, `wire` · [`vip`] → `wire` |
//! | 1 truth and thought | [`pool`] → `balance` · [`zookeeper`] → `tls`, `wire` · [`tls`] · [`confine`] · [`handover`] · [`balance`] · [`wire`] |
//! | 0 words | [`plan`] · [`telemetry`] · [`base`] |
//!
//! # A session
//!
//! ```text
//!             listener                              session
//!  client ──► accept ──► fewest worker ──► admit ─ greet ─ route ─ choose ─ dial ─ announce ─ relay ─ account
//!                                                                    ▲        │                         │
//!                                                             pool: one Lease, another on failure   one line, counters
//! ```
//!
//! # A reload
//!
//! ```text
//!  file ──► config ──► Plan ──► diff ──► Delta ──► prepare ──► commit ──► retire
//!            every fault         by name            may fail     cannot     what left
//!            at once             by value           unseen       fail       drains
//! ```
//!
//! # Health
//!
//! ```text
//!  probe ──► Finding ──► machine::step ──► Transition ──► keeper ──► Snapshot ──► every worker's next choice
//!    ▲       up, alive     pure             one log line   the one     immutable
//!    └────── or down                                       writer
//! ```
//!
//! # Threads
//!
//! One control thread (keepers, probes, signals), one for the admin server, one for virtual addresses where there are any, and one
//! for each worker, each with a runtime of its own. A session lives on one worker from accept to account; what workers share are immutable snapshots behind one
//! pointer, and counters.

pub mod admin;
pub mod alerts;
pub mod app;
pub mod availability;
pub mod balance;
pub mod base;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod confine;
pub mod discovery;
pub mod doctor;
pub mod explain;
pub mod handover;
pub mod health;
pub mod listener;
pub mod peers;
pub mod plan;
pub mod pool;
pub mod session;
pub mod standin;
pub mod state;
pub mod telemetry;
pub mod tls;
pub mod vip;
pub mod wire;
pub mod zookeeper;

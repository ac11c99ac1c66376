//! howdah's `balance`, compiled with loom's atomics and locks in place of the standard ones.
//!
//! The room is the very source of howdah; what it takes from `crate::base::sync` is loom's here. `tests/` then runs short
//! pieces of it in every order of two or three threads that the memory model lets happen.
#![allow(
    dead_code,
    missing_docs,
    unused_imports,
    reason = "howdah's own lints look at howdah's own build"
)]

pub mod base {
    pub mod sync {
        pub use loom::sync::{Mutex, MutexGuard, atomic};
    }

    pub use crate::rate;
}

#[path = "../../src/base/rate.rs"]
pub mod rate;

#[path = "../../src/balance/mod.rs"]
pub mod balance;

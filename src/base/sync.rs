//! Locks and atomics of what `loom/` compiles anew with loom's in their place.

pub use std::sync::{Mutex, MutexGuard, atomic};

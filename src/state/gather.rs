//! What all pools know, in one value.

use std::sync::Arc;
use std::time::SystemTime;

use super::format::Memory;
use crate::base::time::millis;
use crate::pool::Pool;

/// What pools know now, for a file or for a successor.
pub fn gather(pools: &[Arc<Pool>], generation: u64) -> Memory {
    let remembered = pools
        .iter()
        .map(|pool| (pool.name().to_string(), pool.remember()));
    Memory {
        generation,
        pid: std::process::id(),
        howdah: env!("CARGO_PKG_VERSION").into(),
        saved_at: millis(SystemTime::now()),
        pools: remembered.collect(),
    }
}

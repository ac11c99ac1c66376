//! What the road holds: the counters of one listener, pool or server, looked up before the first session.
//!
//! Each method is a few relaxed atomic adds; none looks a label up or allocates, except the first use of a
//! counter that is kept by reason, which makes all children of that enum at once. When the last clone of a
//! handle goes, its series leave `/metrics`: a removed server is seen until its last session ended.

mod by_word;
mod listener;
mod pool;
mod server;

use std::sync::Arc;

use prometheus::IntCounter;

pub use self::listener::ListenerMetrics;
pub use self::pool::PoolMetrics;
pub use self::server::ServerMetrics;

/// Counts nothing happening without touching the cache line.
fn add(counter: &IntCounter, bytes: u64) {
    if bytes > 0 {
        counter.inc_by(bytes);
    }
}

const FROM_CLIENT: &str = "from_client";
const FROM_SERVER: &str = "from_server";

/// Handles are shared by all workers.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<ListenerMetrics>>();
    shared::<Arc<PoolMetrics>>();
    shared::<Arc<ServerMetrics>>();
};

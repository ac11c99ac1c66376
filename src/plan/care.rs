//! How a pool bears servers that go down and come back.

use std::time::Duration;

use crate::base::word::words;

/// Keys `slow_start`, `panic_threshold` and `on_down` of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarePlan {
    /// The weight of a server that came up grows over this; zero: it is whole at once.
    pub slow_start: Duration,
    /// When fewer percent of the servers with a verdict are up, those that are down take sessions too; 0: never.
    pub panic_threshold: u8,
    /// What happens to the sessions of a server that goes down.
    pub on_down: OnDown,
}

words! {
    /// Key `on_down`.
    pub enum OnDown {
        /// They go on as long as they can.
        Keep = "keep",
        /// Those that are left after `drain_timeout` end, unless the server is up again by then.
        Drain = "drain",
        /// They end at once.
        Reset = "reset",
    }
}

impl CarePlan {
    /// What a file brings that does not speak of it.
    pub const DEFAULT: Self = Self {
        slow_start: Duration::ZERO,
        panic_threshold: 0,
        on_down: OnDown::Keep,
    };
}

//! How a pool bears servers that go down, come back, and change their roles.

use std::time::Duration;

use super::{Goal, RolePlan};
use crate::base::word::words;

/// Keys `slow_start`, `panic_threshold`, `on_down`, `role`, `on_role_lost` and `slo` of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarePlan {
    /// The weight of a server that came up grows over this; zero: it is whole at once.
    pub slow_start: Duration,
    /// When fewer percent of the servers with a verdict are up, those that are down take sessions too; 0: never.
    pub panic_threshold: u8,
    /// What happens to the sessions of a server that goes down.
    pub on_down: OnDown,
    /// Which servers are wanted.
    pub role: RolePlan,
    /// What is promised of it.
    pub goal: Option<Goal>,
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
        role: RolePlan::EQUALS,
        goal: None,
    };
}

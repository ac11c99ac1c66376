//! A right that ends by the clock: whoever holds it looks before each use, and needs nobody to be told that it is over.
//!
//! It is renewed on the control thread and looked at by all workers, at the cost of one relaxed load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub struct Lease {
    origin: Instant,
    /// Milliseconds after the origin; 0: nothing is held.
    until: AtomicU64,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            until: AtomicU64::new(0),
        }
    }
}

impl Lease {
    /// Whether it is held at that moment.
    pub fn holds(&self, now: Instant) -> bool {
        self.millis(now) < self.until.load(Ordering::Relaxed)
    }

    /// Held until then.
    pub fn renew(&self, until: Instant) {
        self.until.store(self.millis(until), Ordering::Relaxed);
    }

    /// Held no more.
    pub fn give_up(&self) {
        self.until.store(0, Ordering::Relaxed);
    }

    /// When it ends; `None`: nothing is held.
    pub fn until(&self) -> Option<Instant> {
        let until = self.until.load(Ordering::Relaxed);
        (until > 0).then(|| self.origin + Duration::from_millis(until))
    }

    /// Rounded down: it ends early rather than late.
    fn millis(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.origin).as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_by_the_clock_alone() {
        let lease = Lease::default();
        assert!(!lease.holds(Instant::now()), "nobody has given it");
        lease.renew(Instant::now() + Duration::from_secs(4));
        assert!(lease.holds(Instant::now()));
        tokio::time::advance(Duration::from_millis(3999)).await;
        assert!(lease.holds(Instant::now()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lease.holds(Instant::now()));
        lease.renew(Instant::now() + Duration::from_secs(4));
        assert!(lease.holds(Instant::now()), "renewed");
        lease.give_up();
        assert!(!lease.holds(Instant::now()));
    }
}

//! May a server take sessions? Pure: the operator's order, its health and its load give its [`Standing`].
//!
//! | order       | health  | full | standing    | new sessions |
//! |-------------|---------|------|-------------|--------------|
//! | maintenance | any     | any  | maintenance | no           |
//! | drain       | any     | any  | draining    | no           |
//! | ready       | down    | any  | down        | no           |
//! | ready       | alive   | any  | withdrawn   | no           |
//! | ready       | unknown | any  | waiting     | no           |
//! | ready       | up      | yes  | full        | not now      |
//! | ready       | up      | no   | ready       | yes          |
//!
//! In a pool that wants the active server alone, [`super::holder`] makes *conflict* of *ready* and *full* for all but one.
//!
//! An operator's order outranks health: probes go on under it, so that `howdah ready` takes effect at once,
//! with what is known by then. Full is not ill: nothing but the pick of this moment takes notice of it.

use crate::base::word::words;

words! {
    /// What probes concluded.
    pub enum Health {
        /// No verdict yet.
        Unknown = "unknown",
        /// Takes sessions.
        Up = "up",
        /// Answers, and says that it should get no new sessions: passive, shutting down.
        Alive = "alive",
        /// Does not answer, or wrongly.
        Down = "down",
    }
}

words! {
    /// What the operator wants.
    pub enum Order {
        /// Take sessions.
        Ready = "ready",
        /// No new sessions; the present ones end by themselves.
        Drain = "draining",
        /// The same, out by order until told otherwise.
        Maintenance = "maintenance",
    }
}

words! {
    /// May it take sessions, and if not, why.
    pub enum Standing {
        /// It may.
        Ready = "ready",
        /// It has `max_connections` sessions: passed over, not ill.
        Full = "full",
        /// The operator drains it.
        Draining = "draining",
        /// The operator took it out.
        Maintenance = "maintenance",
        /// No verdict yet.
        Waiting = "waiting",
        /// Alive, but it said that it wants no sessions.
        Withdrawn = "withdrawn",
        /// Up, and says that it is the active one, as another does that has the sessions.
        Conflict = "conflict",
        /// Down.
        Down = "down",
    }
}

impl Standing {
    /// The table of this module's documentation.
    pub fn of(order: Order, health: Health, full: bool) -> Self {
        match (order, health, full) {
            (Order::Maintenance, _, _) => Self::Maintenance,
            (Order::Drain, _, _) => Self::Draining,
            (Order::Ready, Health::Down, _) => Self::Down,
            (Order::Ready, Health::Alive, _) => Self::Withdrawn,
            (Order::Ready, Health::Unknown, _) => Self::Waiting,
            (Order::Ready, Health::Up, true) => Self::Full,
            (Order::Ready, Health::Up, false) => Self::Ready,
        }
    }

    /// Whether balancers may offer it; a full server is offered, and passed over when its turn comes.
    pub fn is_on_offer(self) -> bool {
        matches!(self, Self::Ready | Self::Full)
    }
}

/// Whether fewer than `threshold` percent are up of those that are up or down and under no order. Who says that it wants no
/// sessions, and who has not been asked yet, is neither.
pub(super) fn is_panic(servers: impl Iterator<Item = (Order, Health)>, threshold: u8) -> bool {
    let judged = servers.filter(|(order, _)| *order == Order::Ready);
    let (up, down) = judged.fold((0usize, 0usize), |(up, down), (_, health)| match health {
        Health::Up => (up + 1, down),
        Health::Down => (up, down + 1),
        Health::Alive | Health::Unknown => (up, down),
    });
    up * 100 < (up + down) * usize::from(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_below_the_threshold_of_those_that_are_judged() {
        use Health::{Alive, Down, Unknown, Up};
        let ready = |health: &[Health], threshold| {
            let servers = health.iter().map(|health| (Order::Ready, *health));
            is_panic(servers, threshold)
        };
        assert!(!ready(&[Up, Down], 50) && ready(&[Up, Down, Down], 50));
        assert!(ready(&[Down, Down], 1) && !ready(&[Down, Down], 0));
        assert!(ready(&[Up, Down], 100) && !ready(&[Up, Up], 100));
        assert!(!ready(&[Unknown, Unknown], 100), "at a start");
        assert!(!ready(&[Alive, Alive, Up], 100), "who is alive is not ill");
        assert!(!ready(&[], 100));
        let drained = [
            (Order::Drain, Down),
            (Order::Maintenance, Down),
            (Order::Ready, Up),
        ];
        assert!(!is_panic(drained.into_iter(), 100));
    }

    #[test]
    fn every_row_of_the_table() {
        use Standing::*;
        let table = [
            (Order::Ready, Health::Unknown, [Waiting, Waiting]),
            (Order::Ready, Health::Up, [Ready, Full]),
            (Order::Ready, Health::Alive, [Withdrawn, Withdrawn]),
            (Order::Ready, Health::Down, [Down, Down]),
            (Order::Drain, Health::Unknown, [Draining; 2]),
            (Order::Drain, Health::Up, [Draining; 2]),
            (Order::Drain, Health::Alive, [Draining; 2]),
            (Order::Drain, Health::Down, [Draining; 2]),
            (Order::Maintenance, Health::Unknown, [Maintenance; 2]),
            (Order::Maintenance, Health::Up, [Maintenance; 2]),
            (Order::Maintenance, Health::Alive, [Maintenance; 2]),
            (Order::Maintenance, Health::Down, [Maintenance; 2]),
        ];
        for (order, health, expected) in table {
            for (full, expected) in [false, true].into_iter().zip(expected) {
                let standing = Standing::of(order, health, full);
                assert_eq!(standing, expected, "{order} {health} full: {full}");
                let takes = order == Order::Ready && health == Health::Up;
                assert_eq!(standing.is_on_offer(), takes, "{order} {health}");
            }
        }
    }
}

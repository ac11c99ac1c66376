//! From how much of a server is in use to its share of its weight. Pure.
//!
//! Up to half in use is no reason for anything. From there the share falls in a straight line to the floor, which a server
//! reaches that is full. The share follows quickly downwards, so that a server which fills up has a third of its sessions
//! after three answers, and slowly upwards, so that those who come back are not filled at once by everybody who saw it.
//! A source that is silent says nothing: after [`SILENT`] answers that did not come, the share goes back up.

/// The share of one server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factor {
    floor: f64,
    now: f64,
    missed: u32,
}

impl Factor {
    /// The whole weight; `floor` in percent.
    pub(super) fn new(floor: u8) -> Self {
        Self {
            floor: f64::from(floor.clamp(1, 100)) / 100.0,
            now: 1.0,
            missed: 0,
        }
    }

    /// An answer: so much of the server is in use. 1 is full; more is too.
    pub(super) fn used(&mut self, used: f64) {
        self.missed = 0;
        let over = ((used - FREE) / (1.0 - FREE)).clamp(0.0, 1.0);
        self.go_to(1.0 - over * (1.0 - self.floor));
    }

    /// An order: this share from now on.
    pub(super) fn set(&mut self, share: f64) {
        self.missed = 0;
        self.now = share.clamp(self.floor, 1.0);
    }

    /// An answer that says nothing of the share.
    pub(super) fn unsaid(&mut self) {
        self.missed = 0;
    }

    /// No answer.
    pub(super) fn missed(&mut self) {
        self.missed = self.missed.saturating_add(1);
        if self.is_silent() {
            self.go_to(1.0);
        }
    }

    /// Whether what was said before counts no more.
    pub(super) fn is_silent(&self) -> bool {
        self.missed >= SILENT
    }

    /// 1 to 100.
    pub(super) fn percent(&self) -> u8 {
        match (self.now * 100.0).round() {
            ..=1.0 => 1,
            // Below 100: a cast of a float saturates.
            percent => percent.min(100.0) as u8,
        }
    }

    fn go_to(&mut self, goal: f64) {
        let haste = if goal < self.now { DOWN } else { UP };
        self.now += (goal - self.now) * haste;
        if (self.now - goal).abs() < NEAR {
            self.now = goal;
        }
    }
}

/// So much in use is no load.
const FREE: f64 = 0.5;

/// Part of the way to a lower share with each answer: after three, 6 % of it are left.
const DOWN: f64 = 0.6;

/// Part of the way to a higher one.
const UP: f64 = 0.3;

/// As good as there.
const NEAR: f64 = 0.01;

/// So many answers that did not come are silence.
pub(super) const SILENT: u32 = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settled(floor: u8, used: f64) -> u8 {
        let mut factor = Factor::new(floor);
        (0..50).for_each(|_| factor.used(used));
        factor.percent()
    }

    #[test]
    fn half_in_use_is_no_load_and_full_is_the_floor() {
        for (used, share) in [
            (0.0, 100),
            (-1.0, 100),
            (0.5, 100),
            (0.75, 55),
            (1.0, 10),
            (7.0, 10),
            (f64::INFINITY, 10),
        ] {
            assert_eq!(settled(10, used), share, "{used}");
        }
        assert_eq!((settled(100, 9.0), settled(0, 9.0)), (100, 1));
        let mut odd = Factor::new(10);
        odd.used(f64::NAN);
        assert_eq!(odd.percent(), 100, "what is no number says nothing");
    }

    #[test]
    fn who_is_full_has_a_third_after_three_answers_and_comes_back() {
        let mut factor = Factor::new(10);
        (0..3).for_each(|_| factor.used(1.0));
        assert!(factor.percent() <= 33, "{factor:?}");
        (0..3).for_each(|_| factor.used(0.2));
        assert!((60..90).contains(&factor.percent()), "{factor:?}");
        (0..10).for_each(|_| factor.used(0.2));
        assert_eq!(factor.percent(), 100);
    }

    #[test]
    fn silence_ends_what_was_said_and_one_lost_answer_is_none() {
        let mut factor = Factor::new(10);
        (0..9).for_each(|_| factor.used(1.0));
        let low = factor.percent();
        (1..SILENT).for_each(|_| factor.missed());
        assert_eq!((factor.percent(), factor.is_silent()), (low, false));
        (0..15).for_each(|_| factor.missed());
        assert_eq!((factor.percent(), factor.is_silent()), (100, true));
        factor.used(1.0);
        assert!(!factor.is_silent() && factor.percent() < 50);
    }

    proptest! {
        #[test]
        fn a_share_is_between_floor_and_whole(floor in 0u8..=255, answers in prop::collection::vec(prop::option::of(any::<f64>()), 0..50)) {
            let mut factor = Factor::new(floor);
            for answer in answers {
                match answer {
                    Some(used) => factor.used(used),
                    None => factor.missed(),
                }
                prop_assert!((floor.clamp(1, 100)..=100).contains(&factor.percent()), "{factor:?}");
            }
        }
    }
}

//! How long a server stays out that goes down again and again: longer each time. Pure.
//!
//! A server that falls soon after it came back has earned a strike. Strikes beyond those that are free keep it out for
//! `base`, twice that, four times that, and so on to [`DOUBLINGS`]; a server that held for [`STEADY`] times `base` starts
//! anew. The same count serves two judges: probes, which forgive the first strikes since a restart often takes two, and
//! what sessions saw, where nobody can ask the server whether it is better.

use std::time::Duration;

use tokio::time::Instant;

/// What a server has earned; see the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strikes {
    count: u32,
    back: Option<Instant>,
}

impl Strikes {
    /// The server goes out now. Until when it must stay out, if it must; no `base`, no quarantine.
    pub(super) fn out(&mut self, now: Instant, base: Duration, free: u32) -> Option<Instant> {
        let soon = (self.back).is_some_and(|back| now.duration_since(back) < base * STEADY);
        self.count = if soon { self.count + 1 } else { 1 };
        self.back = None;
        let beyond = self.count.checked_sub(free + 1)?;
        let stay = base * 2u32.pow(beyond.min(DOUBLINGS));
        (!stay.is_zero()).then(|| now + stay)
    }

    /// The server takes sessions again.
    pub(super) fn back(&mut self, now: Instant) {
        self.back = Some(now);
    }

    /// How often it went out without holding in between.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

/// Times `base`: who holds for so long has recovered.
const STEADY: u32 = 10;

/// The longest stay is 32 times `base`.
const DOUBLINGS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(10);

    /// Seconds up before each fall, and the seconds that the server then must stay out.
    fn falls(free: u32, table: &[(u64, u64)]) {
        let (mut strikes, mut now) = (Strikes::default(), Instant::now());
        for (line, (up, stay)) in table.iter().enumerate() {
            now += Duration::from_secs(*up);
            let until = strikes.out(now, BASE, free);
            let expected = (*stay > 0).then(|| now + Duration::from_secs(*stay));
            assert_eq!(until, expected, "line {line} of {table:?}");
            now = until.unwrap_or(now) + Duration::from_secs(1);
            strikes.back(now);
        }
    }

    #[test]
    fn each_fall_soon_after_the_last_costs_twice_as_much() {
        falls(
            0,
            &[
                (0, 10),
                (5, 20),
                (99, 40),
                (5, 80),
                (5, 160),
                (5, 320),
                (5, 320),
                (5, 320),
            ],
        );
    }

    #[test]
    fn a_server_that_held_starts_anew() {
        falls(
            2,
            &[(0, 0), (5, 0), (5, 10), (5, 20), (100, 0), (5, 0), (5, 10)],
        );
    }

    #[test]
    fn without_a_base_there_is_no_quarantine() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(strikes.out(now, Duration::ZERO, 0), None);
            strikes.back(now);
        }
    }
}

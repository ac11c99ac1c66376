//! The last probes of one server, small enough to be kept for thousands of servers.
//!
//! What probes say is mostly the same each time, and kept once: a probe is a time, a duration and a pointer. How long each
//! step took is kept of the last probe and of the last few that did not find the server up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Health;
use crate::base::time::{millis, of_millis};

/// See the module.
#[derive(Default)]
pub(super) struct Probes {
    kept: VecDeque<Kept>,
    /// Of the last probe, whatever it said.
    last: Steps,
    /// Of others that did not find the server up, each with the time of its probe; oldest first.
    failed: VecDeque<(u64, Steps)>,
}

/// What the last probe said, for the eyes of people; the conclusion is [`Health`].
#[derive(Clone, Debug, PartialEq)]
pub struct LastProbe {
    /// Its own verdict, which a streak may not have confirmed yet.
    pub verdict: Health,
    /// A stable word.
    pub reason: &'static str,
    /// How far it came.
    pub step: &'static str,
    /// One sentence; control characters are escaped.
    pub detail: String,
    /// From the first packet to the verdict.
    pub took: Duration,
    /// When it ended.
    pub at: SystemTime,
}

/// One probe of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct PastProbe {
    /// What it said.
    pub said: LastProbe,
    /// Each step with its own time; empty where that is kept no more.
    pub steps: Vec<(&'static str, Duration)>,
}

type Steps = Box<[(&'static str, u32)]>;

/// Times are counts: milliseconds since 1970, microseconds of the probe.
struct Kept {
    at: u64,
    took: u32,
    said: Arc<Said>,
}

#[derive(PartialEq)]
struct Said {
    verdict: Health,
    reason: &'static str,
    step: &'static str,
    detail: Box<str>,
}

impl Probes {
    pub(super) fn push(&mut self, probe: &LastProbe, steps: &[(&'static str, Duration)]) {
        let same = self.kept.iter().rev().find(|one| one.said.is(probe));
        let said = match same {
            Some(known) => Arc::clone(&known.said),
            None => Arc::new(Said::of(probe)),
        };
        if let Some(last) = self
            .kept
            .back()
            .filter(|last| last.said.verdict != Health::Up)
        {
            let steps = std::mem::take(&mut self.last);
            self.failed.push_back((last.at, steps));
        }
        self.last = steps
            .iter()
            .map(|(what, took)| (*what, micros(*took)))
            .collect();
        self.kept.push_back(Kept {
            at: millis(probe.at),
            took: micros(probe.took),
            said,
        });
        if self.kept.len() > PROBES {
            self.kept.pop_front();
        }
        if self.failed.len() > FAILED {
            self.failed.pop_front();
        }
    }

    /// Oldest first.
    pub(super) fn all(&self) -> Vec<PastProbe> {
        let last = self.kept.len().saturating_sub(1);
        let past = |(place, kept): (usize, &Kept)| {
            let failed = self.failed.iter().find(|(at, _)| *at == kept.at);
            let steps = match place == last {
                true => Some(&self.last),
                false => failed.map(|(_, steps)| steps),
            };
            let steps = steps.into_iter().flatten();
            PastProbe {
                said: kept.probe(),
                steps: steps
                    .map(|(what, took)| (*what, Duration::from_micros((*took).into())))
                    .collect(),
            }
        };
        self.kept.iter().enumerate().map(past).collect()
    }
}

impl Kept {
    fn probe(&self) -> LastProbe {
        LastProbe {
            verdict: self.said.verdict,
            reason: self.said.reason,
            step: self.said.step,
            detail: self.said.detail.to_string(),
            took: Duration::from_micros(self.took.into()),
            at: of_millis(self.at),
        }
    }
}

impl Said {
    fn of(probe: &LastProbe) -> Self {
        Self {
            verdict: probe.verdict,
            reason: probe.reason,
            step: probe.step,
            detail: probe.detail.as_str().into(),
        }
    }

    fn is(&self, probe: &LastProbe) -> bool {
        (self.verdict, self.reason, self.step, &*self.detail)
            == (probe.verdict, probe.reason, probe.step, &*probe.detail)
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// At an interval of 5 s, the last five minutes.
const PROBES: usize = 60;
/// Of which the steps are kept.
const FAILED: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(number: u64, verdict: Health, detail: &str) -> LastProbe {
        LastProbe {
            verdict,
            reason: "ok",
            step: "connect",
            detail: detail.to_owned(),
            took: Duration::from_micros(number),
            at: of_millis(number),
        }
    }

    #[test]
    fn the_last_sixty_are_kept_and_the_steps_of_those_that_tell() {
        let mut probes = Probes::default();
        for number in 0..100 {
            let verdict = if number % 3 == 0 {
                Health::Down
            } else {
                Health::Up
            };
            let took = Duration::from_micros(number + 7);
            probes.push(&probe(number, verdict, "same"), &[("connect", took)]);
        }
        let all = probes.all();
        assert_eq!(all.len(), PROBES);
        assert_eq!(all[0].said, probe(40, Health::Up, "same"));
        assert_eq!(all[59].said, probe(99, Health::Down, "same"));
        let with_steps: Vec<_> = all.iter().filter(|one| !one.steps.is_empty()).collect();
        let numbers: Vec<_> = with_steps
            .iter()
            .map(|one| one.said.took.as_micros())
            .collect();
        assert_eq!(numbers, [84, 87, 90, 93, 96, 99]);
        assert_eq!(
            with_steps[0].steps,
            [("connect", Duration::from_micros(91))]
        );
    }

    #[test]
    fn what_is_said_again_is_kept_once() {
        let mut probes = Probes::default();
        for number in 0..60 {
            let detail = if number % 2 == 0 { "one" } else { "other" };
            probes.push(&probe(number, Health::Up, detail), &[]);
        }
        let said: std::collections::HashSet<_> = probes
            .kept
            .iter()
            .map(|kept| Arc::as_ptr(&kept.said))
            .collect();
        assert_eq!(said.len(), 2);
        // What the documentation says of a server: its ring, with the capacity that it grew to.
        let ring = probes.kept.capacity() * size_of::<Kept>();
        assert!(ring <= 64 * 24, "{ring} bytes");
    }
}

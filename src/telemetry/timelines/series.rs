//! The time line of one server: what its counters did in each step. Pure.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What the counters of a server stand at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Held now.
    pub active: u64,
    /// Given to it, ever; and the same for what follows.
    pub opened: u64,
    /// Connects that failed, and sessions that were connected and not served.
    pub failed: u64,
    /// Relayed.
    pub from_client: u64,
    /// Relayed.
    pub from_server: u64,
    /// Connects, and the seconds that they took together.
    pub connect: (u64, f64),
    /// First answers, and the seconds that they took together.
    pub first_byte: (u64, f64),
}

/// One step: 28 bytes. Names are short where it is saved: a store holds a hundred thousand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Held at its end.
    #[serde(rename = "a")]
    pub active: u32,
    /// In it, and the same for what follows.
    #[serde(rename = "o")]
    pub opened: u32,
    /// Connects and sessions that failed.
    #[serde(rename = "f")]
    pub failed: u32,
    /// Bytes.
    #[serde(rename = "c")]
    pub from_client: f32,
    /// Bytes.
    #[serde(rename = "s")]
    pub from_server: f32,
    /// Mean of its connects, in seconds; below 0: there was none.
    #[serde(rename = "t")]
    pub connect: f32,
    /// Mean of its first answers, in seconds; below 0: there was none.
    #[serde(rename = "b")]
    pub first_byte: f32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Series {
    last: Figures,
    points: VecDeque<Point>,
    /// The step of the newest point.
    reached: u64,
}

impl Series {
    /// Its counters begin at nothing.
    pub(super) fn new(reached: u64) -> Self {
        Self {
            last: Figures::default(),
            points: VecDeque::with_capacity(POINTS),
            reached,
        }
    }

    /// The points of an earlier run, up to that step.
    pub(super) fn earlier(points: impl Iterator<Item = Option<Point>>, reached: u64) -> Self {
        let mut series = Self::new(reached);
        let points = points.take(POINTS);
        (series.points).extend(points.map(|point| point.unwrap_or(Point::ABSENT)));
        series
    }

    /// Where the server was not there in between, there is a gap.
    pub(super) fn push(&mut self, step: u64, now: Figures) {
        let point = Point::between(&self.last, &now);
        self.last = now;
        let gap = usize::try_from(step.saturating_sub(self.reached + 1));
        let gap = gap.map_or(POINTS - 1, |gap| gap.min(POINTS - 1));
        let beyond = (self.points.len() + gap + 1).saturating_sub(POINTS);
        self.points.drain(..beyond.min(self.points.len()));
        self.points.extend((0..gap).map(|_| Point::ABSENT));
        self.points.push_back(point);
        self.reached = step;
    }

    /// The newest `most` up to `step`, the newest last; `None` where the server was not there.
    pub(super) fn until(&self, step: u64, most: usize) -> Vec<Option<Point>> {
        let absent = usize::try_from(step.saturating_sub(self.reached)).unwrap_or(usize::MAX);
        let present = most.saturating_sub(absent).min(self.points.len());
        let own = self.points.range(self.points.len() - present..);
        let own = own.map(|point| (!point.is_absent()).then_some(*point));
        let after = if self.points.is_empty() {
            0
        } else {
            absent.min(most)
        };
        own.chain((0..after).map(|_| None)).collect()
    }

    /// Nothing of it is younger than the whole line.
    pub(super) fn is_over(&self, step: u64) -> bool {
        step.saturating_sub(self.reached) >= POINTS as u64
    }
}

impl Point {
    const ABSENT: Self = Self {
        active: u32::MAX,
        opened: 0,
        failed: 0,
        from_client: 0.0,
        from_server: 0.0,
        connect: -1.0,
        first_byte: -1.0,
    };

    fn is_absent(&self) -> bool {
        self.active == u32::MAX
    }

    /// A counter that stands lower than before began anew.
    fn between(before: &Figures, now: &Figures) -> Self {
        let grown = |before: u64, now: u64| if now < before { now } else { now - before };
        let count = |before, now| u32::try_from(grown(before, now)).unwrap_or(u32::MAX);
        let mean = |before: (u64, f64), now: (u64, f64)| {
            let anew = now.0 < before.0;
            let (count, sum) = if anew {
                now
            } else {
                (now.0 - before.0, now.1 - before.1)
            };
            if count == 0 {
                -1.0
            } else {
                (sum / count as f64).max(0.0) as f32
            }
        };
        Self {
            active: u32::try_from(now.active).unwrap_or(u32::MAX - 1),
            opened: count(before.opened, now.opened),
            failed: count(before.failed, now.failed),
            from_client: grown(before.from_client, now.from_client) as f32,
            from_server: grown(before.from_server, now.from_server) as f32,
            connect: mean(before.connect, now.connect),
            first_byte: mean(before.first_byte, now.first_byte),
        }
    }
}

/// An hour of steps of ten seconds: 10 KB a server.
pub const POINTS: usize = 360;

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(opened: u64, connect: (u64, f64)) -> Figures {
        Figures {
            active: 3,
            opened,
            connect,
            from_client: opened * 1_000,
            ..Figures::default()
        }
    }

    fn opened(points: &[Option<Point>]) -> Vec<Option<u32>> {
        points
            .iter()
            .map(|point| point.map(|point| point.opened))
            .collect()
    }

    #[test]
    fn a_point_is_what_counters_did() {
        let mut series = Series::new(0);
        series.push(1, figures(10, (2, 0.5)));
        series.push(2, figures(14, (4, 1.5)));
        series.push(3, figures(14, (4, 1.5)));
        // The server was made anew, and its counters with it.
        series.push(4, figures(5, (1, 0.25)));
        let points = series.until(4, POINTS);
        assert_eq!(opened(&points), [Some(10), Some(4), Some(0), Some(5)]);
        let means: Vec<_> = points.iter().flatten().map(|point| point.connect).collect();
        assert_eq!(means, [0.25, 0.5, -1.0, 0.25]);
        assert_eq!(points[1].map(|point| point.from_client), Some(4_000.0));
    }

    #[test]
    fn a_server_that_was_away_has_a_gap() {
        let mut series = Series::new(4);
        series.push(5, figures(1, (0, 0.0)));
        series.push(8, figures(3, (0, 0.0)));
        assert_eq!(
            opened(&series.until(8, POINTS)),
            [Some(1), None, None, Some(2)]
        );
        assert_eq!(opened(&series.until(10, 4)), [None, Some(2), None, None]);
        assert_eq!(opened(&series.until(10, 1)), [None]);
        assert!(!series.is_over(8 + 359) && series.is_over(8 + 360));
    }

    #[test]
    fn the_line_is_an_hour_long_and_small() {
        let mut series = Series::new(0);
        for step in 1..=1_000 {
            series.push(step, figures(step, (step, step as f64)));
        }
        assert_eq!(series.until(1_000, usize::MAX).len(), POINTS);
        series.push(9_000, figures(9_000, (0, 0.0)));
        assert_eq!(series.until(9_000, POINTS).iter().flatten().count(), 1);
        assert_eq!(size_of::<Point>(), 28);
        assert_eq!(series.points.capacity() * size_of::<Point>(), 10_080);
    }
}

//! Time lines of the last hour: what each server's counters did in each step of ten seconds.
//!
//! A sampler hands in where the counters stand; sessions know nothing of it. Lines are kept by the names of pool and server,
//! so they survive a reload, and a server that comes back within the hour goes on with a gap. A store may save the newest
//! points now and then, and give them back at a start.

mod series;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use self::series::Series;
pub use self::series::{Figures, POINTS, Point};
use crate::base::time::{millis, of_millis};
use crate::plan::{PoolName, ServerName};

/// Cheap to clone; clones are the same lines.
#[derive(Clone, Default)]
pub struct Timelines(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    /// Counts the steps.
    step: u64,
    /// When the last one ended.
    end: Option<SystemTime>,
    series: BTreeMap<(PoolName, ServerName), Series>,
}

/// The line of one server, the newest point last; `None` where it was not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Whose.
    pub pool: String,
    /// Whose.
    pub server: String,
    /// The newest last, at the end of all lines.
    pub points: Vec<Option<Point>>,
}

/// Lines that end at the same time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Milliseconds since 1970.
    pub end: u64,
    /// Of every server.
    pub lines: Vec<Line>,
}

impl Timelines {
    /// Ends a step.
    pub fn sample<'a>(
        &self,
        now: SystemTime,
        all: impl IntoIterator<Item = (&'a PoolName, &'a ServerName, Figures)>,
    ) {
        let mut lines = self.lines();
        let step = lines.step + lines.steps_until(now).max(1);
        (lines.step, lines.end) = (step, Some(now));
        for (pool, server, figures) in all {
            let name = (pool.clone(), server.clone());
            let is_full = lines.series.len() >= SERVERS && !lines.series.contains_key(&name);
            if !is_full {
                let series = lines.series.entry(name);
                series
                    .or_insert_with(|| Series::new(step - 1))
                    .push(step, figures);
            }
        }
        lines.series.retain(|_, series| !series.is_over(step));
    }

    /// When the newest step ended, and the newest `most` points of those servers.
    pub fn of(
        &self,
        most: usize,
        wanted: impl Fn(&PoolName, &ServerName) -> bool,
    ) -> (Option<SystemTime>, Vec<Line>) {
        let lines = self.lines();
        (lines.end, lines.newest(most, wanted))
    }

    /// The points of all servers that are newer than what was saved last, which ended `since`; `None`: there are none.
    pub fn save(&self, since: u64) -> Option<Saved> {
        let lines = self.lines();
        let end = lines.end.map(millis)?;
        let most = steps(Duration::from_millis(end.saturating_sub(since)));
        if most == 0 {
            return None;
        }
        let mut lines = lines.newest(most, |_, _| true);
        lines.retain(|line| line.points.iter().any(Option::is_some));
        Some(Saved { end, lines })
    }

    /// What an earlier run saved, before anything is sampled in this one. Gaps are the time in between.
    pub fn restore(&self, saved: &Saved) {
        let mut lines = self.lines();
        if lines.end.is_some() || saved.end == 0 {
            return;
        }
        let step = POINTS as u64;
        lines.step = step;
        lines.end = Some(of_millis(saved.end));
        for line in saved.lines.iter().take(SERVERS) {
            let name = (PoolName::new(&line.pool), ServerName::new(&line.server));
            let points = line.points.iter().rev().take(POINTS).rev().copied();
            lines.series.insert(name, Series::earlier(points, step));
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Saved {
    /// What was saved bit by bit, in that order, as one.
    pub fn joined(pieces: impl IntoIterator<Item = Self>) -> Self {
        let pieces: Vec<Self> = pieces.into_iter().collect();
        let end = pieces.iter().map(|piece| piece.end).max().unwrap_or(0);
        let mut joined: BTreeMap<(String, String), Vec<Option<Point>>> = BTreeMap::new();
        for piece in pieces {
            let after = steps(Duration::from_millis(end - piece.end));
            for line in piece.lines {
                let name = (line.pool, line.server);
                if joined.len() >= SERVERS && !joined.contains_key(&name) {
                    continue;
                }
                let whole = joined.entry(name).or_insert_with(|| vec![None; POINTS]);
                for (back, point) in line.points.into_iter().rev().enumerate() {
                    let place = POINTS.checked_sub(1 + back.saturating_add(after));
                    if let (Some(place), Some(point)) = (place, point) {
                        whole[place] = Some(point);
                    }
                }
            }
        }
        let lines = joined.into_iter().map(|((pool, server), points)| {
            let first = points.iter().position(Option::is_some);
            let points = points[first.unwrap_or(POINTS)..].to_vec();
            Line {
                pool,
                server,
                points,
            }
        });
        let lines = lines.filter(|line| !line.points.is_empty()).collect();
        Self { end, lines }
    }
}

impl Lines {
    fn newest(&self, most: usize, wanted: impl Fn(&PoolName, &ServerName) -> bool) -> Vec<Line> {
        let most = most.min(POINTS);
        let all = self.series.iter();
        let all = all.filter(|((pool, server), _)| wanted(pool, server));
        all.map(|((pool, server), series)| Line {
            pool: pool.to_string(),
            server: server.to_string(),
            points: series.until(self.step, most),
        })
        .collect()
    }

    /// Whole steps since the last one, to the nearest; a sampler that was late has missed some.
    fn steps_until(&self, now: SystemTime) -> u64 {
        let passed = self.end.and_then(|end| now.duration_since(end).ok());
        steps(passed.unwrap_or_default()).min(POINTS) as u64
    }
}

/// To the nearest.
fn steps(passed: Duration) -> usize {
    let halves = passed.as_millis() * 2 / STEP.as_millis();
    usize::try_from(halves.div_ceil(2)).unwrap_or(usize::MAX)
}

/// How often counters are looked at.
pub const STEP: Duration = Duration::from_secs(10);
/// Most servers that have a line: 40 MB of points. Others have none.
const SERVERS: usize = 4_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn sample(lines: &Timelines, seconds: u64, opened: u64, servers: &[&str]) {
        let pool = PoolName::new("hive");
        let names: Vec<_> = servers.iter().map(|name| ServerName::new(name)).collect();
        let figures = Figures {
            opened,
            ..Figures::default()
        };
        lines.sample(at(seconds), names.iter().map(|name| (&pool, name, figures)));
    }

    fn opened(lines: &Timelines) -> Vec<Vec<Option<u32>>> {
        let (_, all) = lines.of(POINTS, |_, _| true);
        let of = |line: &Line| {
            line.points
                .iter()
                .map(|point| point.map(|one| one.opened))
                .collect()
        };
        all.iter().map(of).collect()
    }

    #[test]
    fn lines_end_together() {
        let lines = Timelines::default();
        sample(&lines, 0, 1, &["a", "b"]);
        sample(&lines, 10, 3, &["a"]);
        // Late by less than half a step, then by two and a half.
        sample(&lines, 24, 3, &["a", "c"]);
        sample(&lines, 58, 4, &["a", "b"]);
        let gap = [Some(1), Some(2), Some(0), None, None, Some(1)];
        assert_eq!(opened(&lines)[0], gap);
        assert_eq!(
            opened(&lines)[1],
            [Some(1), None, None, None, None, Some(3)]
        );
        assert_eq!(opened(&lines)[2], [Some(3), None, None, None]);
        sample(&lines, 58 + 3_600, 5, &["a"]);
        assert_eq!(opened(&lines).len(), 1);
    }

    #[test]
    fn a_later_run_goes_on_after_the_time_in_between() {
        let before = Timelines::default();
        sample(&before, 0, 1, &["a"]);
        sample(&before, 10, 3, &["a"]);
        let saved = serde_json::to_string(&before.save(0).expect("two points")).expect("JSON");
        let after = Timelines::default();
        after.restore(&serde_json::from_str(&saved).expect("read"));
        assert_eq!(opened(&after), [[Some(1), Some(2)]]);
        // Counters begin at nothing there.
        sample(&after, 40, 2, &["a"]);
        assert_eq!(opened(&after), [[Some(1), Some(2), None, None, Some(2)]]);
        // Too late: what runs is not overwritten.
        after.restore(&Saved::default());
        after.restore(&before.save(0).expect("two points"));
        assert_eq!(opened(&after)[0].len(), 5);
    }

    #[test]
    fn what_is_saved_bit_by_bit_comes_back_as_one() {
        let before = Timelines::default();
        let (mut pieces, mut reached) = (Vec::new(), 0);
        for step in 0..9 {
            let servers: &[&str] = if step == 4 { &["a"] } else { &["a", "b"] };
            sample(&before, step * 10, step * step, servers);
            if step % 3 == 2 {
                let piece = before.save(reached).expect("three points");
                assert!(piece.lines.iter().all(|line| line.points.len() == 3) || reached == 0);
                reached = piece.end;
                pieces.push(piece);
            }
        }
        assert_eq!(before.save(reached), None, "nothing is newer");
        let json = |piece| serde_json::to_string(&piece).expect("JSON");
        let read = pieces.into_iter().map(json);
        let read = read.map(|text| serde_json::from_str(&text).expect("read"));
        let after = Timelines::default();
        after.restore(&Saved::joined(read));
        assert_eq!(
            after.of(POINTS, |_, _| true),
            before.of(POINTS, |_, _| true)
        );
    }

    #[test]
    fn servers_beyond_the_bound_have_no_line() {
        let lines = Timelines::default();
        let names: Vec<_> = (0..SERVERS + 5)
            .map(|number| format!("s{number}"))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        sample(&lines, 0, 1, &names);
        assert_eq!(opened(&lines).len(), SERVERS);
    }
}

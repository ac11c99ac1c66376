//! How long things took, in few bytes: counts by length of time, from which any percentile is read.
//!
//! A time falls into one of [`BUCKETS`] buckets: sixteen of equal width between each power of two of microseconds and
//! the next. The middle of a bucket is at most 1/32 away from each time in it, so every percentile is true to 3.2
//! percent, or to a microsecond below 16 of them. Two [`Sketch`]es are merged by adding their counts, which loses nothing: a
//! day is the sum of its hours. [`LiveSketch`] is the one that sessions write, an atomic add each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Counts that all workers add to.
pub struct LiveSketch(Box<[AtomicU32]>);

/// Counts by bucket, ascending; empty ones are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch(Vec<(u16, u64)>);

impl LiveSketch {
    /// Something took this long.
    pub fn observe(&self, took: Duration) {
        self.0[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub fn take(&self) -> Sketch {
        let counted = self.0.iter().zip(0..).filter_map(|(count, bucket)| {
            // Most are 0, and stay in the caches of whoever writes them.
            let some = count.load(Ordering::Relaxed) > 0;
            some.then(|| (bucket, count.swap(0, Ordering::Relaxed).into()))
        });
        Sketch(counted.collect())
    }
}

impl Default for LiveSketch {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Sketch {
    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut place = 0;
        for (bucket, count) in &other.0 {
            while self.0.get(place).is_some_and(|(own, _)| own < bucket) {
                place += 1;
            }
            self.put(place, *bucket, *count);
        }
    }

    /// The time that `percent` of all did not exceed, true to 3.2 percent; `None` where nothing was counted.
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let wanted = (self.count() * u64::from(percent)).div_ceil(100).max(1);
        let mut below = 0;
        let found = self.0.iter().find(|(_, count)| {
            below += *count;
            below >= wanted
        });
        found.map(|(bucket, _)| middle(*bucket))
    }

    /// Bucket and count, ascending; for whoever writes it down.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = (u16, u64)> {
        self.0.iter().copied()
    }

    /// Adds to one bucket; one that no time falls into counts as the last.
    pub fn add(&mut self, bucket: u16, count: u64) {
        let last = u16::try_from(BUCKETS - 1).unwrap_or(u16::MAX);
        let bucket = bucket.min(last);
        let place = self.0.partition_point(|(own, _)| *own < bucket);
        self.put(place, bucket, count);
    }

    /// `place` is where the bucket is, or belongs.
    fn put(&mut self, place: usize, bucket: u16, count: u64) {
        match self.0.get_mut(place) {
            Some((own, sum)) if *own == bucket => *sum = sum.saturating_add(count),
            _ => self.0.insert(place, (bucket, count)),
        }
    }
}

fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let micros = micros.min(LONGEST);
    if micros < WITHIN {
        return usize::try_from(micros).unwrap_or_default();
    }
    let power = micros.ilog2();
    let step = (micros >> (power - WITHIN_BITS)) % WITHIN;
    let bucket = u64::from(power - WITHIN_BITS + 1) * WITHIN + step;
    usize::try_from(bucket).unwrap_or(BUCKETS - 1)
}

fn middle(bucket: u16) -> Duration {
    let bucket = u64::from(bucket);
    if bucket < WITHIN {
        return Duration::from_micros(bucket);
    }
    let shift = bucket / WITHIN - 1;
    let low = (WITHIN + bucket % WITHIN) << shift;
    Duration::from_micros(low + (1 << shift) / 2)
}

/// Buckets between a power of two and the next.
const WITHIN: u64 = 1 << WITHIN_BITS;
const WITHIN_BITS: u32 = 4;
/// Some nineteen hours; what takes longer counts as that.
const LONGEST: u64 = (1 << 36) - 1;
/// Sixteen for the first microseconds, then sixteen for each power of two from the fourth to the 35th.
const BUCKETS: usize = 16 * 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_true_to_the_bound_that_is_told() {
        let mut micros = 1u64;
        while micros < LONGEST {
            let live = LiveSketch::default();
            live.observe(Duration::from_micros(micros));
            let read = live.take().percentile(50).expect("one was counted");
            let off = read.as_micros().abs_diff(u128::from(micros));
            let bound = u128::from(micros).div_ceil(32).max(1);
            assert!(off <= bound, "{micros} µs read as {read:?}");
            micros += micros.div_ceil(7);
        }
    }

    #[test]
    fn percentiles_of_a_thousand_times() {
        let live = LiveSketch::default();
        for millis in 1..=1000 {
            live.observe(Duration::from_millis(millis));
        }
        let sketch = live.take();
        assert_eq!(sketch.count(), 1000);
        for (percent, millis) in [(50, 500.0), (90, 900.0), (99, 990.0), (100, 1000.0)] {
            let read = sketch.percentile(percent).expect("counted").as_secs_f64() * 1000.0;
            assert!((read - millis).abs() / millis < 0.033, "p{percent}: {read}");
        }
        assert_eq!(live.take(), Sketch::default(), "taken once");
        assert_eq!(Sketch::default().percentile(99), None);
    }

    #[test]
    fn hours_add_up_to_their_day() {
        let (all, hours) = (
            LiveSketch::default(),
            [(); 24].map(|()| LiveSketch::default()),
        );
        for (count, hour) in (1..=2400u64).zip(hours.iter().cycle()) {
            let took = Duration::from_micros(count * count);
            all.observe(took);
            hour.observe(took);
        }
        let mut day = Sketch::default();
        hours.iter().for_each(|hour| day.merge(&hour.take()));
        assert_eq!(day, all.take());
    }

    #[test]
    fn what_takes_for_ever_and_what_was_written_by_another_have_a_bucket() {
        let live = LiveSketch::default();
        live.observe(Duration::MAX);
        let mut sketch = live.take();
        sketch.add(u16::MAX, 1);
        assert_eq!(sketch.counts().collect::<Vec<_>>(), [(527, 2)]);
    }
}

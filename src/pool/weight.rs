//! What a server weighs that came up a moment ago: slow start. Pure.
//!
//! Its weight grows in [`STEPS`] equal steps over `slow_start`. Balancers know nothing but weights, so each of them follows:
//! turns, ranks, draws and the bound of source-hash. Weights are whole numbers and most are 1, so while somebody has less
//! than the whole of its weight all weights of the pool are told in finer units; while nobody has, they are what they are.

use std::time::Duration;

/// Equal steps from almost nothing to the whole weight.
pub(super) const STEPS: u32 = 16;

/// How many steps a server has reached that came up so long ago; `None`: it always was.
pub(super) fn step(up_for: Option<Duration>, slow_start: Duration) -> u32 {
    match up_for {
        Some(up_for) if up_for < slow_start => {
            let reached = up_for.as_nanos() * u128::from(STEPS) / slow_start.as_nanos();
            u32::try_from(reached).map_or(STEPS, |reached| (reached + 1).min(STEPS))
        }
        _ => STEPS,
    }
}

/// When its weight grows next.
pub(super) fn next_step(up_for: Option<Duration>, slow_start: Duration) -> Option<Duration> {
    let up_for = up_for?;
    let reached = step(Some(up_for), slow_start);
    (reached < STEPS).then(|| (slow_start * reached / STEPS).saturating_sub(up_for))
}

/// Of a weight: of [`WHOLE`] parts.
pub(super) type Share = u32;

/// The whole weight.
pub(super) const WHOLE: Share = STEPS * 100;

/// What is left of a weight at a step of slow start, for a server that says it bears `percent` of it.
pub(super) fn share(step: u32, percent: u8) -> Share {
    step * u32::from(percent)
}

/// The weights that balancers see.
pub(super) fn eased(servers: &[(u16, Share)]) -> Vec<u16> {
    if servers.iter().all(|(_, share)| *share == WHOLE) {
        return servers.iter().map(|(weight, _)| *weight).collect();
    }
    let parts = servers.iter();
    let parts: Vec<u64> = parts
        .map(|(weight, share)| u64::from(*weight) * u64::from(*share))
        .collect();
    let common = parts.iter().copied().fold(0, common_divisor).max(1);
    let largest = parts.iter().max().copied().unwrap_or(0) / common;
    let total = parts.iter().sum::<u64>() / common;
    let coarse = largest.div_ceil(u64::from(u16::MAX));
    let unit = common * coarse.max(total.div_ceil(FINE)).max(1);
    let eased = |parts: &u64| u16::try_from((parts / unit).max(1)).unwrap_or(u16::MAX);
    parts.iter().map(eased).collect()
}

fn common_divisor(one: u64, other: u64) -> u64 {
    match other {
        0 => one,
        _ => common_divisor(other, one % other),
    }
}

/// Where weights sum up to more, they are told more coarsely; the layout of round-robin is as long as their sum.
const FINE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::WEIGHT_MAX;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_weight_grows_by_equal_steps() {
        for (seconds, expected, next) in [
            (0.0, 1, Some(3.75)),
            (3.74, 1, Some(0.01)),
            (3.75, 2, Some(3.75)),
            (30.0, 9, Some(3.75)),
            (56.24, 15, Some(0.01)),
            (56.25, 16, None),
            (60.0, 16, None),
            (1e6, 16, None),
        ] {
            let up_for = Some(Duration::from_secs_f64(seconds));
            assert_eq!(step(up_for, MINUTE), expected, "{seconds}");
            let due = next_step(up_for, MINUTE).map(|due| due.as_millis());
            let next = next.map(|next: f64| (next * 1e3).round() as u128);
            assert_eq!(due, next, "{seconds}");
        }
        assert_eq!((step(None, MINUTE), next_step(None, MINUTE)), (STEPS, None));
        assert_eq!(
            step(Some(Duration::ZERO), Duration::ZERO),
            STEPS,
            "turned off"
        );
    }

    #[test]
    fn weights_are_as_they_are_while_nobody_has_less() {
        let whole = share(16, 100);
        assert_eq!(eased(&[(2, whole), (6, whole)]), [2, 6]);
        assert_eq!(eased(&[(1, whole), (3, share(1, 100))]), [16, 3]);
        assert_eq!(eased(&[(1, share(8, 100)), (1, whole)]), [1, 2]);
        assert_eq!(eased(&[(1, share(16, 37)), (1, whole)]), [37, 100]);
        assert_eq!(eased(&[(1, share(16, 1)), (256, whole)]), [1, 25_600]);
        assert_eq!(eased(&[(2, share(4, 50)), (1, whole)]), [1, 4]);
        assert_eq!(eased(&[]), [0; 0]);
    }

    proptest! {
        #[test]
        fn a_share_is_that_of_weight_and_step(servers in prop::collection::vec((1..=WEIGHT_MAX, 1..=WHOLE), 1..50)) {
            let weights = eased(&servers);
            let parts = |(weight, share): &(u16, Share)| f64::from(*weight) * f64::from(*share);
            let total: f64 = servers.iter().map(parts).sum();
            let told: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
            prop_assert!(told <= FINE as f64 + servers.len() as f64);
            for (eased, server) in weights.iter().zip(&servers) {
                let (is, must) = (f64::from(*eased) / told, parts(server) / total);
                // One part of the largest weight is lost at most, or a weight that is less than one.
                prop_assert!((is - must).abs() < 2e-4 + 0.02 * must, "{is} {must}");
            }
        }
    }
}

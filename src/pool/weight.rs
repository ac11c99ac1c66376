//! What a server weighs that came up a moment ago: slow start. Pure.
//!
//! Its weight grows in [`STEPS`] equal steps over `slow_start`. Balancers know nothing but weights, so each of them follows:
//! turns, ranks, draws and the bound of source-hash. Weights are whole numbers and most are 1, so while somebody is new all
//! weights of the pool are told in units of a step; while nobody is, they are what they are.

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

/// The weights that balancers see, from weight and step.
pub(super) fn eased(servers: &[(u16, u32)]) -> Vec<u16> {
    let total: u64 = servers.iter().map(|(weight, _)| u64::from(*weight)).sum();
    let anew = servers.iter().any(|(_, step)| *step < STEPS);
    let units = match anew && total <= FINE {
        true => STEPS,
        false => 1,
    };
    let eased = |(weight, step): &(u16, u32)| {
        let eased = u32::from(*weight) * units * step / STEPS;
        u16::try_from(eased.max(1)).unwrap_or(u16::MAX)
    };
    servers.iter().map(eased).collect()
}

/// Where weights sum up to more, they are fine enough; the layout of round-robin is as long as their sum.
const FINE: u64 = 65_536;

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
    fn weights_are_as_they_are_while_nobody_is_new() {
        assert_eq!(eased(&[(1, 16), (3, 16)]), [1, 3]);
        assert_eq!(eased(&[(1, 16), (3, 1)]), [16, 3]);
        assert_eq!(eased(&[(1, 8), (1, 16)]), [8, 16]);
    }

    proptest! {
        #[test]
        fn a_share_is_that_of_weight_and_step(servers in prop::collection::vec((1..=WEIGHT_MAX, 1..=STEPS), 1..50)) {
            let weights = eased(&servers);
            let anew = servers.iter().any(|(_, step)| *step < STEPS);
            for (eased, (weight, step)) in weights.iter().zip(&servers) {
                let whole = u32::from(*weight) * if anew { step } else { &1 };
                prop_assert_eq!(u32::from(*eased), whole);
            }
        }
    }
}

//! How long to wait after an attempt that failed. Pure.

use std::time::Duration;

/// After `failures` attempts in a row; `chance` is from 0 to 1. Doubles up to a minute, and half of it is chance, so that
/// many howdahs do not come back to a receiver at once. `wanted`: what the receiver asked for counts, up to an hour.
pub(super) fn pause(failures: u32, chance: f64, wanted: Option<Duration>) -> Duration {
    let doubled = FIRST * 2_u32.pow(failures.saturating_sub(1).min(10));
    let whole = doubled.min(LONGEST);
    let own = whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
    wanted.map_or(own, |wanted| wanted.min(LONGEST_WANTED).max(own))
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
const LONGEST_WANTED: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_minute_and_a_receiver_may_ask_for_more() {
        let second = Duration::from_secs;
        for (failures, chance, wanted, expected) in [
            (1, 1.0, None, second(1)),
            (1, 0.0, None, Duration::from_millis(500)),
            (4, 1.0, None, second(8)),
            (400, 1.0, None, second(60)),
            (1, 1.0, Some(second(30)), second(30)),
            (9, 1.0, Some(second(1)), second(60)),
            (1, 1.0, Some(second(86_400)), second(3600)),
        ] {
            assert_eq!(pause(failures, chance, wanted), expected, "{failures}");
        }
    }
}

//! What a database says of its copy of another, and what that means for whoever reads there. Pure.
//!
//! No server tells its lag well. One that copies nothing new looks current, one whose source is idle looks hours late, and one
//! that has lost its source often says nothing. So it is remembered when a copy was last known to be current: it cannot be
//! further behind than the time since then, and where nobody knows better, it is taken to be just that.

use std::time::Duration;

use tokio::time::Instant;

use super::trace::Answer;
use crate::base::unit::show_duration;
use crate::health::Reason;
use crate::plan::Role;

/// What one answer told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replica {
    /// How far it is behind, by its own word.
    pub(super) lag: Option<Duration>,
    /// That it copies no more, in its own words.
    pub(super) broken: Option<String>,
    /// Why its source is out of reach, or the like.
    pub(super) note: String,
}

/// Until when a copy was current. Kept from question to question.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fresh(Option<Instant>);

/// The standby's answer, at `now`.
pub(super) fn judge(
    replica: &Replica,
    most: Option<Duration>,
    fresh: &mut Fresh,
    now: Instant,
) -> Answer {
    let lag = fresh.learn(replica.lag, now);
    let answer = match (&replica.broken, most, lag) {
        (Some(why), _, _) => Answer::alive(Reason::ReplicaBroken, why),
        (None, Some(most), Some(lag)) if lag > most => {
            let text = format!("{} behind, {} at most", shown(lag), show_duration(most));
            Answer::alive(Reason::ReplicaLag, &noted(&text, replica))
        }
        (None, Some(_), None) => {
            let text = "nobody knows how far it is behind";
            Answer::alive(Reason::ReplicaLag, &noted(text, replica))
        }
        (None, _, Some(lag)) => {
            let text = format!("standby, {} behind", shown(lag));
            Answer::up_because(&noted(&text, replica))
        }
        (None, None, None) => Answer::up_because(&noted("standby", replica)),
    };
    Answer {
        role: Some(Role::Standby),
        ..answer
    }
}

impl Fresh {
    /// The lag, as far as it is known.
    fn learn(&mut self, told: Option<Duration>, now: Instant) -> Option<Duration> {
        let since = self.0.map(|current| now.saturating_duration_since(current));
        let lag = match (told, since) {
            (Some(told), Some(since)) => Some(told.min(since)),
            (told, since) => told.or(since),
        };
        // Before the clock began nothing can be remembered; a lag of that size is the server's own word each time.
        self.0 = lag.and_then(|lag| now.checked_sub(lag)).or(self.0);
        lag
    }
}

/// To a tenth of a second: finer is nobody's concern.
fn shown(lag: Duration) -> String {
    format!("{:.1} s", lag.as_secs_f64())
}

fn noted(text: &str, replica: &Replica) -> String {
    match replica.note.as_str() {
        "" => text.to_owned(),
        note => format!("{text}: {note}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Verdict;

    const SECOND: Duration = Duration::from_secs(1);

    fn told(seconds: u64) -> Replica {
        Replica {
            lag: Some(SECOND * u32::try_from(seconds).unwrap()),
            ..Replica::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lag_counts_from_when_the_copy_was_current() {
        // A clock that has run for a while.
        tokio::time::advance(SECOND * 100_000).await;
        let mut fresh = Fresh::default();
        let most = Some(SECOND * 10);
        let mut ask = |replica: &Replica| {
            let answer = judge(replica, most, &mut fresh, Instant::now());
            assert_eq!(answer.role, Some(Role::Standby));
            (answer.verdict, answer.reason)
        };
        let (up, late) = (
            (Verdict::Up, Reason::Ok),
            (Verdict::Alive, Reason::ReplicaLag),
        );
        // Nothing is known before: its word counts, an hour as well as nothing.
        assert_eq!(ask(&told(3600)), late);
        assert_eq!(ask(&Replica::default()), late);
        assert_eq!(ask(&told(0)), up);
        // An idle source: the last transaction is an hour old, but the copy was current a moment ago.
        tokio::time::advance(SECOND * 5).await;
        assert_eq!(ask(&told(3600)), up);
        // The source is gone, and nothing is told.
        assert_eq!(ask(&Replica::default()), up);
        tokio::time::advance(SECOND * 6).await;
        assert_eq!(ask(&Replica::default()), late);
        assert_eq!(ask(&told(2)), up);
        tokio::time::advance(SECOND * 9).await;
        assert_eq!(ask(&Replica::default()), late);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_a_standby_is_up_as_long_as_it_copies() {
        let mut fresh = Fresh::default();
        let now = Instant::now();
        let answer = judge(&Replica::default(), None, &mut fresh, now);
        assert_eq!(
            (answer.verdict, answer.detail.as_str()),
            (Verdict::Up, "standby")
        );
        let answer = judge(&told(90), None, &mut fresh, now);
        assert_eq!(answer.detail, "standby, 90.0 s behind");
        let broken = Replica {
            broken: Some("the SQL thread has stopped".into()),
            ..told(0)
        };
        let answer = judge(&broken, None, &mut fresh, now);
        assert_eq!(answer.reason, Reason::ReplicaBroken);
        assert_eq!(answer.verdict, Verdict::Alive);
    }
}

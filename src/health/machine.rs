//! From verdicts to health: one pure step.
//!
//! | health  | up                 | alive   | down               |
//! |---------|--------------------|---------|--------------------|
//! | unknown | up at once         | alive   | down at once       |
//! | up      | stays              | alive   | down after `fall`  |
//! | alive   | up after `rise`    | stays   | down after `fall`  |
//! | down    | up after `rise`    | alive   | stays              |
//!
//! `rise` and `fall` count verdicts in a row: another one in between starts the count anew. *Alive* takes effect
//! at once, whatever was before: a server that says "no new sessions" is believed the first time, and to
//! learn that a dead one answers again routes nothing to it.

use super::Verdict;
use crate::pool::Health;

/// How many agreeing verdicts it takes. Both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// To bring a server back.
    pub rise: u32,
    /// To take it out.
    pub fall: u32,
}

/// What is concluded, and what is leaning against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    health: Health,
    /// The verdict that says otherwise, and how often in a row.
    streak: Option<(Verdict, u32)>,
}

/// The conclusion changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// It was this.
    pub from: Health,
    /// It is this.
    pub to: Health,
}

impl State {
    /// What a checker begins with.
    pub fn new(health: Health) -> Self {
        Self {
            health,
            streak: None,
        }
    }

    /// The conclusion.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Whether more verdicts are wanted soon: there is none yet, or a streak is under way.
    pub fn is_undecided(&self) -> bool {
        self.health == Health::Unknown || self.streak.is_some()
    }
}

/// Takes one verdict in. The table of this module's documentation.
pub fn step(state: State, verdict: Verdict, rule: &Rule) -> (State, Option<Transition>) {
    let to = Health::from(verdict);
    if state.health == to {
        return (State::new(to), None);
    }
    let needed = match (state.health, verdict) {
        (Health::Unknown, _) | (_, Verdict::Alive) => 1,
        (_, Verdict::Up) => rule.rise,
        (_, Verdict::Down) => rule.fall,
    };
    let before = state.streak.filter(|(other, _)| *other == verdict);
    let count = before.map_or(0, |(_, count)| count) + 1;
    if count < needed {
        let streak = Some((verdict, count));
        return (State { streak, ..state }, None);
    }
    let from = state.health;
    (State::new(to), Some(Transition { from, to }))
}

impl From<Verdict> for Health {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Up => Self::Up,
            Verdict::Alive => Self::Alive,
            Verdict::Down => Self::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { rise: 2, fall: 3 };
    const VERDICTS: [Verdict; 3] = [Verdict::Up, Verdict::Alive, Verdict::Down];

    /// How many of the same verdict in a row it takes; 0: never, as it is that already.
    #[test]
    fn every_health_and_verdict() {
        let table = [
            (Health::Unknown, [1, 1, 1]),
            (Health::Up, [0, 1, 3]),
            (Health::Alive, [2, 0, 3]),
            (Health::Down, [2, 1, 0]),
        ];
        for (from, needed) in table {
            for (verdict, needed) in VERDICTS.into_iter().zip(needed) {
                let mut state = State::new(from);
                for count in 1..10 {
                    let (next, transition) = step(state, verdict, &RULE);
                    let to = Health::from(verdict);
                    let due = count == needed;
                    assert_eq!(
                        transition,
                        due.then_some(Transition { from, to }),
                        "{from} {count} {to}"
                    );
                    assert_eq!(next.health(), if count >= needed { to } else { from });
                    let settled = needed == 0 || count >= needed;
                    assert_eq!(next.is_undecided(), !settled, "{from} {count} {to}");
                    state = next;
                }
            }
        }
    }

    #[test]
    fn a_contrary_verdict_starts_the_count_anew() {
        use Verdict::{Alive, Down, Up};
        let table: [(Health, &[Verdict], Health); 5] = [
            (Health::Up, &[Down, Down, Up, Down, Down], Health::Up),
            (Health::Down, &[Up, Down, Up], Health::Down),
            (
                Health::Alive,
                &[Up, Down, Up, Down, Down, Alive, Up],
                Health::Alive,
            ),
            (Health::Alive, &[Down, Down, Up, Up], Health::Up),
            (Health::Up, &[Down, Down, Alive, Down, Down], Health::Alive),
        ];
        for (from, verdicts, to) in table {
            let fold = |state, verdict: &Verdict| step(state, *verdict, &RULE).0;
            let end = verdicts.iter().fold(State::new(from), fold);
            assert_eq!(end.health(), to, "{from} {verdicts:?}");
        }
    }

    #[test]
    fn a_rule_of_one_decides_at_once() {
        let rule = Rule { rise: 1, fall: 1 };
        for verdict in VERDICTS {
            for from in [Health::Up, Health::Alive, Health::Down] {
                let (state, _) = step(State::new(from), verdict, &rule);
                assert_eq!(state.health(), Health::from(verdict));
            }
        }
    }
}

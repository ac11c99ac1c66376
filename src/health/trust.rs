//! What is believed of a server for what its sessions saw beyond the reach of its probe. Pure.
//!
//! | trust    | what sessions did                | becomes                                   |
//! |----------|----------------------------------|-------------------------------------------|
//! | full     | `fall` failures in a row         | out, for as long as its strikes say       |
//! | out      | whatever they did                | on trial, when its time is over           |
//! | on trial | one failure more                 | out again, for longer                     |
//! | on trial | a success                        | full                                      |
//!
//! Nobody can be asked whether a server is better that takes connections and serves nobody: hence the time, and the trial.

use tokio::time::Instant;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing against it.
    #[default]
    Full,
    /// Takes no sessions until then.
    Out(Instant),
    /// Takes sessions again; so many failures in a row stood against it when it came back.
    Trial(u32),
}

impl Trust {
    /// Whether the server may take sessions.
    pub(super) fn holds(self) -> bool {
        !matches!(self, Self::Out(_))
    }

    /// Whether so many failures in a row are reason to take the server out.
    pub(super) fn is_broken_by(self, seen: u32, fall: u32) -> bool {
        match self {
            Self::Full => seen >= fall,
            Self::Out(_) => false,
            Self::Trial(stood) => seen > stood,
        }
    }

    /// What time and successes make of it.
    pub(super) fn next(self, seen: u32, now: Instant) -> Self {
        match self {
            Self::Out(until) if now >= until => Self::Trial(seen),
            Self::Trial(_) if seen == 0 => Self::Full,
            trust => trust,
        }
    }

    /// When it changes by time alone.
    pub(super) fn due(self) -> Option<Instant> {
        match self {
            Self::Out(until) => Some(until),
            Self::Full | Self::Trial(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_row_of_the_table() {
        let now = Instant::now();
        let later = now + Duration::from_secs(10);
        assert!(!Trust::Full.is_broken_by(2, 3) && Trust::Full.is_broken_by(3, 3));
        assert!(!Trust::Out(later).is_broken_by(99, 3));
        assert!(!Trust::Trial(3).is_broken_by(3, 3) && Trust::Trial(3).is_broken_by(4, 3));
        for (trust, seen, at, becomes) in [
            (Trust::Full, 2, later, Trust::Full),
            (Trust::Out(later), 0, now, Trust::Out(later)),
            (Trust::Out(later), 5, later, Trust::Trial(5)),
            (Trust::Trial(5), 5, later, Trust::Trial(5)),
            (Trust::Trial(5), 0, later, Trust::Full),
        ] {
            assert_eq!(trust.next(seen, at), becomes, "{trust:?} {seen}");
            assert_eq!(trust.holds(), !matches!(trust, Trust::Out(_)));
        }
    }
}

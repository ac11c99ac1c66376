//! What is concluded of one server, told from docs/operating/health.md: streaks of verdicts, and time out for who misbehaves.

use std::time::Duration;

use howdah::health::Verdict;
use howdah::plan::ProbePlan;
use howdah::pool::Health;
use tokio::time::Instant;

/// Of one server, since its probe was set up.
#[derive(Clone, Copy)]
pub(crate) struct Care {
    /// What probes alone say.
    probed: Health,
    /// Verdicts of one kind in a row.
    row: Option<(Verdict, u32)>,
    /// It went down by its probes again and again: until when it is out for that.
    held: Option<Instant>,
    falls: Repeats,
    /// Its sessions failed in a row: until when it is out for that.
    distrusted: Option<Instant>,
    /// It is back from that, and had so many failures in a row when it came.
    trial: Option<u32>,
    breaches: Repeats,
}

/// How often it went out without holding in between.
#[derive(Clone, Copy, Default)]
struct Repeats {
    count: u32,
    back: Option<Instant>,
}

impl Care {
    pub(crate) fn new(health: Health) -> Self {
        Self {
            probed: health,
            row: None,
            held: None,
            falls: Repeats::default(),
            distrusted: None,
            trial: None,
            breaches: Repeats::default(),
        }
    }

    /// One verdict more. See the table of `health::machine`.
    pub(crate) fn hear(&mut self, verdict: Verdict, plan: &ProbePlan) {
        let before = self.row.filter(|(kind, _)| *kind == verdict);
        let count = before.map_or(1, |(_, count)| count + 1);
        self.row = Some((verdict, count));
        let (to, needed) = match verdict {
            Verdict::Up => (Health::Up, plan.rise),
            Verdict::Alive => (Health::Alive, 1),
            Verdict::Down => (Health::Down, plan.fall),
        };
        if self.probed == Health::Unknown || count >= needed {
            self.probed = to;
        }
    }

    /// Whether so many failed sessions in a row are too many.
    pub(crate) fn is_broken_by(&self, failures: u32, fall: u32) -> bool {
        let most = self.trial.unwrap_or(fall - 1);
        self.distrusted.is_none() && failures > most
    }

    /// Out for what sessions saw; false where there is no quarantine.
    pub(crate) fn distrust(&mut self, now: Instant, base: Duration) -> bool {
        let stay = self.breaches.stay(now, base, 1);
        if let Some(stay) = stay {
            (self.distrusted, self.trial) = (Some(now + stay), None);
        }
        stay.is_some()
    }

    pub(crate) fn is_distrusted(&self) -> bool {
        self.distrusted.is_some()
    }

    /// Time heals, and an answered session ends a trial.
    pub(crate) fn review(&mut self, failures: u32, now: Instant) {
        if self.distrusted.is_some_and(|until| now >= until) {
            self.distrusted = None;
            self.trial = Some(failures);
            self.breaches.back = Some(now);
        } else if failures == 0 {
            self.trial = None;
        }
        self.held = self.held.filter(|until| now < *until);
    }

    /// The health that follows, if it is not what the pool was `told`.
    pub(crate) fn conclude(
        &mut self,
        told: Health,
        now: Instant,
        base: Duration,
    ) -> Option<Health> {
        let is_out = self.held.is_some() || self.distrusted.is_some();
        let to = match self.probed {
            Health::Up if is_out => Health::Down,
            probed => probed,
        };
        if to == told {
            return None;
        }
        if to == Health::Up {
            self.falls.back = Some(now);
        }
        if told == Health::Up && self.probed == Health::Down {
            self.held = self.falls.stay(now, base, 3).map(|stay| now + stay);
        }
        Some(to)
    }

    /// Until when it takes no sessions, whatever its probes say.
    pub(crate) fn out_until(&self, now: Instant) -> Option<Instant> {
        self.keeps_until().filter(|until| now < *until)
    }

    pub(crate) fn keeps_until(&self) -> Option<Instant> {
        self.held.into_iter().chain(self.distrusted).max()
    }
}

impl Repeats {
    /// Out once more: from the time `first` on for `base`, then for twice as long, and so on to 32 times as much. Who held for
    /// ten times `base` starts anew.
    fn stay(&mut self, now: Instant, base: Duration, first: u32) -> Option<Duration> {
        let held = (self.back.take()).is_none_or(|back| now - back >= base * 10);
        self.count = if held { 1 } else { self.count + 1 };
        let beyond = self.count.checked_sub(first)?;
        let times = [1, 2, 4, 8, 16, 32][beyond.min(5) as usize];
        (base > Duration::ZERO).then(|| base * times)
    }
}

//! What is known at this moment: the model, the clock, and who is watched. Behind one lock, which nobody holds for long.

use std::collections::HashMap;
use std::time::SystemTime;

use tokio::time::Instant;

use super::calendar::Moment;
use super::clock::{Clock, Tick};
use super::model::{Batch, Model};
use super::store::Past;
use super::target::Target;
use super::watched::Watched;
use crate::plan::Goal;
use crate::telemetry::timelines::Timelines;
use crate::telemetry::{Journal, Metrics};

/// See the module.
pub(super) struct Present {
    model: Model,
    clock: Clock,
    /// When this process began to count.
    began: Moment,
    watched: Vec<Watched>,
    /// Totals of sessions that the model knows of.
    counters: HashMap<Target, (u64, u64)>,
    stopping: bool,
    stopped: bool,
    journal: Journal,
    /// The number of the last event that went into a batch.
    told: u64,
    timelines: Timelines,
    /// The end of the time lines that went into a batch.
    drawn: u64,
}

impl Present {
    pub(super) fn new(wall: SystemTime, steady: Instant, metrics: &Metrics) -> Self {
        let began = wall.into();
        Self {
            model: Model::new(began),
            clock: Clock::new(wall, steady),
            began,
            watched: Vec::new(),
            counters: HashMap::new(),
            stopping: false,
            stopped: false,
            journal: metrics.journal().clone(),
            told: 0,
            timelines: metrics.timelines().clone(),
            drawn: 0,
        }
    }

    pub(super) fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// What was promised of each that is watched.
    pub(super) fn goals(&self) -> Vec<(Target, Option<Goal>)> {
        let watched = self.watched.iter();
        watched.map(|one| (one.target.clone(), one.goal)).collect()
    }

    /// A stop closes listeners one by one, which is no news.
    pub(super) fn follow(&mut self, watched: Vec<Watched>) {
        if self.stopping {
            return;
        }
        self.pass();
        self.read_counters();
        self.watched = watched;
        let watched = &self.watched;
        let is_watched = |target: &Target| watched.iter().any(|one| one.target == *target);
        self.model.retain(is_watched);
        self.counters.retain(|target, _| is_watched(target));
    }

    pub(super) fn stop(&mut self) {
        self.stopping = true;
        self.look();
    }

    /// True from the second time on: the last word is said once.
    pub(super) fn has_stopped(&mut self) -> bool {
        std::mem::replace(&mut self.stopped, true)
    }

    /// Forgets what was counted so far, which another howdah has counted too, and counts from `wall` on.
    pub(super) fn begin_again(&mut self, wall: SystemTime, steady: Instant) {
        self.began = wall.into();
        self.model = Model::new(self.began);
        self.clock = Clock::new(wall, steady);
        self.look();
    }

    /// Takes up what a former howdah left.
    pub(super) fn resume(&mut self, past: Past) {
        self.told = past
            .events
            .last()
            .map_or(self.told, |last| last.seq.max(self.told));
        self.journal.restore(past.events);
        self.timelines.restore(&past.lines);
        self.drawn = self.drawn.max(past.lines.end);
        let Some(former) = past.former else {
            return;
        };
        let watched = &self.watched;
        let is_watched = |target: &Target| watched.iter().any(|one| one.target == *target);
        self.model.resume(former, self.began, is_watched);
    }

    /// Counts the time until now as what all were, then sees what they are.
    pub(super) fn look(&mut self) {
        self.pass();
        for one in &self.watched {
            if self.model.see(&one.target, one.look(self.stopping)) {
                one.show_state(&self.model.state(&one.target));
            }
        }
    }

    /// Everything that was counted since the last one.
    pub(super) fn batch(&mut self) -> Batch {
        self.look();
        self.read_counters();
        let mut batch = self.model.take();
        let news = self.journal.after(self.told, usize::MAX, |_| true);
        self.told = self.told.max(news.last);
        batch.events = news.events;
        batch.lines = self.timelines.save(self.drawn);
        self.drawn = batch.lines.as_ref().map_or(self.drawn, |lines| lines.end);
        batch
    }

    fn pass(&mut self) {
        match self.clock.tick(SystemTime::now(), Instant::now()) {
            Tick::On(moment) => self.model.advance(moment),
            Tick::Set(until, to) => {
                tracing::warn!(
                    from = until.rfc3339(),
                    to = to.rfc3339(),
                    "the clock was set: availability counts on from there, and nothing between"
                );
                self.model.advance(until);
                self.model.jump(to);
            }
        }
    }

    fn read_counters(&mut self) {
        for one in &self.watched {
            // Whoever is watched for the first time brings no past.
            let known = self.counters.get(&one.target).copied();
            let figures = one.figures(known.unwrap_or_else(|| one.totals()));
            self.model.add(&one.target, &figures);
            self.counters.insert(one.target.clone(), one.totals());
        }
    }
}

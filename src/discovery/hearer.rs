//! Makes of what a source says what a pool should know: who its members are, and how old that is.
//!
//! A list that differs from the one before becomes a change of the pool. One that is empty, and silence, change nothing but
//! the pool's freshness; a source that turns silent or speaks again is told once in the log, however often it says so.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Found, Listing};
use crate::base::word::words;
use crate::plan::{PoolName, PoolPlan, ServerName, ServerPlan};
use crate::pool::{Change, Freshness, Pool, Snapshot};
use crate::telemetry::journal::{Event, Kind};

words! {
    /// What an answer of a source brought.
    pub(super) enum Heard {
        /// Other servers than before, or the same with other settings.
        Changed = "changed",
        /// The same.
        Same = "same",
        /// A list of nobody; the last one stays.
        Empty = "empty",
        /// No answer; the last list stays.
        Silent = "silent",
    }
}

/// See the module.
pub(super) struct Hearer {
    pool: Arc<Pool>,
    plan: Arc<PoolPlan>,
    changed: mpsc::Sender<PoolName>,
    /// The list in force, by name, once this source has given one.
    known: Option<Vec<ServerPlan>>,
    /// The last list was one of nobody.
    empty: bool,
    /// What was said of servers and still is.
    warned: HashSet<(ServerName, String)>,
    /// Since the last word; `None` before the first.
    live: Option<bool>,
    heard_at: Option<Instant>,
    heard: Option<SystemTime>,
    /// When it fell silent last, or spoke again.
    turned: Option<Instant>,
}

impl Hearer {
    /// For a source that is asked from now on. What another listed before it is as old as it is.
    pub(super) fn new(
        pool: Arc<Pool>,
        plan: Arc<PoolPlan>,
        changed: mpsc::Sender<PoolName>,
    ) -> Self {
        let before = pool.freshness().and_then(|before| before.heard_at);
        if before.is_some() {
            pool.set_freshness(Freshness {
                live: false,
                heard_at: before,
                why: "not heard yet".to_owned(),
            });
        }
        Self {
            pool,
            plan,
            changed,
            known: None,
            empty: false,
            warned: HashSet::new(),
            live: None,
            heard_at: before,
            heard: None,
            turned: None,
        }
    }

    pub(super) async fn hear(&mut self, listing: Listing) {
        let heard = match listing {
            Listing::Listed(found) => {
                self.empty = found.is_empty();
                match self.empty {
                    true => self.stale("it lists no server", Heard::Empty),
                    false => self.listed(found).await,
                }
            }
            Listing::Same if self.known.is_none() || self.empty => return,
            Listing::Same => self.fresh(Heard::Same),
            Listing::Silent { why } => self.stale(&why, Heard::Silent),
        };
        self.pool.metrics().listed(heard);
    }

    async fn listed(&mut self, found: Vec<Found>) -> Heard {
        self.warn(&found);
        let listed: Vec<ServerPlan> = found.into_iter().map(|one| one.server).collect();
        let mut sorted = listed.clone();
        sorted.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        if self.known.as_ref() == Some(&sorted) {
            return self.fresh(Heard::Same);
        }
        let before = Arc::clone(&self.pool.load());
        // Refused only where howdah ends.
        if !self.enroll(listed).await {
            return Heard::Same;
        }
        self.known = Some(sorted);
        self.tell(&before);
        self.fresh(Heard::Changed)
    }

    /// To the end also where this source is asked no more meanwhile: who became a member must be looked after.
    async fn enroll(&self, listed: Vec<ServerPlan>) -> bool {
        let (pool, changed) = (Arc::clone(&self.pool), self.changed.clone());
        let whole = tokio::spawn(async move {
            let roster = listed.into_iter().map(Arc::new).collect();
            let sent = pool.send(Change::Roster(roster)).await;
            sent.is_ok() && changed.send(pool.name().clone()).await.is_ok()
        });
        whole.await.unwrap_or(false)
    }

    fn fresh(&mut self, heard: Heard) -> Heard {
        let now = Instant::now();
        self.heard_at = Some(now);
        self.heard = Some(SystemTime::now());
        let before = self.live.replace(true);
        if before == Some(false) {
            let lasted = self.lasted(now);
            let (pool, source) = (&self.plan.name, self.source());
            tracing::info!(%pool, %source, "servers are listed again");
            let event = Event::info(
                Kind::Source,
                format!("servers are listed again by {source}"),
            );
            self.report(event.from("stale").to("live").lasted(lasted));
        } else if before.is_none() {
            self.turned = Some(now);
        }
        self.show(true, "");
        heard
    }

    fn stale(&mut self, why: &str, heard: Heard) -> Heard {
        if self.live.replace(false) != Some(false) {
            let lasted = self.lasted(Instant::now());
            let (pool, source) = (&self.plan.name, self.source());
            let servers = self.pool.load().members().len();
            let text = match self.heard_at {
                Some(_) => "no list of servers: the last one stays in force",
                None => "no list of servers yet",
            };
            tracing::warn!(%pool, %source, servers, %why, "{text}");
            let event = Event::warning(Kind::Source, format!("{text}: {source}: {why}"));
            let event = event.to("stale").lasted(lasted).reason(heard);
            self.report(match self.heard_at {
                Some(_) => event.from("live"),
                None => event,
            });
        }
        self.show(false, why);
        heard
    }

    fn show(&self, live: bool, why: &str) {
        let listed = self.pool.load();
        let listed = listed.members().iter().filter(|member| member.listed);
        let metrics = self.pool.metrics();
        metrics.roster(listed.count(), !live, self.heard);
        self.pool.set_freshness(Freshness {
            live,
            heard_at: self.heard_at,
            why: why.to_owned(),
        });
    }

    /// Who came and who went, by name as far as people read.
    fn tell(&self, before: &Snapshot) {
        let after = self.pool.load();
        let ids = |all: &Snapshot| -> HashSet<_> {
            all.members().iter().map(|one| one.server.id()).collect()
        };
        let (were, are) = (ids(before), ids(&after));
        let others = |all: &Snapshot, known: &HashSet<_>| {
            let new = all.members().iter().map(|member| &member.server);
            let names = new.filter(|one| !known.contains(&one.id()));
            names.map(|one| one.name().to_string()).collect::<Vec<_>>()
        };
        let (came, went) = (others(&after, &were), others(before, &are));
        let (pool, source) = (&self.plan.name, self.source());
        tracing::info!(
            %pool, %source, servers = after.members().len(),
            came = few(&came), went = few(&went), "servers are listed"
        );
        let named = |what: &str, names: &[String]| match names {
            [] => String::new(),
            some => format!("; {what}: {}", few(some)),
        };
        let count = after.members().len();
        let (came, went) = (named("came", &came), named("went", &went));
        let text = format!("{source} lists servers, {count} in all{came}{went}");
        self.report(Event::info(Kind::Source, text).to("changed"));
    }

    fn warn(&mut self, found: &[Found]) {
        let mut said = HashSet::new();
        for one in found {
            let (pool, server) = (&self.plan.name, &one.server.name);
            for warning in &one.warnings {
                let known = (server.clone(), warning.clone());
                if !self.warned.contains(&known) {
                    tracing::warn!(%pool, %server, "{warning}");
                }
                said.insert(known);
            }
        }
        self.warned = said;
    }

    /// How long the source had been what it was; from now on it is something else.
    fn lasted(&mut self, now: Instant) -> Option<Duration> {
        let before = self.turned.replace(now);
        before.map(|before| now - before)
    }

    fn report(&self, event: Event) {
        self.pool.journal().tell(event.pool(&self.plan.name));
    }

    fn source(&self) -> String {
        let source = self.plan.discover.as_ref();
        source.map(ToString::to_string).unwrap_or_default()
    }
}

/// Like `a, b, and 3 more`.
fn few(names: &[String]) -> String {
    match names.get(..FEW) {
        None => names.join(", "),
        Some(few) => format!("{}, and {} more", few.join(", "), names.len() - FEW),
    }
}

const FEW: usize = 10;

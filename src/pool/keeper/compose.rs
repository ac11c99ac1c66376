//! The next snapshot: standings of this moment, who holds the sessions, and the balancers prepared for them.

use std::sync::Arc;

use tokio::time::Instant;

use super::state::State;
use crate::balance::{Balancer, Candidate, Candidates, Ring};
use crate::plan::Balance;
use crate::pool::snapshot::{Member, Snapshot, Tier};
use crate::pool::standing::is_panic;
use crate::pool::{Standing, weight};
use crate::telemetry::journal::{Event, Kind};

impl State {
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.generation += 1;
        let now = Instant::now();
        self.stand(now);
        self.judge_roles(now);
        self.judge_panic();
        Snapshot {
            generation: self.generation,
            plan: Arc::clone(&self.plan),
            members: self.members.clone().into(),
            configured: self.configured,
            listed: self.roster.is_some(),
            departed: self.removed.clone().into(),
            absent: self.departed.all_orders(),
            places: Arc::clone(&self.places),
            panic: self.panic,
            hold: self.hold,
            first: self.tier(false, now),
            backup: self.tier(true, now),
        }
    }

    /// Of all configured servers of that tier, whatever their standing.
    fn ring(&mut self, backup: bool) -> Arc<Ring> {
        let members = (0u32..).zip(&self.members);
        let servers = members.filter(|(_, member)| member.plan.backup == backup);
        let make = || {
            Arc::new(Ring::new(servers.map(|(place, member)| {
                (place, member.plan.name.as_str(), member.weight)
            })))
        };
        Arc::clone(self.rings[usize::from(backup)].get_or_insert_with(make))
    }

    /// Standings of this moment, and who came up by them.
    fn stand(&mut self, now: Instant) {
        let slow_start = self.plan.care.slow_start;
        // At a start all come up, and none is slower than the others for that.
        let young = self.created_at.elapsed() < slow_start;
        let mut grows_in = None;
        for member in &mut self.members {
            let before = member.standing;
            member.standing = member.standing_if(false);
            if !member.standing.is_on_offer() {
                member.came_up = None;
                continue;
            }
            let was_there = before.is_on_offer() || young && before == Standing::Waiting;
            if !was_there {
                member.came_up = Some(now);
            }
            let next = weight::next_step(member.up_for(now), slow_start);
            grows_in = grows_in.into_iter().chain(next).min();
        }
        self.grows_at = grows_in.map(|wait| now + wait);
    }

    /// Backups are there for when the first tier fails: where one is up, no server that is down is tried.
    fn judge_panic(&mut self) {
        let threshold = self.plan.care.panic_threshold;
        let tier = |backup| (self.members.iter()).filter(move |one| one.plan.backup == backup);
        let shown = |one: &Member| (one.admin, one.health);
        let on_offer = |one: &Member| one.standing.is_on_offer();
        let helped = !tier(false).any(on_offer) && tier(true).any(on_offer);
        let panic = !helped
            && !self.plan.care.role.wants_one()
            && is_panic(tier(false).map(shown), threshold);
        if panic == std::mem::replace(&mut self.panic, panic) {
            return;
        }
        let (pool, up) = (
            &self.plan.name,
            tier(false).filter(|one| on_offer(one)).count(),
        );
        self.metrics.pool(pool).panic(panic);
        let event = if panic {
            tracing::error!(%pool, up, panic_threshold = threshold, "{PANIC}");
            Event::error(Kind::Panic, format!("{PANIC} ({up} up)")).to("panic")
        } else {
            tracing::info!(%pool, up, "{CALM}");
            Event::info(Kind::Panic, format!("{CALM} ({up} up)")).from("panic")
        };
        self.metrics.journal().tell(event.pool(pool));
    }

    fn tier(&mut self, backup: bool, now: Instant) -> Tier {
        let slow_start = self.plan.care.slow_start;
        let in_panic = |one: &Member| self.panic && one.standing == Standing::Down;
        let offered: Vec<_> = (0u32..)
            .zip(&self.members)
            .filter(|(_, one)| one.plan.backup == backup)
            .filter(|(_, one)| one.standing.is_on_offer() || in_panic(one))
            .collect();
        let shares = offered.iter().map(|(_, member)| {
            let step = weight::step(member.up_for(now), slow_start);
            (member.weight, weight::share(step, member.said.percent))
        });
        let weights = weight::eased(&shares.collect::<Vec<_>>());
        let candidates = offered
            .iter()
            .zip(weights)
            .map(|((place, member), weight)| Candidate {
                member: *place,
                weight,
                cap: member.cap(),
                per_second: member.plan.max_per_second,
                load: Arc::clone(member.server.load()),
            });
        let candidates = Candidates::new(
            self.members.len(),
            candidates.collect(),
            Arc::clone(&self.counters),
        );
        let balancer = match self.plan.balance {
            Balance::RoundRobin => Balancer::round_robin(&candidates),
            Balance::LeastConnection => Balancer::least_connection(&candidates),
            Balance::ResponseTime => Balancer::response_time(&candidates),
            Balance::Random => Balancer::random(&candidates),
            Balance::SourceHash => Balancer::source_hash(&candidates, &self.ring(backup)),
        };
        Tier {
            candidates,
            balancer,
        }
    }
}

const PANIC: &str = "too few servers are up: those that are down take sessions too";
const CALM: &str = "enough servers are up again: those that are down take no sessions";

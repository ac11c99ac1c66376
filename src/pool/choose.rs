//! Choosing a server for one attempt of a session: the sticky one, the balancer's, or a backup.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::snapshot::Tier;
use super::{Lease, Pick, Pool, ServerId, Snapshot};
use crate::balance::{Counting, Criteria, Effects, hash_client};
use crate::base::word::words;
use crate::plan::StickyPlan;

words! {
    /// Why no server could be chosen.
    pub enum NoServer {
        /// All are down, in maintenance, draining or still without a verdict.
        NoneUp = "none-up",
        /// Those that are up have `max_connections` sessions, or had `max_per_second` new ones, or others wait for them.
        AllFull = "all-full",
        /// This session has tried all that are up.
        AllTried = "all-tried",
        /// All are full, and so is the queue.
        QueueFull = "queue-full",
        /// None became free in the time that the plan gives.
        QueueTimeout = "queue-timeout",
    }
}

impl std::error::Error for NoServer {}

impl Pool {
    /// Picks a server for one attempt of a session of `client`, not among those `tried` before.
    ///
    /// # Errors
    /// See [`NoServer`]; each is counted.
    pub fn choose(
        self: &Arc<Self>,
        client: IpAddr,
        tried: &[ServerId],
        now: Instant,
    ) -> Result<Lease, NoServer> {
        let chosen = self.may_choose();
        let chosen = chosen.and_then(|()| self.choose_out_of_turn(client, tried, now));
        chosen.inspect_err(|why| self.metrics.no_server(*why))
    }

    /// Nobody waits who came before.
    pub(super) fn may_choose(&self) -> Result<(), NoServer> {
        match self.line.is_empty() {
            true => Ok(()),
            false => Err(NoServer::AllFull),
        }
    }

    /// Past all who wait.
    pub(super) fn choose_out_of_turn(
        self: &Arc<Self>,
        client: IpAddr,
        tried: &[ServerId],
        now: Instant,
    ) -> Result<Lease, NoServer> {
        let snapshot = self.snapshot.load();
        // One client, whether it came over a dual-stack socket or not.
        let client = client.to_canonical();
        let tried: Vec<u32> = tried.iter().filter_map(|id| snapshot.find(*id)).collect();
        let criteria = Criteria {
            client: hash_client(client),
            random: fastrand::u64(..),
            tried: &tried,
            now: self.since(now),
        };
        let picked = match &snapshot.plan.sticky {
            None => {
                let picked = settle(&snapshot, &criteria, None, &Counting);
                picked.map(|(member, pick)| (member, pick, None))
            }
            Some(sticky) => self.pick_sticky(&snapshot, &criteria, client, sticky, now),
        };
        let (member, pick, holds) = picked?;
        let server = Arc::clone(&snapshot.members[member as usize].server);
        server.leased();
        self.metrics.picked(pick);
        Ok(Lease {
            pool: Arc::clone(self),
            server,
            plan: Arc::clone(&snapshot.plan),
            pick,
            holds,
        })
    }

    /// The table is locked for the whole choice, so that two first sessions of a client go the same way.
    fn pick_sticky(
        &self,
        snapshot: &Snapshot,
        criteria: &Criteria<'_>,
        client: IpAddr,
        sticky: &StickyPlan,
        now: Instant,
    ) -> Result<(u32, Pick, Option<IpAddr>), NoServer> {
        let mut table = self.affinity();
        let bound = snapshot.bound(table.find(client, sticky, now));
        let (member, pick) = settle(snapshot, criteria, bound, &Counting)?;
        if pick == Pick::Sticky {
            let tier = snapshot.tier();
            tier.balancer.refresh(&tier.candidates, member);
            table.hold(client);
            return Ok((member, pick, Some(client)));
        }
        let holds = match bound {
            // Full, or not to be reached by this session: elsewhere this once.
            Some(_) => table.hold(client),
            None => {
                let server = snapshot.members[member as usize].server.id();
                table.bind(client, server, sticky)
            }
        };
        self.show(&mut table);
        Ok((member, pick, holds.then_some(client)))
    }
}

impl Snapshot {
    /// Who takes sessions now: the first tier, or the backups when nobody else is up.
    pub(super) fn tier(&self) -> &Tier {
        if self.first.is_empty() {
            &self.backup
        } else {
            &self.first
        }
    }

    /// The member that a sticky entry leads to, where it may take sessions.
    pub(super) fn bound(&self, server: Option<ServerId>) -> Option<u32> {
        let member = self.find(server?)?;
        self.tier().candidates.offers(member).then_some(member)
    }
}

/// The decision: the server that the client is `bound` to, else whom the balancer picks. Counted by `effects` on the member
/// that it returns.
pub(super) fn settle(
    snapshot: &Snapshot,
    criteria: &Criteria<'_>,
    bound: Option<u32>,
    effects: &impl Effects,
) -> Result<(u32, Pick), NoServer> {
    let tier = snapshot.tier();
    match bound {
        Some(member)
            if !criteria.tried.contains(&member)
                && tier.candidates.take(member, criteria.now, effects) =>
        {
            Ok((member, Pick::Sticky))
        }
        _ => pick(snapshot, criteria, effects),
    }
}

fn pick(
    snapshot: &Snapshot,
    criteria: &Criteria<'_>,
    effects: &impl Effects,
) -> Result<(u32, Pick), NoServer> {
    let tier = snapshot.tier();
    if let Some(member) = (tier.balancer).pick_by(&tier.candidates, criteria, effects) {
        let pick = if snapshot.first.is_empty() {
            Pick::Backup
        } else if tier.candidates.all().len() == 1 {
            Pick::OnlyOne
        } else {
            Pick::from(snapshot.plan.balance)
        };
        return Ok((member, pick));
    }
    if tier.is_empty() {
        return Err(NoServer::NoneUp);
    }
    let candidates = tier.candidates.all();
    if !candidates
        .iter()
        .all(|one| criteria.tried.contains(&one.member))
    {
        return Err(NoServer::AllFull);
    }
    // Probes have not noticed yet that nobody of the first tier can be reached; this session has.
    let backup = &snapshot.backup;
    match (backup.balancer).pick_by(&backup.candidates, criteria, effects) {
        Some(member) => Ok((member, Pick::Backup)),
        None => Err(NoServer::AllTried),
    }
}

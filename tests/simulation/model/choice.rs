//! Which choices are right.

use std::net::IpAddr;

use howdah::plan::Balance;
use howdah::pool::{NoServer, Pick, ServerId};
use tokio::time::Instant;

use super::{Chosen, Model};

impl Model {
    /// Judges one choice, and counts it. True when the session holds an entry of the sticky table.
    pub(crate) fn judge(
        &mut self,
        client: IpAddr,
        tried: &[ServerId],
        now: Instant,
        chosen: Chosen,
    ) -> bool {
        self.looked_up(now);
        let bound = self.bound(client, now);
        let foretold = self.foretell(client, tried, now, chosen);
        assert_eq!(
            chosen,
            foretold,
            "client {client}, tried {tried:?}, of {}",
            self.tell()
        );
        let Ok((id, pick)) = chosen else {
            return false;
        };
        let out = self.by_id(id).care.out_until(now);
        assert!(out.is_none() || self.is_panic(), "{id:?} is in quarantine");
        self.given += 1;
        let count = self.counts.get_mut(&id).expect("a server that is known");
        count.open += 1;
        count.total += 1;
        if pick != Pick::Sticky
            && matches!(
                self.plan.balance,
                Balance::LeastConnection | Balance::ResponseTime
            )
        {
            self.ranked += 1;
            count.ranked = self.ranked;
        }
        let Some(sticky) = self.plan.sticky.clone() else {
            return false;
        };
        let holds = match bound {
            Some(_) => self.table.hold(client),
            None => self.table.bind(client, id, &sticky),
        };
        if pick != Pick::Sticky {
            self.table.show();
        }
        holds
    }

    pub(crate) fn ended(&mut self, id: ServerId, holds: Option<IpAddr>, now: Instant) {
        let count = self.counts.get_mut(&id).expect("a server that is known");
        count.open -= 1;
        if let Some(client) = holds {
            self.table.release(client, now);
        }
    }

    /// What is right: `chosen` itself, or else something that would have been.
    pub(crate) fn foretell(
        &mut self,
        client: IpAddr,
        tried: &[ServerId],
        now: Instant,
        chosen: Chosen,
    ) -> Chosen {
        let side = self.side();
        let free = self.free(&side, tried);
        match self.bound(client, now) {
            Some(id) if free.contains(&id) => Ok((id, Pick::Sticky)),
            _ => self.unbound(client, tried, (&side, &free), now, chosen),
        }
    }

    /// The pool looked for a client in its sticky table.
    pub(crate) fn looked_up(&mut self, now: Instant) {
        if let Some(sticky) = &self.plan.sticky {
            self.table.expire(sticky, now);
        }
    }

    /// Where the sticky table sends the client, while that server is on offer.
    fn bound(&self, client: IpAddr, now: Instant) -> Option<ServerId> {
        let sticky = self.plan.sticky.as_ref()?;
        let bound = self.table.find(client, sticky, now)?;
        self.side().contains(&bound).then_some(bound)
    }

    /// What a balancer may answer: where it leaves room, what it did.
    fn unbound(
        &mut self,
        client: IpAddr,
        tried: &[ServerId],
        (side, free): (&[ServerId], &[ServerId]),
        now: Instant,
        chosen: Chosen,
    ) -> Chosen {
        if side.is_empty() {
            return Err(NoServer::NoneUp);
        }
        let from_backups = self.by_id(side[0]).plan.backup;
        if free.is_empty() {
            if side.iter().any(|id| !tried.contains(id)) {
                return Err(NoServer::AllFull);
            }
            let backups = self.rank(true);
            let free = self.free(&backups, tried);
            return match self.balanced(client, &backups, &free, now, chosen) {
                Some(id) => Ok((id, Pick::Backup)),
                None => Err(NoServer::AllTried),
            };
        }
        let pick = match side.len() {
            _ if from_backups => Pick::Backup,
            1 => Pick::OnlyOne,
            _ => Pick::from(self.plan.balance),
        };
        let id = self.balanced(client, side, free, now, chosen);
        Ok((id.expect("one is free"), pick))
    }

    /// The one that was chosen, if it is right; else one that would have been.
    fn balanced(
        &mut self,
        client: IpAddr,
        side: &[ServerId],
        free: &[ServerId],
        now: Instant,
        chosen: Chosen,
    ) -> Option<ServerId> {
        let was = chosen.ok().map(|(id, _)| id).filter(|id| free.contains(id));
        match self.plan.balance {
            Balance::RoundRobin | Balance::Random => was.or(free.first().copied()),
            Balance::ResponseTime if !self.alike => was.or(free.first().copied()),
            Balance::LeastConnection | Balance::ResponseTime => self.least(free, now),
            Balance::SourceHash => self.hashed(client, side, free, now, was),
        }
    }

    /// Smallest (active + 1) / weight; of equals the one whose last turn is longest ago.
    fn least(&self, free: &[ServerId], now: Instant) -> Option<ServerId> {
        let rank = |id: &ServerId| {
            let count = &self.counts[id];
            (
                u64::from(count.open) + 1,
                self.weigh(*id, now),
                count.ranked,
            )
        };
        (free.iter().copied()).min_by(|one, other| {
            let ((one, one_weight, one_turn), (other, other_weight, other_turn)) =
                (rank(one), rank(other));
            (one * other_weight)
                .cmp(&(other * one_weight))
                .then(one_turn.cmp(&other_turn))
        })
    }

    /// Below a quarter above its share wherever somebody is, and the same one while that has room.
    fn hashed(
        &mut self,
        client: IpAddr,
        side: &[ServerId],
        free: &[ServerId],
        now: Instant,
        was: Option<ServerId>,
    ) -> Option<ServerId> {
        let sessions = 1 + self
            .counts
            .values()
            .map(|count| u64::from(count.open))
            .sum::<u64>();
        let weights: u64 = side.iter().map(|id| self.weigh(*id, now)).sum();
        let under = |id: &ServerId| {
            let share = 5 * sessions * self.weigh(*id, now);
            u64::from(self.counts[id].open) < share.div_ceil(4 * weights).max(8)
        };
        let right: Vec<ServerId> = free.iter().copied().filter(under).collect();
        let right = if right.is_empty() { free } else { &right[..] };
        let known = self
            .natural
            .get(&client)
            .filter(|id| right.contains(id))
            .copied();
        let all_have_room = right.len() == side.len();
        let answer = known
            .or(was.filter(|id| right.contains(id)))
            .or(right.first().copied());
        if let (true, Some(id)) = (all_have_room, answer) {
            self.natural.insert(client, id);
        }
        answer
    }

    fn free(&self, side: &[ServerId], tried: &[ServerId]) -> Vec<ServerId> {
        let has_room = |id: &ServerId| self.counts[id].open < self.by_id(*id).cap();
        (side.iter().copied())
            .filter(|id| !tried.contains(id) && has_room(id))
            .collect()
    }
}

//! What a choice would come to at this moment. Nothing is counted, no turn is used up and no entry is made.

use std::net::IpAddr;

use tokio::time::Instant;

use super::affinity::StickyEntry;
use super::choose::settle;
use super::snapshot::Tier;
use super::{Member, NoServer, Pick, Pool, ServerId, Snapshot};
use crate::balance::{Criteria, Peeking, Room, Score, hash_client};
use crate::plan::Balance;

/// See the module. Places are those of [`Snapshot::everybody`].
#[derive(Debug)]
pub struct Forecast {
    /// Sessions that wait already: who comes now waits behind them.
    pub waiting: usize,
    /// The client's entry in the sticky table; also one whose server cannot take it.
    pub entry: Option<StickyEntry>,
    /// Where the entry leads, when that server may take sessions.
    pub bound: Option<usize>,
    /// The server that is chosen, then those that are tried after it where each before refuses. Cut short at
    /// [`MOST_CHOICES`].
    pub choices: Vec<(usize, Pick)>,
    /// Why there is no first choice, or no more.
    pub nobody: Option<NoServer>,
    /// Where chance decides on the first choice: who can be drawn, and how often it would be.
    pub odds: Vec<(usize, f64)>,
    /// Where chance decides on those too who are tried after the first: whom it may be, of the rank that is asked and then
    /// of the backups behind it. Empty where `choices` says who.
    pub lots: Vec<Vec<usize>>,
    /// What the balancers see: of the servers that are asked now, then of the backups behind them.
    pub scores: Vec<Score>,
}

impl Pool {
    /// What [`Self::choose`] would give a session of `client` that has tried nobody, and what it would be given after that.
    pub fn forecast(&self, snapshot: &Snapshot, client: IpAddr, now: Instant) -> Forecast {
        let client = client.to_canonical();
        let criteria = Criteria {
            client: hash_client(client),
            random: 0,
            tried: &[],
            now: self.since(now),
        };
        let sticky = snapshot.plan.sticky.as_ref();
        let entry = sticky.and_then(|sticky| self.affinity().look(client, sticky, now));
        let bound = snapshot.bound(entry.map(|entry| entry.server));
        let scores = scores(snapshot, &criteria);
        let odds = draws(snapshot, &criteria, bound, &scores);
        let (ahead, mut tried, mut choices) = (Peeking::default(), Vec::new(), Vec::new());
        let nobody = loop {
            let criteria = Criteria {
                tried: &tried,
                ..criteria
            };
            match settle(snapshot, &criteria, bound, &ahead) {
                Err(nobody) => break Some(nobody),
                Ok((member, pick)) => {
                    choices.push((member as usize, pick));
                    tried.push(member);
                }
            }
            if choices.len() == MOST_CHOICES {
                break None;
            }
        };
        let lots = lots(snapshot, &choices, &odds, &scores);
        Forecast {
            waiting: self.line.len(),
            entry,
            bound: bound.map(|member| member as usize),
            choices,
            nobody,
            odds,
            lots,
            scores,
        }
    }

    /// Whether nobody waits whose turn comes first.
    pub fn is_anybodys_turn(&self) -> bool {
        self.may_choose().is_ok()
    }
}

impl Snapshot {
    /// The members, and after them those that leave and serve until another can.
    pub fn everybody(&self) -> &[Member] {
        &self.members
    }

    /// Its place in [`Self::everybody`]; `None`: it has left.
    pub fn place(&self, server: ServerId) -> Option<usize> {
        self.find(server).map(|member| member as usize)
    }

    /// Whether backups are asked, as nobody else may take sessions.
    pub fn is_on_backups(&self) -> bool {
        self.first.is_empty() && !self.backup.is_empty()
    }
}

/// Many draws, by the balancer itself: whoever has room can be drawn, and those that are drawn seldom count too.
fn draws(
    snapshot: &Snapshot,
    criteria: &Criteria<'_>,
    bound: Option<u32>,
    scores: &[Score],
) -> Vec<(usize, f64)> {
    let free = free(snapshot.tier(), scores);
    let by_entry = bound.is_some_and(|member| free.contains(&member));
    if snapshot.plan.balance != Balance::Random || by_entry || free.len() < 2 {
        return Vec::new();
    }
    let mut random = fastrand::Rng::with_seed(criteria.client);
    let mut drawn = vec![0u32; snapshot.members.len()];
    for _ in 0..DRAWS {
        let criteria = Criteria {
            random: random.u64(..),
            ..*criteria
        };
        if let Ok((member, _)) = settle(snapshot, &criteria, bound, &Peeking::default()) {
            drawn[member as usize] += 1;
        }
    }
    let share = |member: u32| f64::from(drawn[member as usize]) / f64::from(DRAWS);
    free.into_iter()
        .map(|member| (member as usize, share(member)))
        .collect()
}

/// A server that is certain, by a sticky entry or as the only one, is followed by lot all the same.
fn lots(
    snapshot: &Snapshot,
    choices: &[(usize, Pick)],
    odds: &[(usize, f64)],
    scores: &[Score],
) -> Vec<Vec<usize>> {
    if snapshot.plan.balance != Balance::Random {
        return Vec::new();
    }
    let asked = snapshot.tier();
    let own = free(asked, scores);
    // A session asks the backups when it has tried everybody, and waits for those that are full.
    let beyond = !snapshot.first.is_empty() && own.len() == asked.candidates.all().len();
    let backups = match beyond {
        true => free(&snapshot.backup, scores),
        false => Vec::new(),
    };
    let certain = choices.first().filter(|_| odds.is_empty());
    let places = |members: Vec<u32>| members.into_iter().map(|member| member as usize);
    let own = places(own).filter(|place| certain.is_none_or(|(first, _)| first != place));
    let lots = vec![own.collect(), places(backups).collect::<Vec<_>>()];
    match lots.iter().any(|lot| lot.len() > 1) {
        true => lots,
        false => Vec::new(),
    }
}

/// Those of a rank that can be chosen now.
fn free(tier: &Tier, scores: &[Score]) -> Vec<u32> {
    let free = |one: &&Score| one.room == Room::Free && tier.candidates.offers(one.member);
    scores.iter().filter(free).map(|one| one.member).collect()
}

fn scores(snapshot: &Snapshot, criteria: &Criteria<'_>) -> Vec<Score> {
    let tiers = [&snapshot.first, &snapshot.backup];
    let scores = |tier: &Tier| tier.balancer.scores(&tier.candidates, criteria);
    tiers.into_iter().flat_map(scores).collect()
}

/// The first, and those after it: more tells nobody anything.
const MOST_CHOICES: usize = 6;

/// Enough to tell shares to a few percent.
const DRAWS: u32 = 500;

//! Which server gets the next session: five answers, each a small structure shared by all workers.
//!
//! A [`Balancer`] is prepared by the pool's keeper for one snapshot, from the [`Field`] of servers that may
//! take sessions, and asked by sessions on every worker. To pick is to count: the session is on the picked
//! server's [`Load`] before the balancer returns, so a burst of sessions spreads by itself. A server that has
//! reached its cap is passed over.
//!
//! No clock, no tokio, no sockets: time and randomness come in with the [`Ask`]. What must outlive a snapshot
//! (the turn of round-robin, the loads) lives in [`Tally`] and [`Load`], which snapshots share.

mod estimate;
mod least_connection;
mod load;
mod random;
mod rank;
mod response_time;
mod round_robin;
mod source_hash;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

pub use self::least_connection::LeastConnection;
pub use self::load::{Load, Tally};
pub use self::random::Random;
pub use self::response_time::ResponseTime;
pub use self::round_robin::RoundRobin;
pub use self::source_hash::{Ring, SourceHash};

/// One server on offer.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its place among the members of the snapshot; what a pick returns.
    pub member: u32,
    /// At least 1.
    pub weight: u16,
    /// Sessions at once; [`u32::MAX`] is unbounded.
    pub cap: u32,
    /// Its live numbers.
    pub load: Arc<Load>,
}

impl Candidate {
    fn take(&self) -> bool {
        self.load.take(self.cap)
    }
}

/// The servers that may take sessions, in the order of the members.
pub struct Field {
    candidates: Box<[Candidate]>,
    /// Member to place in `candidates`; [`NOWHERE`] for those not on offer.
    slots: Box<[u32]>,
    tally: Arc<Tally>,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The client's address, hashed; the same in every process. Only source-hash looks at it.
    pub client: u64,
    /// Any number; only random looks at it.
    pub random: u64,
    /// Members that this session has tried already.
    pub tried: &'a [u32],
}

/// How a pool picks, prepared for one snapshot.
pub enum Balancer {
    /// Smooth weighted turns.
    RoundRobin(RoundRobin),
    /// Fewest sessions for the weight.
    LeastConnection(LeastConnection),
    /// Shortest expected wait.
    ResponseTime(ResponseTime),
    /// The less loaded of two draws.
    Random(Random),
    /// By the client's address.
    SourceHash(SourceHash),
}

impl Field {
    /// `members` counts all members of the snapshot; each candidate's `member` is below it.
    pub fn new(members: usize, candidates: Vec<Candidate>, tally: Arc<Tally>) -> Self {
        let mut slots = vec![NOWHERE; members].into_boxed_slice();
        for (slot, candidate) in (0u32..).zip(&candidates) {
            slots[candidate.member as usize] = slot;
        }
        Self {
            candidates: candidates.into(),
            slots,
            tally,
        }
    }

    /// Whether this member is on offer.
    pub fn offers(&self, member: u32) -> bool {
        self.slot(member).is_some()
    }

    /// Counts a session on this very member, if it is on offer and below its cap.
    pub fn take(&self, member: u32) -> bool {
        self.slot(member)
            .is_some_and(|slot| self.candidates[slot].take())
    }

    /// All on offer.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    fn slot(&self, member: u32) -> Option<usize> {
        let slot = *self.slots.get(member as usize)?;
        (slot != NOWHERE).then_some(slot as usize)
    }

    /// Takes the candidate in this slot unless it was tried or is full.
    fn try_slot(&self, slot: usize, ask: &Ask<'_>) -> Option<u32> {
        let candidate = &self.candidates[slot];
        let fresh = !ask.tried.contains(&candidate.member);
        (fresh && candidate.take()).then_some(candidate.member)
    }

    /// The first that can be taken from `start` on, wrapping around: the last resort where most are full.
    fn first_free(&self, start: usize, ask: &Ask<'_>) -> Option<u32> {
        let len = self.candidates.len();
        (0..len).find_map(|step| self.try_slot((start + step) % len, ask))
    }
}

impl Balancer {
    /// Takes turns.
    pub fn round_robin(field: &Field) -> Self {
        Self::RoundRobin(RoundRobin::new(field))
    }

    /// Ranks by sessions.
    pub fn least_connection(field: &Field) -> Self {
        Self::LeastConnection(LeastConnection::new(field))
    }

    /// Ranks by expected wait.
    pub fn response_time(field: &Field) -> Self {
        Self::ResponseTime(ResponseTime::new(field))
    }

    /// Draws.
    pub fn random(field: &Field) -> Self {
        Self::Random(Random::new(field))
    }

    /// Hashes; `ring` holds at least the candidates of `field`.
    pub fn source_hash(field: &Field, ring: &Arc<Ring>) -> Self {
        Self::SourceHash(SourceHash::new(field, ring))
    }

    /// Picks one, counted on its load; `None` when every server on offer is full or was tried.
    pub fn pick(&self, field: &Field, ask: &Ask<'_>) -> Option<u32> {
        if field.candidates.is_empty() {
            return None;
        }
        match self {
            Self::RoundRobin(turns) => turns.pick(field, ask),
            Self::LeastConnection(ranking) => ranking.pick(field, ask),
            Self::ResponseTime(ranking) => ranking.pick(field, ask),
            Self::Random(random) => random.pick(field, ask),
            Self::SourceHash(hash) => hash.pick(field, ask),
        }
    }

    /// Whether [`Self::refresh`] matters: it keeps servers ranked by their load.
    pub fn is_ranked(&self) -> bool {
        matches!(self, Self::LeastConnection(_) | Self::ResponseTime(_))
    }

    /// The load or estimate of `member` changed outside of [`Self::pick`].
    pub fn refresh(&self, field: &Field, member: u32) {
        match self {
            Self::LeastConnection(ranking) => ranking.refresh(field, member),
            Self::ResponseTime(ranking) => ranking.refresh(field, member),
            Self::RoundRobin(_) | Self::Random(_) | Self::SourceHash(_) => {}
        }
    }

    /// Reads all loads again: for sessions that came or went while this balancer was built.
    pub fn refresh_all(&self, field: &Field) {
        match self {
            Self::LeastConnection(ranking) => ranking.refresh_all(field),
            Self::ResponseTime(ranking) => ranking.refresh_all(field),
            Self::RoundRobin(_) | Self::Random(_) | Self::SourceHash(_) => {}
        }
    }
}

/// The same number for the same address in every process, so that several howdahs agree.
pub fn hash_client(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(ip) => mix(u64::from(ip.to_bits())),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            mix(mix((bits >> 64) as u64) ^ bits as u64)
        }
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const NOWHERE: u32 = u32::MAX;

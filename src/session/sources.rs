//! Bounds for each client address: sessions at once, and new ones per second.
//!
//! A table of those that have sessions, or had new ones within the last second; nobody else takes room in it, so a client
//! with many addresses fills it no further than its sessions go. An IPv6 client is its /64, of which it has every
//! address. In pieces, so that workers seldom meet at a lock; a listener without such bounds has no table to look at.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::rate::Rate;
use crate::plan::SourcePlan;

/// See the module.
pub struct Sources {
    pieces: [Mutex<Piece>; PIECES],
    since: Instant,
}

struct Piece {
    all: HashMap<IpAddr, Arc<Source>>,
    /// When so many are there, those that are done go.
    sweep_at: usize,
}

/// One client's numbers.
#[derive(Debug, Default)]
struct Source {
    active: AtomicU32,
    rate: Rate,
}

/// One session's share of its client's bound; to drop it is to give it back.
#[derive(Debug)]
pub(super) struct SourceGrant(Arc<Source>);

impl Drop for SourceGrant {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sources {
    /// Nobody has come yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            pieces: std::array::from_fn(|_| {
                Mutex::new(Piece {
                    all: HashMap::new(),
                    sweep_at: FIRST_SWEEP,
                })
            }),
            since: Instant::now(),
        })
    }

    /// A place for a session of `client`; `None` when it has as many as it may.
    pub(super) fn take(
        &self,
        client: IpAddr,
        plan: &SourcePlan,
        now: Instant,
    ) -> Option<SourceGrant> {
        let source = self.source(client, now);
        let before = source.active.fetch_add(1, Ordering::Relaxed);
        let grant = SourceGrant(Arc::clone(&source));
        let token = |per_second| source.rate.take(per_second, self.passed(now));
        judge(plan, before, token).then_some(grant)
    }

    /// How many sessions `client` has, and whether [`Self::take`] would give it one more. Enters nobody.
    pub(crate) fn look(&self, client: IpAddr, plan: &SourcePlan, now: Instant) -> (u32, bool) {
        let key = network_of(client);
        let piece = self.piece(key);
        let known = piece.all.get(&key);
        let active = known.map_or(0, |source| source.active.load(Ordering::Relaxed));
        let token = |per_second| {
            known.is_none_or(|source| source.rate.next(per_second) <= self.passed(now))
        };
        (active, judge(plan, active, token))
    }

    fn source(&self, client: IpAddr, now: Instant) -> Arc<Source> {
        let key = network_of(client);
        let mut piece = self.piece(key);
        if let Some(source) = piece.all.get(&key) {
            return Arc::clone(source);
        }
        if piece.all.len() >= piece.sweep_at {
            let passed = self.passed(now);
            piece
                .all
                .retain(|_, source| Arc::strong_count(source) > 1 || !source.rate.is_full(passed));
            piece.sweep_at = FIRST_SWEEP.max(2 * piece.all.len());
        }
        let source = Arc::new(Source::default());
        piece.all.insert(key, Arc::clone(&source));
        source
    }

    fn piece(&self, key: IpAddr) -> MutexGuard<'_, Piece> {
        let piece = &self.pieces[piece_of(key)];
        piece.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let lock = |piece: &Mutex<Piece>| piece.lock().expect("no panic").all.len();
        self.pieces.iter().map(lock).sum()
    }
}

/// Whether one with so many sessions may have one more.
fn judge(plan: &SourcePlan, before: u32, token: impl FnOnce(u32) -> bool) -> bool {
    plan.max_connections.is_none_or(|most| before < most) && plan.max_per_second.is_none_or(token)
}

fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

fn piece_of(key: IpAddr) -> usize {
    usize::try_from(crate::balance::hash_client(key) % PIECES as u64).unwrap_or(0)
}

const PIECES: usize = 16;
/// Fewer than that are not worth looking through.
const FIRST_SWEEP: usize = 64;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn each_client_has_its_own_bound() {
        let plan = SourcePlan {
            max_connections: Some(2),
            max_per_second: None,
        };
        let (sources, now) = (Sources::new(), Instant::now());
        let first = sources.take(client(1), &plan, now);
        let second = sources.take(client(1), &plan, now);
        assert!(first.is_some() && second.is_some());
        assert!(sources.take(client(1), &plan, now).is_none());
        assert!(sources.take(client(2), &plan, now).is_some());
        drop(first);
        assert!(sources.take(client(1), &plan, now).is_some());
    }

    #[test]
    fn a_client_with_a_network_of_its_own_is_one_client() {
        let plan = SourcePlan {
            max_connections: Some(1),
            max_per_second: None,
        };
        let (sources, now) = (Sources::new(), Instant::now());
        let at = |text: &str| text.parse::<IpAddr>().expect("an address");
        let _one = sources.take(at("2001:db8::1"), &plan, now).expect("room");
        assert!(sources.take(at("2001:db8::ffff:2"), &plan, now).is_none());
        assert!(sources.take(at("2001:db8:0:1::1"), &plan, now).is_some());
        let _two = sources.take(at("10.0.0.1"), &plan, now).expect("room");
        assert!(sources.take(at("::ffff:10.0.0.1"), &plan, now).is_none());
    }

    #[test]
    fn a_flood_of_one_waits_for_its_second() {
        let plan = SourcePlan {
            max_connections: None,
            max_per_second: Some(5),
        };
        let (sources, start) = (Sources::new(), Instant::now());
        let taken = |now| {
            (0..50)
                .filter(|_| sources.take(client(1), &plan, now).is_some())
                .count()
        };
        assert_eq!(taken(start), 5);
        assert!(sources.take(client(2), &plan, start).is_some());
        assert_eq!(taken(start + Duration::from_millis(400)), 2);
    }

    #[test]
    fn who_is_gone_takes_no_room() {
        let plan = SourcePlan {
            max_connections: Some(1),
            max_per_second: Some(100),
        };
        let (sources, start) = (Sources::new(), Instant::now());
        let stays = sources.take(client(0), &plan, start).expect("room");
        for number in 1..100_000 {
            let now = start + Duration::from_millis(u64::from(number));
            assert!(sources.take(client(number), &plan, now).is_some());
        }
        assert!(
            sources.len() < 2 * FIRST_SWEEP * PIECES,
            "{}",
            sources.len()
        );
        let now = start + Duration::from_secs(200);
        assert!(sources.take(client(0), &plan, now).is_none(), "still there");
        drop(stays);
    }
}

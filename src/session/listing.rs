//! Which sessions somebody asks for, and what is copied of each: pure.
//!
//! What is returned is bounded by [`Query::most`]: of more, those that began first are kept, and all are counted.

use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;

use super::config::SessionConfig;
use super::end::Stage;
use super::outcome::Outcome;
use crate::plan::{Address, ListenerName, PoolName, Protocol, ServerName, TlsVersion};
use crate::pool::Pick;

/// Which sessions are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The one of that number.
    pub id: Option<u64>,
    /// Of that listener.
    pub listener: Option<String>,
    /// For that pool.
    pub pool: Option<String>,
    /// On that server, by its name or its address.
    pub server: Option<ServerFilter>,
    /// Of a client in that network.
    pub client: Option<IpNet>,
    /// Without a byte for so long.
    pub idle: Option<Duration>,
}

/// A server as people name it.
#[derive(Clone, Debug)]
pub struct ServerFilter {
    /// Its name.
    pub name: String,
    /// The same, read as an address, where it is one.
    pub address: Option<Address>,
}

/// A question for the sessions of all workers.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which.
    pub filter: Filter,
    /// So many at most.
    pub most: usize,
}

/// One session as it is now.
#[derive(Clone, Debug)]
pub struct Row {
    /// Unique in the process; later ones have higher numbers.
    pub id: u64,
    /// Who took it.
    pub listener: ListenerName,
    /// Over TCP or UDP.
    pub protocol: Protocol,
    /// Who came.
    pub client: SocketAddr,
    /// Where it goes, once that is known.
    pub pool: Option<PoolName>,
    /// The server that carries it, or is tried.
    pub server: Option<ServerName>,
    /// How far it has come.
    pub stage: Stage,
    /// Why that server.
    pub pick: Option<Pick>,
    /// The name that the client asked for.
    pub sni: Option<Box<str>>,
    /// TLS that howdah ends.
    pub tls: Option<TlsVersion>,
    /// Since it was accepted.
    pub age: Duration,
    /// Since its last byte.
    pub idle: Duration,
    /// Relayed to the server.
    pub from_client: u64,
    /// Relayed to the client.
    pub from_server: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Listing {
    /// All that the filter means.
    pub total: u64,
    rows: BinaryHeap<ByAge>,
}

/// A session where it lives.
pub(super) struct Sight<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) config: &'a SessionConfig,
    pub(super) protocol: Protocol,
    pub(super) stage: Stage,
    pub(super) idle: Duration,
}

impl Listing {
    pub(super) fn add(&mut self, query: &Query, sight: &Sight<'_>, now: Instant) {
        if !query.filter.means(sight) {
            return;
        }
        self.total += 1;
        let later = |last: &ByAge| last.0.id < sight.outcome.id;
        if self.rows.len() >= query.most && self.rows.peek().is_none_or(later) {
            return;
        }
        self.keep(Row::of(sight, now), query.most);
    }

    /// Both, with `most` rows at most.
    pub(super) fn merge(&mut self, other: Self, most: usize) {
        self.total += other.total;
        for ByAge(row) in other.rows {
            self.keep(row, most);
        }
    }

    /// In no order.
    pub(super) fn into_rows(self) -> impl Iterator<Item = Row> {
        self.rows.into_vec().into_iter().map(|ByAge(row)| row)
    }

    fn keep(&mut self, row: Row, most: usize) {
        self.rows.push(ByAge(row));
        if self.rows.len() > most {
            self.rows.pop();
        }
    }
}

impl Filter {
    fn means(&self, sight: &Sight<'_>) -> bool {
        let outcome = sight.outcome;
        let pool = || outcome.pool.as_ref().map(|pool| pool.name().as_str());
        self.id.is_none_or(|id| id == outcome.id)
            && is(
                self.listener.as_deref(),
                Some(sight.config.plan.name.as_str()),
            )
            && (self.pool.is_none() || is(self.pool.as_deref(), pool()))
            && self.idle.is_none_or(|idle| sight.idle >= idle)
            && (self.client).is_none_or(|net| net.contains(&outcome.client.ip().to_canonical()))
            && self.server.as_ref().is_none_or(|wanted| {
                let own = outcome.hold.server();
                own.is_some_and(|(own, _)| wanted.means(own.name(), own.address()))
            })
    }
}

impl ServerFilter {
    fn means(&self, name: &ServerName, address: &Address) -> bool {
        name.as_str() == self.name || self.address.as_ref() == Some(address)
    }

    /// Whether a server of that name is meant, of which no more is known: one that has no other name is called as its
    /// address is written.
    pub(super) fn names(&self, name: &ServerName) -> bool {
        let shown = || self.address.as_ref().map(ToString::to_string);
        name.as_str() == self.name || shown().is_some_and(|shown| shown == name.as_str())
    }
}

/// Whether `own` is what is `wanted`, if anything is.
pub(super) fn is(wanted: Option<&str>, own: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| own == Some(wanted))
}

impl Row {
    fn of(sight: &Sight<'_>, now: Instant) -> Self {
        let outcome = sight.outcome;
        let held = outcome.hold.server();
        Self {
            id: outcome.id,
            listener: sight.config.plan.name.clone(),
            protocol: sight.protocol,
            client: outcome.client,
            pool: outcome.pool.as_ref().map(|pool| pool.name().clone()),
            server: held.map(|(server, _)| server.name().clone()),
            stage: sight.stage,
            pick: held.map(|(_, pick)| pick),
            sni: outcome.sni.clone(),
            tls: outcome.tls,
            age: now.saturating_duration_since(outcome.started),
            idle: sight.idle,
            from_client: outcome.meter.from_client,
            from_server: outcome.meter.from_server,
        }
    }
}

#[cfg(test)]
impl Listing {
    pub(crate) fn one(row: Row) -> Self {
        let mut listing = Self {
            total: 1,
            ..Self::default()
        };
        listing.keep(row, 1);
        listing
    }
}

#[cfg(test)]
impl Row {
    /// One of that number, of which nothing else matters.
    pub(crate) fn sample(id: u64) -> Self {
        Self {
            id,
            listener: ListenerName::new("hive"),
            protocol: Protocol::Tcp,
            client: ([10, 1, 2, 3], 40_000).into(),
            pool: None,
            server: None,
            stage: Stage::Relay,
            pick: None,
            sni: None,
            tls: None,
            age: Duration::ZERO,
            idle: Duration::ZERO,
            from_client: 0,
            from_server: 0,
        }
    }
}

/// In the order of their beginning.
#[derive(Debug)]
struct ByAge(Row);

impl PartialEq for ByAge {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ByAge {}

impl PartialOrd for ByAge {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByAge {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

/// Sessions of these numbers, of which `most` are kept.
#[cfg(test)]
pub(super) fn listing(ids: &[u64], most: usize) -> Listing {
    let mut listing = Listing::default();
    for id in ids {
        listing.total += 1;
        listing.keep(Row::sample(*id), most);
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_those_that_began_first_are_kept_and_all_are_counted() {
        let mut first = listing(&[9, 3, 7, 1], 3);
        first.merge(listing(&[2, 8, 4], 3), 3);
        assert_eq!(first.total, 7);
        let mut ids: Vec<u64> = first.into_rows().map(|row| row.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3]);
    }
}

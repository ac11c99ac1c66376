//! The sessions of this worker that ended last, for whoever asks later what came of one.
//!
//! Each worker keeps a thousand over TCP and a thousand over UDP, which would push all others out: names are shared with
//! the configuration, and what a session knows moves here at its end, so that keeping it costs little.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::config::SessionConfig;
use super::end::{End, Reason, Stage};
use super::listing::{Filter, is};
use super::outcome::Outcome;
use crate::plan::{ListenerName, PoolName, Protocol, ServerName, TlsVersion};
use crate::pool::Pick;

thread_local! {
    static TCP: RefCell<VecDeque<Ended>> = const { RefCell::new(VecDeque::new()) };
    static UDP: RefCell<VecDeque<Ended>> = const { RefCell::new(VecDeque::new()) };
}

/// One session that is over: what its line in the log says.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When.
    pub at: SystemTime,
    /// Unique in the process.
    pub id: u64,
    /// Who took it.
    pub listener: ListenerName,
    /// Who came.
    pub client: SocketAddr,
    /// Where it went.
    pub pool: Option<PoolName>,
    /// The server that carried it, or was tried last.
    pub server: Option<ServerName>,
    /// The name that the client asked for.
    pub sni: Option<Box<str>>,
    /// TLS that howdah ended.
    pub tls: Option<TlsVersion>,
    /// Relayed to the server.
    pub from_client: u64,
    /// Relayed to the client.
    pub from_server: u64,
    /// From accept to the end.
    pub duration: Duration,
    /// Of the connect that succeeded.
    pub connect: Option<Duration>,
    /// From the client's first byte to the server's.
    pub first_byte: Option<Duration>,
    /// Servers tried.
    pub attempts: u32,
    /// Why that server.
    pub pick: Option<Pick>,
    /// Where it ended.
    pub stage: Stage,
    /// Why it ended.
    pub reason: Reason,
    /// Over TCP or UDP.
    pub protocol: Protocol,
}

/// A session's last act.
pub(super) fn keep(
    outcome: Outcome,
    end: End,
    duration: Duration,
    config: &SessionConfig,
    protocol: Protocol,
) {
    let held = outcome.hold.server();
    let ended = Ended {
        at: SystemTime::now(),
        id: outcome.id,
        listener: config.plan.name.clone(),
        client: outcome.client,
        server: held.map(|(server, _)| server.name().clone()),
        pick: held.map(|(_, pick)| pick),
        pool: outcome.pool.map(|pool| pool.name().clone()),
        sni: outcome.sni,
        tls: outcome.tls,
        from_client: outcome.meter.from_client,
        from_server: outcome.meter.from_server,
        duration,
        connect: outcome.connect,
        first_byte: outcome.meter.first_byte,
        attempts: outcome.attempts,
        stage: end.stage,
        reason: end.reason,
        protocol,
    };
    let ring = match protocol {
        Protocol::Tcp => &TCP,
        Protocol::Udp => &UDP,
    };
    ring.with_borrow_mut(|ring| {
        if ring.len() >= KEPT {
            ring.pop_front();
        }
        ring.push_back(ended);
    });
}

/// Those of this worker that the filter means; the newest last, over TCP and over UDP each.
pub fn list(filter: &Filter) -> Vec<Ended> {
    let of = |ring: &VecDeque<Ended>| -> Vec<Ended> {
        let meant = ring.iter().filter(|ended| ended.is_meant(filter));
        meant.cloned().collect()
    };
    let mut all = TCP.with_borrow(of);
    all.append(&mut UDP.with_borrow(of));
    all
}

impl Ended {
    /// How long it had been silent is not kept: `idle` means those that lasted so long.
    fn is_meant(&self, filter: &Filter) -> bool {
        let pool = self.pool.as_ref().map(PoolName::as_str);
        filter.id.is_none_or(|id| id == self.id)
            && is(filter.listener.as_deref(), Some(self.listener.as_str()))
            && is(filter.pool.as_deref(), pool)
            && filter.idle.is_none_or(|idle| self.duration >= idle)
            && (filter.client).is_none_or(|net| net.contains(&self.client.ip().to_canonical()))
            && filter.server.as_ref().is_none_or(|wanted| {
                let own = self.server.as_ref();
                own.is_some_and(|own| wanted.names(own))
            })
    }
}

/// Of each kind on each worker; so many in all are shown.
pub const KEPT: usize = 1000;

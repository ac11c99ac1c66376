//! The first datagram of a client: may it enter, which server, and a socket to it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use tokio::time::Instant;

use super::dropped::Dropped;
use super::session::{Counts, Session, UdpPlace};
use crate::pool::{DialFailure, Lease, ServerId};
use crate::session::admit::{claim, entitled, stands_by};
use crate::session::config::SessionConfig;
use crate::session::outcome::{Hold, Outcome};

/// What a session that may begin follows, its number, and what is dropped at its end.
pub struct Newcomer<G> {
    /// The rules of its listener as they are now.
    pub config: Arc<SessionConfig>,
    /// Unique in the process.
    pub id: u64,
    /// Counted until it is dropped.
    pub guard: G,
}

/// A session, and how long it may be idle.
pub(super) type Opened<G> = (Session<G>, Duration);

/// A place under the listener's bound. A full one is for the caller to make room in.
pub(super) fn enter(
    config: &Arc<SessionConfig>,
    client: IpAddr,
    now: Instant,
) -> Result<UdpPlace, Dropped> {
    if stands_by(config) {
        return Err(Dropped::Standby);
    }
    entitled(&config.plan, client).map_err(|_| Dropped::Denied)?;
    config.udp_limit.enter(now)?;
    Ok(UdpPlace(Arc::clone(&config.udp_limit)))
}

/// A session of `client`, on another server than the one `tried` where there is one.
pub(super) fn open<G>(
    newcomer: Newcomer<G>,
    place: UdpPlace,
    client: SocketAddr,
    tried: Option<ServerId>,
    now: Instant,
) -> Result<Opened<G>, Dropped> {
    let Newcomer { config, id, guard } = newcomer;
    let source = claim(&config, client.ip(), now).map_err(|_| Dropped::SourceLimit)?;
    let destination = config.switch.route(None).map_err(|_| Dropped::NoServer)?;
    let choose = |tried: &[ServerId]| destination.pool.choose(client.ip(), tried, now);
    let lease = match tried {
        Some(tried) => choose(&[tried]).or_else(|_| choose(&[]))?,
        None => choose(&[])?,
    };
    let socket = connected(&lease)?;
    let idle = lease.plan().timeouts.udp_idle;
    let mut outcome = Outcome::begin(id, client);
    outcome.pool = Some(Arc::clone(&destination.metrics));
    outcome.source = source;
    outcome.attempts = 1;
    outcome.hold = Hold::Leased(lease);
    config.metrics.opened();
    let session = Session {
        socket,
        outcome,
        config,
        place,
        guard,
        asked: None,
        owed: 0,
        counts: Counts::default(),
    };
    Ok((session, idle))
}

/// To the first address of the server that the kernel knows a way to. Sends nothing.
fn connected(lease: &Lease) -> Result<UdpSocket, Dropped> {
    let mut failure = DialFailure::NoAddress;
    for address in lease.server().addresses().iter() {
        match connect_to(*address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = DialFailure::of_connect(&error),
        }
    }
    lease.server().dial_failed(failure);
    Err(match failure {
        DialFailure::OwnLimit => Dropped::OwnLimit,
        _ => Dropped::Unreachable,
    })
}

/// The kernel gives it a port as it connects: a `bind` before would cost a call, and leave a moment in which anybody is heard.
fn connect_to(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address)?;
    Ok(socket.into())
}

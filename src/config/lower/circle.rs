//! Pools whose servers are howdah's own listeners, and lead back to the pool: a session would go round until no descriptor is left.
//!
//! A listener may stand behind another one, as long as no circle comes of it. Only addresses that are written as numbers
//! are judged, and `localhost`: what a name means is known when howdah runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::config::cx::Cx;
use crate::config::file::{Pools, ServerWord};
use crate::config::source::Span;
use crate::plan::{Host, ListenerPlan, PoolName, PoolPlan, Protocol, ServerPlan};

/// A server that is a listener.
struct Link<'p> {
    pool: &'p PoolPlan,
    server: &'p ServerPlan,
    listener: &'p ListenerPlan,
}

pub(super) fn judge(
    words: &Pools,
    listeners: &[Arc<ListenerPlan>],
    pools: &[PoolPlan],
    cx: &mut Cx,
) {
    let links = links(listeners, pools);
    for link in &links {
        let closes = |protocol: &Protocol| returns(link, *protocol, &links);
        if !link.listener.protocols.iter().any(closes) {
            continue;
        }
        let (pool, server, listener) = (&link.pool.name, &link.server.name, &link.listener.name);
        let what = format!(
            "server {:?} of pool {:?} is howdah's own listener {:?}, and leads back to the pool",
            server.as_str(),
            pool.as_str(),
            listener.as_str()
        );
        cx.error(&span(words, link), what)
            .why("a session would go round until no descriptor is left")
            .fix("name the server itself; where it is on this machine too, give it or the listener another port");
    }
}

fn links<'p>(listeners: &'p [Arc<ListenerPlan>], pools: &'p [PoolPlan]) -> Vec<Link<'p>> {
    let mut links = Vec::new();
    for pool in pools {
        for server in &pool.servers {
            let own = listeners.iter().filter(|listener| {
                let mut binds = listener.bind.iter();
                binds.any(|bind| is_at(server, *bind))
            });
            links.extend(own.map(|listener| Link {
                pool,
                server,
                listener,
            }));
        }
    }
    links
}

/// Whether what enters the listener may come to the pool of the link again.
fn returns(start: &Link<'_>, protocol: Protocol, links: &[Link<'_>]) -> bool {
    let mut listeners = vec![start.listener];
    let mut next = 0;
    while let Some(listener) = listeners.get(next) {
        next += 1;
        if !listener.protocols.contains(&protocol) {
            continue;
        }
        let routed = listener.routes.iter().map(|route| &route.pool);
        let led_to: Vec<&PoolName> = listener.pool.iter().chain(routed).collect();
        if led_to.contains(&&start.pool.name) {
            return true;
        }
        for link in links {
            let seen = listeners.iter().any(|one| one.name == link.listener.name);
            if led_to.contains(&&link.pool.name) && !seen {
                listeners.push(link.listener);
            }
        }
    }
    false
}

fn is_at(server: &ServerPlan, bind: SocketAddr) -> bool {
    let at = |ip: IpAddr| {
        let same = ip == bind.ip() || ip.is_unspecified();
        same || bind.ip().is_unspecified() && is_own(ip)
    };
    let of_the_family = |ip: &IpAddr| ip.is_ipv4() == bind.is_ipv4();
    if server.address.port != bind.port() {
        return false;
    }
    match &server.address.host {
        Host::Ip(ip) => of_the_family(ip) && at(*ip),
        Host::Name(name) if name == "localhost" => {
            let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            both.iter().any(|ip| of_the_family(ip) && at(*ip))
        }
        Host::Name(_) => false,
    }
}

/// Whether this machine has the address: the kernel then speaks to it from itself. Nothing is sent.
fn is_own(ip: IpAddr) -> bool {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, DISCARD))?;
        socket.local_addr()
    };
    ip.is_loopback() || from().is_ok_and(|from| from.ip() == ip)
}

/// RFC 863; any other port would do.
const DISCARD: u16 = 9;

/// Where the server stands in the file.
fn span(words: &Pools, link: &Link<'_>) -> Span {
    let mut named = words.all.iter();
    let pool = named.find(|(name, _)| name.value == link.pool.name.as_str());
    let servers = pool.and_then(|(_, pool)| pool.servers.value());
    let is = |word: &ServerWord| match word {
        ServerWord::Short(text) => text == link.server.name.as_str(),
        ServerWord::Long(words) => {
            let name = words.name.value().or(words.address.value());
            name.is_some_and(|name| name == link.server.name.as_str())
        }
    };
    let mut entries = servers.into_iter().flat_map(|list| &list.items);
    let entry = entries.find(|entry| is(&entry.value));
    entry.map_or(0..0, |entry| entry.span.clone())
}

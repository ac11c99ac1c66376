//! Listeners and their sockets: opening, following a new plan, handing addresses over, closing.
//!
//! An address that leaves one listener and stands at another stays open: its sockets are handed over, so that no
//! connection is lost and none follows the rules of before. An address that leaves all of them is accepted on for a
//! moment more, then closed.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::sync::watch;

use super::error::ReloadError;
use super::step::{Handover, Opened, Step};
use super::{App, ListenerRuntime, Socket};
use crate::base::fate::Fate;
use crate::cluster::Cluster;
use crate::listener::bind::{self, BindError, Claim, Sockets};
use crate::listener::{Listener, Owner};
use crate::plan::{ListenerName, ListenerPlan, Plan, Protocol};
use crate::session::{Limit, SessionConfig, Sources, Switch};
use crate::telemetry::Journal;
use crate::telemetry::journal::{Event, Kind};
use crate::tls::accept;

impl App {
    /// Opens the addresses that this listener does not have yet, and that no other of ours leaves to it.
    pub(super) fn open(
        &mut self,
        listener: &ListenerPlan,
        plan: &Plan,
        handovers: &mut Vec<Handover>,
    ) -> Result<Vec<Opened>, ReloadError> {
        self.retiring.retain(|socket| !socket.retired.is_closed());
        if self.stands_by && !self.follows_a_leader() {
            return Ok(Vec::new());
        }
        let mut opened = Vec::new();
        for place in places(listener) {
            if self.has(&listener.name, place) {
                continue;
            }
            if let Some(giver) = self.giver(place, plan) {
                handovers.push((giver, listener.name.clone()));
                continue;
            }
            let (wanted, protocol) = place;
            let inherited = self.inherited.take(&listener.name, wanted, protocol);
            let is_inherited = !inherited.is_empty();
            let sockets = match is_inherited {
                true => {
                    let workers = self.handles.workers();
                    bind::inherit(inherited, wanted, protocol, workers, listener.keepalive)
                }
                false => self.sockets(place, listener, plan),
            };
            let shared = sockets.and_then(|sockets| {
                let shared = sockets.share().map_err(|source| BindError::Other {
                    address: wanted,
                    source,
                })?;
                Ok((sockets, shared))
            });
            let (sockets, shared) = shared.map_err(|source| ReloadError::Bind {
                listener: listener.name.clone(),
                source,
            })?;
            opened.push(Opened {
                wanted,
                bound: sockets.address().unwrap_or(wanted),
                protocol,
                sockets,
                shared,
                is_inherited,
            });
        }
        Ok(opened)
    }

    fn sockets(
        &self,
        (wanted, protocol): Place,
        listener: &ListenerPlan,
        plan: &Plan,
    ) -> Result<Sockets, BindError> {
        let mut hosts = plan.vips.iter().flat_map(|vip| vip.hosts());
        let claim = Claim {
            ours: self.listens_on((wanted, protocol)),
            is_virtual: hosts.any(|host| host == wanted.ip()),
        };
        let workers = self.handles.workers();
        match protocol {
            Protocol::Tcp => {
                bind::open(wanted, workers, claim, listener.keepalive).map(Sockets::Tcp)
            }
            Protocol::Udp => bind::open_udp(wanted, workers, claim).map(Sockets::Udp),
        }
    }

    fn has(&self, listener: &ListenerName, place: Place) -> bool {
        let runtime = self.listeners.get(listener);
        runtime.is_some_and(|runtime| runtime.sockets.iter().any(|socket| socket.is(place)))
    }

    /// Who has the address now and leaves it in this plan. Port 0 is another one each time.
    fn giver(&self, place: Place, plan: &Plan) -> Option<ListenerName> {
        let keeps = |name: &ListenerName| {
            let own = plan.listeners.iter().find(|one| one.name == *name);
            own.is_some_and(|own| wants(own, place))
        };
        let names = self.listeners.keys();
        let mut givers = names.filter(|name| self.has(name, place) && !keeps(name));
        givers.next().filter(|_| place.0.port() != 0).cloned()
    }

    /// Whether this process has the address, or one that stands in its way, and is about to leave it; or a predecessor has.
    fn listens_on(&self, place: Place) -> bool {
        let present = self.listeners.values().flat_map(|runtime| &runtime.sockets);
        let present = present.chain(&self.retiring).map(Socket::place);
        present
            .chain(self.inherited.bound())
            .any(|other| overlap(other, place))
    }

    /// Keeps the present configuration where the TLS settings are the same, so that its tickets stay good.
    pub(super) fn server_config(
        &self,
        listener: &ListenerPlan,
    ) -> Result<Option<Arc<ServerConfig>>, ReloadError> {
        let Some(tls) = &listener.tls else {
            return Ok(None);
        };
        let present = self
            .listeners
            .get(&listener.name)
            .map(|runtime| runtime.listener.config());
        if let Some(config) = present
            && config.plan.tls.as_ref() == Some(tls)
        {
            return Ok(config.tls.clone());
        }
        let owner = || format!("listener \"{}\"", listener.name);
        let config = accept::server_config(tls);
        config.map(Some).map_err(|source| ReloadError::Tls {
            owner: owner(),
            source: Box::new(source),
        })
    }

    /// First every session config, so that whatever arrives from now on follows the new rules; then the sockets.
    pub(super) async fn take(&mut self, steps: Vec<Step>) {
        let mut left = Vec::new();
        let mut wanted = Vec::new();
        for step in steps {
            match step {
                Step::Follow { plan, opened, tls } => {
                    left.extend(self.follow(&plan, tls));
                    wanted.push((plan, opened));
                }
                Step::Close(name) => {
                    let runtime = self.listeners.remove(&name);
                    left.extend(runtime.into_iter().flat_map(|runtime| runtime.sockets));
                }
            }
        }
        for (plan, opened) in wanted {
            self.inherit(&plan, &mut left);
            self.listen(&plan.name, opened).await;
        }
        for socket in left {
            self.retire_socket(socket);
        }
    }

    /// The next session of the listener follows the new plan. Returns the sockets that it leaves.
    fn follow(&mut self, plan: &Arc<ListenerPlan>, tls: Option<Arc<ServerConfig>>) -> Vec<Socket> {
        let present = self
            .listeners
            .get(&plan.name)
            .map(|runtime| Arc::clone(&runtime.listener));
        let config = Arc::new(self.session_config(plan, present.as_deref(), tls));
        let listener = match present {
            Some(listener) => {
                listener.follow(config);
                listener
            }
            None => Listener::new(config),
        };
        let runtime = self.listeners.entry(plan.name.clone());
        let runtime = runtime.or_insert_with(|| ListenerRuntime {
            listener,
            sockets: Vec::new(),
        });
        let leaves = |socket: &mut Socket| !wants(plan, (socket.wanted, socket.protocol));
        runtime.sockets.extract_if(.., leaves).collect()
    }

    /// Takes over what others left of the addresses that this listener wants.
    fn inherit(&mut self, plan: &ListenerPlan, left: &mut Vec<Socket>) {
        let Some(runtime) = self.listeners.get_mut(&plan.name) else {
            return;
        };
        let wanted = |socket: &mut Socket| {
            let fixed = socket.wanted.port() != 0;
            fixed && wants(plan, (socket.wanted, socket.protocol))
        };
        for socket in left.extract_if(.., wanted) {
            socket.owner.hand_over(&runtime.listener);
            announce(&plan.name, &socket, self.metrics.journal());
            runtime.sockets.push(socket);
        }
    }

    pub(super) async fn listen(&mut self, listener: &ListenerName, opened: Vec<Opened>) {
        if self.stands_by {
            self.held_back.push((listener.clone(), opened));
            return;
        }
        for Opened {
            wanted,
            bound,
            protocol,
            sockets,
            shared,
            is_inherited,
        } in opened
        {
            let Some(runtime) = self.listeners.get_mut(listener) else {
                return;
            };
            let (retired, watch) = watch::channel(Fate::Open);
            let owner = Owner::new(&runtime.listener);
            self.handles.listen(sockets, &owner, &watch).await;
            let socket = Socket {
                wanted,
                bound,
                protocol,
                owner,
                retired,
                shared,
                is_inherited,
            };
            announce(listener, &socket, self.metrics.journal());
            let late = self.retiring.iter();
            for late in late.filter(|late| overlap(late.place(), socket.place())) {
                late.owner.hand_over(&runtime.listener);
            }
            self.retiring.retain(|late| !socket.splits(late));
            runtime.sockets.push(socket);
        }
    }

    /// Who still comes to it belongs to whoever listens there now.
    pub(super) fn retire_socket(&mut self, mut socket: Socket) {
        let covers = |runtime: &&ListenerRuntime| {
            let mut own = runtime.sockets.iter();
            own.any(|other| overlap(other.place(), socket.place()))
        };
        let mut shared = false;
        if let Some(heir) = self.listeners.values().find(covers) {
            socket.owner.hand_over(&heir.listener);
            shared = heir.sockets.iter().any(|other| other.splits(&socket));
        }
        socket.shared.clear();
        socket.retired.send_replace(Fate::Closing);
        tracing::info!(address = %socket.bound, "closed");
        let text = format!("closed {}", socket.bound);
        let event = Event::info(Kind::Listener, text).from("bound").to("closed");
        (self.metrics.journal()).tell(event.listener(socket.owner.name()));
        if !shared {
            self.retiring.push(socket);
        }
    }

    fn session_config(
        &self,
        plan: &Arc<ListenerPlan>,
        present: Option<&Listener>,
        tls: Option<Arc<ServerConfig>>,
    ) -> SessionConfig {
        let routes = plan.routes.iter().filter_map(|route| {
            self.destination(&route.pool)
                .map(|destination| (route.sni.clone(), destination))
        });
        SessionConfig {
            plan: Arc::clone(plan),
            // Nothing staged: the listener did not change, nor does its configuration.
            tls: tls
                .or_else(|| present.and_then(|listener| listener.config().tls.clone()))
                .filter(|_| plan.tls.is_some()),
            relay: self.plan.global.relay,
            switch: Switch {
                routes: routes.collect(),
                default: plan.pool.as_ref().and_then(|pool| self.destination(pool)),
            },
            limit: present.map_or_else(
                || Limit::new(plan.max_connections, plan.max_per_second),
                |l| Arc::clone(l.limit()),
            ),
            sources: present.map_or_else(Sources::new, |l| Arc::clone(l.sources())),
            udp_limit: present.map_or_else(
                || Limit::new(Some(plan.most_over_udp()), plan.max_per_second),
                |l| Arc::clone(l.udp_limit()),
            ),
            process_limit: Arc::clone(&self.process_limit),
            lease: self.cluster.as_ref().and_then(Cluster::lease),
            metrics: present.map_or_else(
                || self.metrics.listener(&plan.name),
                |l| Arc::clone(l.metrics()),
            ),
            access: self.access.clone(),
        }
    }
}

/// An address and what is spoken there.
type Place = (SocketAddr, Protocol);

impl Socket {
    fn is(&self, place: Place) -> bool {
        (self.wanted, self.protocol) == place
    }

    fn place(&self) -> Place {
        (self.bound, self.protocol)
    }

    /// Whether the kernel would give the datagrams of a client to either. So `former` closes, which ends its sessions, and
    /// their clients begin anew.
    fn splits(&self, former: &Self) -> bool {
        self.protocol == Protocol::Udp && self.place() == former.place()
    }
}

fn places(plan: &ListenerPlan) -> impl Iterator<Item = Place> {
    let all = plan.protocols.iter().copied();
    all.flat_map(|protocol| plan.bind.iter().map(move |bind| (*bind, protocol)))
}

fn wants(plan: &ListenerPlan, (address, protocol): Place) -> bool {
    plan.bind.contains(&address) && plan.speaks(protocol)
}

fn announce(listener: &ListenerName, socket: &Socket, journal: &Journal) {
    let (address, protocol) = (socket.bound, socket.protocol.as_str());
    tracing::info!(%listener, %address, protocol, "listening");
    let text = format!("listening at {address} ({protocol})");
    journal.tell(
        Event::info(Kind::Listener, text)
            .to("bound")
            .listener(listener),
    );
}

/// Whether two addresses cannot both be had by different processes.
fn overlap((one, speaks): Place, (other, too): Place) -> bool {
    let alike = one.is_ipv4() == other.is_ipv4() && speaks == too;
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    alike && one.port() == other.port() && (any || one.ip() == other.ip())
}

//! Listeners and their sockets: opening, following a new plan, closing.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::sync::watch;

use super::error::ReloadError;
use super::{App, Door, Socket};
use crate::listener::Listener;
use crate::listener::bind;
use crate::plan::{ListenerName, ListenerPlan};
use crate::session::{Course, Limit, Switch};
use crate::tls::accept;

/// An address with a socket for each worker; connections wait there already.
pub(super) struct Opened {
    wanted: SocketAddr,
    bound: SocketAddr,
    sockets: Vec<TcpListener>,
}

impl App {
    /// Opens the addresses that this listener does not have yet.
    pub(super) fn open(&self, listener: &ListenerPlan) -> Result<Vec<Opened>, ReloadError> {
        let held = self.listeners.get(&listener.name);
        let has = |wanted: &SocketAddr| {
            held.is_some_and(|door| door.sockets.iter().any(|socket| socket.wanted == *wanted))
        };
        let new = listener.bind.iter().filter(|wanted| !has(wanted));
        let open = |wanted: &SocketAddr| {
            let ours = self.listens_on(*wanted);
            let sockets = bind::open(*wanted, self.crew.workers(), ours)?;
            let bound = sockets.first().and_then(|socket| socket.local_addr().ok());
            Ok(Opened {
                wanted: *wanted,
                bound: bound.unwrap_or(*wanted),
                sockets,
            })
        };
        new.map(open)
            .collect::<Result<_, _>>()
            .map_err(|source| ReloadError::Bind {
                listener: listener.name.clone(),
                source,
            })
    }

    /// Whether another listener of this process has the address, and may be about to leave it.
    fn listens_on(&self, address: SocketAddr) -> bool {
        let sockets = self.listeners.values().flat_map(|door| &door.sockets);
        sockets.into_iter().any(|socket| socket.bound == address)
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
            .map(|door| door.listener.course());
        if let Some(course) = present
            && course.plan.tls.as_ref() == Some(tls)
        {
            return Ok(course.tls.clone());
        }
        let owner = || format!("listener \"{}\"", listener.name);
        let config = accept::server_config(tls);
        config.map(Some).map_err(|source| ReloadError::Tls {
            owner: owner(),
            source: Box::new(source),
        })
    }

    /// The next session of the listener follows the new plan; its sockets are what the plan says.
    pub(super) async fn follow(
        &mut self,
        plan: &Arc<ListenerPlan>,
        opened: Vec<Opened>,
        tls: Option<Arc<ServerConfig>>,
    ) {
        let present = self
            .listeners
            .get(&plan.name)
            .map(|door| Arc::clone(&door.listener));
        let course = Arc::new(self.course(plan, present.as_deref(), tls));
        let listener = match present {
            Some(listener) => {
                listener.follow(course);
                listener
            }
            None => Listener::new(course),
        };
        let door = self.listeners.entry(plan.name.clone());
        let door = door.or_insert_with(|| Door {
            listener: Arc::clone(&listener),
            sockets: Vec::new(),
        });
        door.sockets.retain(|socket| {
            let stays = plan.bind.contains(&socket.wanted);
            if !stays {
                socket.retired.send_replace(true);
            }
            stays
        });
        for Opened {
            wanted,
            bound,
            sockets,
        } in opened
        {
            let (retired, watch) = watch::channel(false);
            self.crew.listen(sockets, &listener, &watch).await;
            tracing::info!(listener = %plan.name, address = %bound, "listening");
            door.sockets.push(Socket {
                wanted,
                bound,
                retired,
            });
        }
    }

    fn course(
        &self,
        plan: &Arc<ListenerPlan>,
        present: Option<&Listener>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Course {
        let routes = plan.routes.iter().filter_map(|route| {
            self.destination(&route.pool)
                .map(|destination| (route.sni.clone(), destination))
        });
        Course {
            plan: Arc::clone(plan),
            // Nothing staged: the listener did not change, nor does its configuration.
            tls: tls
                .or_else(|| present.and_then(|listener| listener.course().tls.clone()))
                .filter(|_| plan.tls.is_some()),
            switch: Switch {
                routes: routes.collect(),
                default: plan.pool.as_ref().and_then(|pool| self.destination(pool)),
            },
            limit: present.map_or_else(
                || Limit::new(plan.max_connections),
                |l| Arc::clone(l.limit()),
            ),
            process_limit: Arc::clone(&self.process_limit),
            metrics: present.map_or_else(
                || self.metrics.listener(&plan.name),
                |l| Arc::clone(l.metrics()),
            ),
            access: self.access.clone(),
        }
    }

    pub(super) fn close(&mut self, listener: &ListenerName) {
        if let Some(door) = self.listeners.remove(listener) {
            for socket in door.sockets {
                socket.retired.send_replace(true);
                tracing::info!(%listener, address = %socket.bound, "closed");
            }
        }
    }
}

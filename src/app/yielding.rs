//! A successor serves: this howdah accepts no more, gives up what only one can have, and drains.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::heritage::Ended;
use super::pulse::Pulse;
use super::signal::Signal;
use super::{App, reopen_logs};
use crate::admin::{Draining, RuntimeView};
use crate::base::fate::Fate;
use crate::handover::message::Order;
use crate::handover::offer::{Accepted, Last};
use crate::handover::predecessors::{Left, PoolLeft};
use crate::handover::report::Reporter;
use crate::plan::Protocol;
use crate::pool::Pool;
use crate::telemetry::journal::{Event, Kind};

impl App {
    /// Accepts no more, lets the successor know, and lives on until the last session ends, `drain_timeout` is over, or somebody
    /// hurries: a signal, or the successor. As process 1 it stays until its successors have ended, which would end with it.
    pub(super) async fn yield_to(
        mut self,
        accepted: Accepted,
        signals: mpsc::Receiver<Signal>,
    ) -> Ended {
        let (pid, version) = (accepted.hello.pid, accepted.hello.version.clone());
        let deadline = Instant::now() + self.plan.global.drain_timeout;
        let beats = self.pulse.keep();
        let last = self.give_up(&accepted, deadline).await;
        tracing::info!(
            pid,
            version,
            sessions = self.handles.sessions(),
            "taken over: draining"
        );
        let sessions = self.handles.sessions();
        let text = format!(
            "process {pid} (howdah {version}) took over; draining, {sessions} sessions open"
        );
        let event = Event::info(Kind::Takeover, text)
            .from("running")
            .to("draining");
        self.metrics.journal().tell(event);
        if let Err(error) = accepted.draining(&last).await {
            tracing::warn!(pid, %error, "the successor went silent, and has the sockets all the same");
        }
        // The watchdog is the successor's.
        drop(beats);
        self.pulse = Pulse::default();
        let path = self.control.open.take().map(|open| open.path().to_owned());
        self.finish(path.unwrap_or_default(), signals, deadline)
            .await
    }

    /// What only one can have: connections that wait, virtual addresses, the place in the cluster, the admin address, the files of history and state, alerts.
    ///
    /// Gives what the successor goes on with.
    async fn give_up(&mut self, accepted: &Accepted, deadline: Instant) -> Last {
        let given = self.given(&accepted.kept);
        let sockets = self
            .listeners
            .values_mut()
            .flat_map(|runtime| &mut runtime.sockets);
        for socket in sockets {
            let is_given = given.contains(&(socket.bound, socket.protocol));
            socket.shared.clear();
            socket.retired.send_replace(match is_given {
                true => Fate::Given,
                false => Fate::Closing,
            });
        }
        self.workers_have_left(&given).await;
        self.admin_shared.clear();
        if let Some(admin) = &mut self.admin {
            admin.yield_to_successor().await;
        }
        self.alerts.reconcile(&[]);
        self.metrics.draining();
        let until = deadline.into_std();
        self.view.rcu(|view| RuntimeView {
            draining: Some(Draining { until }),
            ..RuntimeView::clone(view)
        });
        self.availability.stopping();
        tokio::join!(self.availability.stop(HISTORY), self.state.close(HISTORY));
        // The file is the successor's from now on.
        self.state.follow(None, &[]);
        let memory = Some(self.remember());
        // Before addresses end, which give their latches back where nobody goes on with them.
        let session = match &self.cluster {
            Some(cluster) if accepted.session => cluster.hand_over().await,
            _ => None,
        };
        // Last, as the kernel keeps an address for three seconds, and partners wait for less: a slow disk must not cost it.
        self.vips.end(true).await;
        self.peers.end();
        if let Some(cluster) = self.cluster.as_ref().filter(|_| !accepted.session) {
            cluster.leave().await;
        }
        Last { memory, session }
    }

    /// Each worker closes its socket when it comes to it, and takes who comes until then. It is waited for, but not for long.
    async fn workers_have_left(&self, given: &[(SocketAddr, Protocol)]) {
        let sockets = self.listeners.values().flat_map(|one| &one.sockets);
        let left = async {
            // Sessions over UDP need their socket to the end.
            for socket in sockets.filter(|one| one.protocol == Protocol::Tcp) {
                if given.contains(&(socket.bound, socket.protocol)) {
                    socket.retired.closed().await;
                }
            }
        };
        let _ = timeout(LEFT, left).await;
    }

    async fn finish(
        mut self,
        path: PathBuf,
        signals: mpsc::Receiver<Signal>,
        deadline: Instant,
    ) -> Ended {
        let is_first = std::process::id() == 1;
        let (left, told) = watch::channel(Left::now());
        let (orders, to_pass_on) = mpsc::channel(ORDERS);
        let mut reporter = Reporter::new(path, told, to_pass_on);
        let (hurry, mut hurried) = mpsc::channel(1);
        let access = self.access.clone();
        tokio::spawn(listen(signals, is_first.then_some(orders), hurry, access));
        {
            let mut told_to_hurry = pin!(reporter.hurried());
            let mut done = false;
            while !done {
                self.show_what_is_left(&left, deadline);
                done = tokio::select! {
                    () = told_to_hurry.as_mut() => true,
                    Some(()) = hurried.recv() => true,
                    done = self.rest(deadline) => done,
                };
            }
        }
        self.show_what_is_left(&left, deadline);
        self.end_what_is_left().await;
        if !is_first {
            return Ended::Yielded;
        }
        left.send_modify(|left| {
            (left.stays, left.sessions) = (true, 0);
            left.pools.clear();
        });
        Ended::Outlived(reporter.outlive().await)
    }

    fn show_what_is_left(&self, left: &watch::Sender<Left>, deadline: Instant) {
        let pools: Vec<PoolLeft> = self
            .pools()
            .iter()
            .filter_map(|pool| sessions_of(pool))
            .collect();
        let (sessions, seconds) = (self.handles.sessions(), deadline - Instant::now());
        left.send_if_modified(|left| {
            let before = left.clone();
            left.sessions = u64::from(sessions);
            left.seconds_left = seconds.as_secs();
            left.pools = pools;
            left.sessions != before.sessions
        });
    }
}

/// Signals of a process that has a successor: a stop hurries; as process 1, which is the one that a container is stopped by,
/// they are the successor's.
async fn listen(
    mut signals: mpsc::Receiver<Signal>,
    orders: Option<mpsc::Sender<Order>>,
    hurry: mpsc::Sender<()>,
    access: crate::telemetry::access::AccessLog,
) {
    while let Some(signal) = signals.recv().await {
        if signal == Signal::Reopen {
            reopen_logs(&access);
        }
        let order = match signal {
            Signal::Stop => Order::Stop,
            Signal::Reload => Order::Reload,
            Signal::Reopen => Order::Reopen,
        };
        match &orders {
            Some(orders) => drop(orders.try_send(order)),
            None if signal == Signal::Stop => drop(hurry.try_send(())),
            None => {}
        }
    }
    std::future::pending::<()>().await;
}

fn sessions_of(pool: &Pool) -> Option<PoolLeft> {
    let snapshot = pool.load();
    let members = snapshot.members().iter().map(|member| &member.server);
    let count = |name: String, sessions: u32| (sessions > 0).then(|| (name, u64::from(sessions)));
    let mut servers: Vec<_> = members
        .filter_map(|server| count(server.name().to_string(), server.sessions_active()))
        .collect();
    let departed = snapshot.departed();
    servers.extend(
        departed.filter_map(|server| count(server.name().to_string(), server.sessions_active())),
    );
    servers.truncate(SHOWN);
    (!servers.is_empty()).then(|| PoolLeft {
        name: pool.name().to_string(),
        servers,
    })
}

/// For workers that have sessions to carry.
const LEFT: Duration = Duration::from_secs(1);
/// For the last of the history, and of the state, to be written.
const HISTORY: Duration = Duration::from_secs(5);
/// Signals that wait for the successor.
const ORDERS: usize = 16;
/// Servers of a pool that a report names.
const SHOWN: usize = 200;

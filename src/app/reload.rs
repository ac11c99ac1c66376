//! Change without loss: prepare (may fail, nothing seen) → commit (cannot fail) → retire.
//!
//! What did not change is not touched: sockets, courses, counters, health and sticky entries stay. A server that
//! leaves the file takes no new sessions; those it has live on until they end or `drain_timeout` is over.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{App, Door, Socket, Team};
use crate::admin::{House, ListenerView, Rejected, Reloaded};
use crate::config;
use crate::listener::Listener;
use crate::listener::bind::{self, BindError};
use crate::plan::diff::{Delta, diff};
use crate::plan::{AccessTarget, ListenerName, ListenerPlan, Plan, PoolName, PoolPlan, ServerPlan};
use crate::pool::{Change, Health, Member, Pool, Server, Snapshot};
use crate::session::registry::Who;
use crate::session::{Course, Destination, Limit, Reason, Switch};
use crate::telemetry::ReloadResult;
use crate::telemetry::access::{AccessLog, Sink};
use crate::telemetry::log;
use crate::tls::connect::Connector;
use crate::tls::{TlsError, accept};

/// Why a plan was not taken. Everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is faulty.
    #[error("the configuration is faulty\n{0}")]
    Faulty(config::Report),
    /// This howdah was not started from a file.
    #[error("there is no file to read again")]
    NoFile,
    /// An address cannot be listened on.
    #[error("listener \"{listener}\": {source}")]
    Bind {
        /// Whose address.
        listener: ListenerName,
        /// Which, and why.
        source: BindError,
    },
    /// Certificates that cannot be put to work.
    #[error("{owner}: {source}")]
    Tls {
        /// Listener or pool.
        owner: String,
        /// Why.
        source: Box<TlsError>,
    },
    /// The file of the access log.
    #[error("the access log cannot be opened: {0}")]
    AccessLog(#[source] io::Error),
}

/// A plan with all that could have failed already done.
pub struct Staged {
    plan: Plan,
    delta: Delta,
    sockets: HashMap<ListenerName, Vec<Opened>>,
    tls: HashMap<ListenerName, Arc<ServerConfig>>,
    connectors: HashMap<PoolName, Connector>,
    sink: Option<Sink>,
}

struct Opened {
    wanted: SocketAddr,
    bound: SocketAddr,
    sockets: Vec<TcpListener>,
}

impl App {
    /// Reads the file again and puts it to work, or leaves everything as it was. What came of it goes to the log,
    /// to the metrics and back to who asked.
    pub async fn reload_and_tell(&mut self) -> Result<Reloaded, Rejected> {
        match self.reload().await {
            Ok(done) => {
                self.metrics.reloaded(ReloadResult::Applied);
                tracing::info!(generation = done.generation, changes = ?done.changes, "reloaded");
                Ok(done)
            }
            Err(error) => {
                self.metrics.reloaded(ReloadResult::Refused);
                tracing::warn!(%error, "reload refused, nothing has changed");
                Err(error.into())
            }
        }
    }

    async fn reload(&mut self) -> Result<Reloaded, ReloadError> {
        let path = self.path.clone().ok_or(ReloadError::NoFile)?;
        let loaded = read(path).await?;
        let staged = self.prepare(loaded.plan)?;
        let changes = staged.delta.describe();
        self.commit(staged).await;
        let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
        Ok(Reloaded {
            generation: self.generation,
            changes,
            warnings,
        })
    }

    /// Opens sockets, builds TLS configurations, opens the log. Nothing of it is seen from outside but the new
    /// addresses, where connections wait.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub fn prepare(&self, plan: Plan) -> Result<Staged, ReloadError> {
        let delta = diff(&self.plan, &plan);
        let mut sockets = HashMap::new();
        let mut tls = HashMap::new();
        for listener in delta.listeners_added.iter().chain(&delta.listeners_changed) {
            sockets.insert(listener.name.clone(), self.open(listener)?);
            if let Some(config) = self.server_config(listener)? {
                tls.insert(listener.name.clone(), config);
            }
        }
        let mut connectors = HashMap::new();
        for pool in delta.pools_added.iter().chain(&delta.pools_changed) {
            if let Some(connector) = connector(pool)? {
                connectors.insert(pool.name.clone(), connector);
            }
        }
        let sink = self.sink(&plan).map_err(ReloadError::AccessLog)?;
        Ok(Staged {
            plan,
            delta,
            sockets,
            tls,
            connectors,
            sink,
        })
    }

    /// Puts a staged plan to work.
    pub async fn commit(&mut self, staged: Staged) {
        let Staged {
            plan,
            delta,
            mut sockets,
            mut tls,
            mut connectors,
            sink,
        } = staged;
        self.generation += 1;
        self.metrics.generation(self.generation);
        self.process_limit.set(Some(plan.global.max_connections));
        log::set_level(plan.log.level);
        if let Some(sink) = sink {
            self.access.switch(sink);
        }
        for pool in &delta.pools_added {
            self.add_pool(pool, connectors.remove(&pool.name));
        }
        for pool in &delta.pools_changed {
            self.change_pool(pool, connectors.remove(&pool.name)).await;
        }
        self.plan = plan;
        let fresh: Vec<_> = delta
            .pools_added
            .iter()
            .filter_map(|plan| self.pools.get(&plan.name))
            .collect();
        verdicts(
            &fresh
                .iter()
                .map(|team| Arc::clone(&team.pool))
                .collect::<Vec<_>>(),
        )
        .await;
        for listener in self.plan.listeners.clone() {
            let opened = sockets.remove(&listener.name).unwrap_or_default();
            let config = tls.remove(&listener.name);
            self.follow(&listener, opened, config).await;
        }
        for name in &delta.listeners_removed {
            self.close(name);
        }
        for name in &delta.pools_removed {
            self.remove_pool(name);
        }
        self.show_certificates();
        self.show_house();
    }

    /// Opens the addresses that this listener does not have yet.
    fn open(&self, listener: &ListenerPlan) -> Result<Vec<Opened>, ReloadError> {
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
    fn server_config(
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

    /// A file is opened at each reload, also under the same name: that is how logs are rotated.
    fn sink(&self, plan: &Plan) -> io::Result<Option<Sink>> {
        let changed = plan.log.access != self.plan.log.access;
        let is_file = matches!(plan.log.access, AccessTarget::File(_));
        (changed || is_file)
            .then(|| AccessLog::open(&plan.log.access))
            .transpose()
    }

    fn add_pool(&mut self, plan: &Arc<PoolPlan>, connector: Option<Connector>) {
        let (pool, keeper) = Pool::new(Arc::clone(plan), &self.metrics);
        self.tasks.spawn(keeper.run());
        self.attend(&pool);
        self.pools
            .insert(plan.name.clone(), Team { pool, connector });
    }

    /// Servers that stay keep everything. When none of those can serve, the old ones go on until the new have
    /// had their first verdict, so that there is no moment without a server.
    async fn change_pool(&mut self, plan: &Arc<PoolPlan>, connector: Option<Connector>) {
        let Some(team) = self.pools.get_mut(&plan.name) else {
            return;
        };
        team.connector = connector;
        let pool = Arc::clone(&team.pool);
        let before = Arc::clone(&pool.load());
        if let Some(both) = with_leavers(plan, &before) {
            self.tell(&pool, both).await;
            self.attend(&pool);
            verdicts(std::slice::from_ref(&pool)).await;
        }
        self.tell(&pool, Arc::clone(plan)).await;
        self.attend(&pool);
        self.retire(&before, &pool.load());
    }

    async fn tell(&self, pool: &Pool, plan: Arc<PoolPlan>) {
        if let Err(refused) = pool.send(Change::Plan(plan)).await {
            tracing::error!(pool = %pool.name(), %refused, "the pool did not change");
        }
    }

    fn remove_pool(&mut self, name: &PoolName) {
        let Some(team) = self.pools.remove(name) else {
            return;
        };
        self.checkers.forget(name);
        self.names.forget(name);
        let last = Arc::clone(&team.pool.load());
        let deadline = Instant::now() + last.plan().drain_timeout;
        for member in last.members() {
            self.end_sessions_at(&member.server, deadline);
        }
    }

    /// Servers that left the snapshot drain; their time is bounded.
    fn retire(&self, before: &Snapshot, after: &Snapshot) {
        for member in before.members() {
            if let Some(deadline) = member.server.retire_at()
                && !after
                    .members()
                    .iter()
                    .any(|other| other.server.id() == member.server.id())
            {
                tracing::info!(
                    pool = %after.plan().name, server = %member.server.name(),
                    sessions = member.server.sessions_active(), "removed, draining"
                );
                self.end_sessions_at(&member.server, deadline);
            }
        }
    }

    /// Ends what is left on `server` at `deadline`, unless the server has come back into the file by then.
    pub(super) fn end_sessions_at(&self, server: &Arc<Server>, deadline: Instant) {
        let (server, crew) = (Arc::downgrade(server), self.crew.clone());
        self.tasks.spawn(async move {
            sleep_until(deadline).await;
            let Some(server) = server.upgrade() else {
                return;
            };
            if server.sessions_active() > 0
                && server.retire_at().is_none_or(|at| at <= Instant::now())
            {
                crew.cut(Who::On(server.id()), Reason::Drained).await;
            }
        });
    }

    /// The next session of the listener follows the new plan; its sockets are what the plan says.
    async fn follow(
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
}

impl App {
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

    fn destination(&self, pool: &PoolName) -> Option<Destination> {
        self.pools.get(pool).map(|team| Destination {
            pool: Arc::clone(&team.pool),
            connector: team.connector.clone(),
            metrics: Arc::clone(team.pool.metrics()),
        })
    }

    fn close(&mut self, listener: &ListenerName) {
        if let Some(door) = self.listeners.remove(listener) {
            for socket in door.sockets {
                socket.retired.send_replace(true);
                tracing::info!(%listener, address = %socket.bound, "closed");
            }
        }
    }

    fn show_house(&self) {
        let listener = |plan: &Arc<ListenerPlan>| {
            let door = self.listeners.get(&plan.name)?;
            Some(ListenerView {
                name: plan.name.clone(),
                bound: door.sockets.iter().map(|socket| socket.bound).collect(),
                pools: (plan
                    .pool
                    .iter()
                    .chain(plan.routes.iter().map(|route| &route.pool)))
                .cloned()
                .collect(),
                metrics: Arc::clone(door.listener.metrics()),
            })
        };
        let pool = |plan: &Arc<PoolPlan>| Some(Arc::clone(&self.pools.get(&plan.name)?.pool));
        self.house.rcu(|house| House {
            generation: self.generation,
            listeners: self.plan.listeners.iter().filter_map(listener).collect(),
            pools: self.plan.pools.iter().filter_map(pool).collect(),
            token: self.plan.admin.token.clone(),
            ..House::clone(house)
        });
    }

    fn show_certificates(&self) {
        let of_listener = |plan: &Arc<ListenerPlan>| {
            plan.tls
                .iter()
                .flat_map(|tls| tls.identities.clone())
                .collect::<Vec<_>>()
        };
        let of_pool = |plan: &Arc<PoolPlan>| {
            plan.tls
                .iter()
                .filter_map(|tls| tls.identity.clone())
                .collect::<Vec<_>>()
        };
        let all = self.plan.listeners.iter().flat_map(of_listener);
        let all: Vec<_> = all
            .chain(self.plan.pools.iter().flat_map(of_pool))
            .collect();
        let texts: Vec<_> = all
            .iter()
            .map(|one| (one.cert_path.display().to_string(), one.not_after))
            .collect();
        self.metrics
            .certificates(texts.iter().map(|(path, end)| (path.as_str(), *end)));
    }
}

impl From<ReloadError> for Rejected {
    fn from(error: ReloadError) -> Self {
        let faults = match &error {
            ReloadError::Faulty(report) => report.faults.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let error = match error {
            ReloadError::Faulty(_) => "the configuration is faulty; nothing has changed".to_owned(),
            other => format!("{other}; nothing has changed"),
        };
        Self { error, faults }
    }
}

/// Disk may be slow: read on a thread of its own.
async fn read(path: PathBuf) -> Result<config::Loaded, ReloadError> {
    match tokio::task::spawn_blocking(move || config::load(&path)).await {
        Ok(loaded) => loaded.map_err(ReloadError::Faulty),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn connector(pool: &PoolPlan) -> Result<Option<Connector>, ReloadError> {
    let made = pool.tls.as_ref().map(Connector::new).transpose();
    made.map_err(|source| ReloadError::Tls {
        owner: format!("pool \"{}\"", pool.name),
        source: Box::new(source),
    })
}

/// The new plan and the old servers that it leaves out, where none that stays can serve.
fn with_leavers(plan: &PoolPlan, before: &Snapshot) -> Option<Arc<PoolPlan>> {
    let stays = |member: &&Member| plan.servers.iter().any(|new| is_same(new, &member.plan));
    let stays_up = before
        .members()
        .iter()
        .filter(stays)
        .any(|member| member.standing.is_on_offer());
    if stays_up || !before.can_serve() {
        return None;
    }
    let mut both = plan.clone();
    let leavers = before
        .members()
        .iter()
        .filter(|member| !plan.servers.iter().any(|new| new.name == member.plan.name));
    both.servers
        .extend(leavers.map(|member| Arc::clone(&member.plan)));
    Some(Arc::new(both))
}

fn is_same(new: &ServerPlan, old: &ServerPlan) -> bool {
    new.name == old.name && new.address == old.address
}

/// Until every pool can serve, or knows that it cannot; bounded by the time that a probe may take.
pub(super) async fn verdicts(pools: &[Arc<Pool>]) {
    let decided = |pool: &Arc<Pool>| {
        let now = pool.load();
        now.can_serve()
            || now
                .members()
                .iter()
                .all(|member| member.health != Health::Unknown)
    };
    let patience = |pool: &Arc<Pool>| pool.load().plan().probe.as_ref().map(|probe| probe.timeout);
    let longest = pools.iter().filter_map(patience).max().unwrap_or_default();
    let deadline = Instant::now() + longest + GLANCE;
    while !pools.iter().all(decided) && Instant::now() < deadline {
        sleep(GLANCE).await;
    }
}

/// How often verdicts are looked for while a reload waits for them.
const GLANCE: Duration = Duration::from_millis(5);

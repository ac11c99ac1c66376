//! Knows every room, decides nothing else.
//!
//! An [`App`] is one running howdah: its workers, listeners and pools, under one [`Plan`]. It is started from
//! nothing the same way as it is reloaded: the difference between two plans is prepared, which may fail, then
//! committed, which cannot ([`reload`]). It lives on the control thread; sessions live on the workers and need it
//! for nothing.

mod changes;
mod cluster;
mod error;
mod falls;
mod former;
mod handover;
pub mod heritage;
mod lead;
mod listeners;
mod orphans;
mod pools;
mod pulse;
mod reach;
mod recall;
mod reload;
mod reloads;
mod sampler;
mod show;
pub mod signal;
mod step;
mod stop;
mod vips;
mod waiting;
mod yielding;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

pub use self::error::{ReloadError, RunError, StartError};
use self::former::{Former, Orders};
pub use self::heritage::Ended;
use self::heritage::{Control, Giving, Heritage, answer_of, refuse_all};
use self::pulse::Pulse;
use self::reach::{REACH_EVERY, Reachability};
use self::reloads::Reloads;
use self::signal::Signal;
use self::step::{GLANCE, HeldBack, Step, Waiting};
use crate::admin::{AdminServer, AdminThread, Command, Configuration, HandlerContext, RuntimeView};
use crate::alerts::{Alerts, Exists};
use crate::availability::Availability;
use crate::base::fate::Fate;
use crate::cluster::Cluster;
use crate::config;
use crate::discovery::{Names, Sources};
use crate::handover::claim::Claim;
use crate::handover::inherited::Inherited;
use crate::handover::manager::Manager;
use crate::handover::message::{Described, Membership};
use crate::handover::predecessors::Predecessors;
use crate::health::command::Programs;
use crate::health::{Checkers, LoadReaders};
use crate::listener::handles::WorkerHandles;
use crate::listener::{Listener, Owner};
use crate::peers::Peers;
use crate::plan::{ListenerName, Plan, PoolName, Protocol, ServerName};
use crate::pool::Pool;
use crate::session::Limit;
use crate::state::StateFile;
use crate::telemetry::Metrics;
use crate::telemetry::access::AccessLog;
use crate::telemetry::journal::{Event, Kind};
use crate::telemetry::log;
use crate::tls::connect::Connector;
use crate::vip::Vips;

/// A running howdah.
pub struct App {
    plan: Plan,
    /// Where the plan is read from again; `None` for a plan made in the program (the demo).
    path: Option<PathBuf>,
    /// What the file says that runs.
    words: config::Words,
    generation: u64,
    metrics: Metrics,
    access: AccessLog,
    handles: WorkerHandles,
    threads: Vec<JoinHandle<()>>,
    process_limit: Arc<Limit>,
    listeners: HashMap<ListenerName, ListenerRuntime>,
    pools: HashMap<PoolName, PoolRuntime>,
    /// Addresses that are about to close.
    retiring: Vec<Socket>,
    /// Steps of the present plan that are still to be taken.
    waiting: Vec<Waiting>,
    /// Pools that left the file, and will be removed when no listener leads to them any more.
    leaving: Vec<PoolName>,
    /// Pools that were removed, and perhaps still have sessions.
    gone: HashMap<PoolName, Weak<Pool>>,
    reloads: Reloads,
    /// Settings of the file that wait for the next start.
    needs_restart: Vec<&'static str>,
    /// Certificates that end soon, with the days that the journal was told of.
    told_of: HashMap<String, u64>,
    availability: Availability,
    vips: Arc<Vips>,
    cluster: Option<Cluster>,
    /// Another howdah leads: no listener of ours is open.
    stands_by: bool,
    /// The predecessor's place in the cluster, where this howdah goes on in it.
    place: Option<Membership>,
    /// Sockets of listeners that are opened when this howdah leads, as the predecessor does until then.
    held_back: Vec<HeldBack>,
    state: StateFile,
    /// What a former howdah left, until the pools of the start have it.
    memory: Option<Former>,
    /// What was in force when a predecessor told it.
    handed: Orders,
    reach: Reachability,
    alerts: Alerts,
    peers: Peers,
    checkers: Checkers,
    programs: Programs,
    load_readers: LoadReaders,
    names: Names,
    sources: Sources,
    /// Pools whose sources list others now.
    listed: mpsc::Receiver<PoolName>,
    /// Keepers and deadlines; they end with the app.
    tasks: Tasks,
    /// What the admin server shows.
    view: Arc<ArcSwap<RuntimeView>>,
    admin_address: SocketAddr,
    /// Answers for as long as the app lives, or until a successor does.
    admin: Option<AdminThread>,
    /// Bound, and not yet answering.
    doors: Option<(AdminServer, HandlerContext)>,
    /// The admin server's sockets once more, for a successor.
    admin_shared: Vec<(Described, OwnedFd)>,
    commands: mpsc::Receiver<Command>,
    /// What came from elsewhere and was not taken yet.
    inherited: Inherited,
    /// To the predecessor, until this howdah serves.
    claim: Option<Claim>,
    /// No predecessor serves any more.
    has_entered: bool,
    /// The control socket.
    control: Control,
    predecessors: Predecessors,
    manager: Manager,
    /// What its watchdog hears, from when this howdah serves until another one does.
    pulse: Pulse,
    /// A takeover that is under way.
    giving: Option<Giving>,
}

/// The file that a plan was read from.
pub struct Source {
    /// Where it is read again.
    pub path: PathBuf,
    /// What it says.
    pub words: config::Words,
}

/// A listener and its sockets.
struct ListenerRuntime {
    listener: Arc<Listener>,
    sockets: Vec<Socket>,
}

/// One address, open on every worker.
struct Socket {
    /// As in the plan; its port may be 0.
    wanted: SocketAddr,
    /// As the system gave it.
    bound: SocketAddr,
    protocol: Protocol,
    /// Whose it is for the next connection.
    owner: Arc<Owner>,
    /// Closes the address.
    retired: watch::Sender<Fate>,
    /// The sockets once more, for a successor: they close with those of the workers, or before.
    shared: Vec<OwnedFd>,
    /// A predecessor has them too, as long as there is a claim.
    is_inherited: bool,
}

/// A pool and what sessions need with it.
struct PoolRuntime {
    pool: Arc<Pool>,
    connector: Option<Connector>,
}

impl App {
    /// Starts what `plan` asks for. On return every address is open, and connections wait there until [`Self::run`] has
    /// seen the first verdicts of their pools.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub async fn start(
        plan: Plan,
        source: Option<Source>,
        metrics: Metrics,
        programs: Programs,
    ) -> Result<Self, StartError> {
        Self::start_with(plan, source, metrics, programs, Heritage::default()).await
    }

    /// The same, with what came from elsewhere.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub async fn start_with(
        plan: Plan,
        source: Option<Source>,
        metrics: Metrics,
        programs: Programs,
        heritage: Heritage,
    ) -> Result<Self, StartError> {
        let Heritage {
            mut inherited,
            door,
            manager,
            user,
            is_successor,
            memory,
            cluster: former,
        } = heritage;
        let (path, words) = source.map(|source| (source.path, source.words)).unzip();
        let words = words.unwrap_or_default();
        let configuration = Configuration::of(path.clone(), &words.text);
        let server = AdminServer::inherit(&plan.admin, &mut inherited)?;
        let admin_shared = server.share(&plan.admin).map_err(StartError::Sockets)?;
        let sink = AccessLog::open(&plan.log).map_err(StartError::AccessLog)?;
        let access = AccessLog::start(sink, &metrics).map_err(StartError::AccessLog)?;
        let cores = std::thread::available_parallelism();
        let workers = plan.global.workers.or(cores.ok()).map_or(1, usize::from);
        let (handles, threads) =
            WorkerHandles::start(workers, plan.global.cpu_affinity).map_err(StartError::Workers)?;
        let availability = match is_successor {
            true => Availability::start_later(&plan.history, &metrics),
            false => Availability::start(&plan.history, &metrics),
        };
        let availability = availability.map_err(StartError::History)?;
        let predecessors = Predecessors::default();
        let fences = cluster::Fences::default();
        let vips = Vips::start(&plan.vips, &metrics, fences.clone().permission())
            .map_err(StartError::Vips)?;
        let (state, filed) =
            StateFile::open(plan.state.file.as_deref(), &metrics).map_err(StartError::State)?;
        let memory = memory.and_then(|bytes| Former::handed_over(&bytes, &metrics));
        let handed = memory.as_ref().map(Former::orders).unwrap_or_default();
        let memory = memory.or(filed.map(Former::of_file));
        let (orders, commands) = mpsc::channel(COMMANDS);
        let (sources, listed) = Sources::new(|path, pool| {
            config::members(path, pool).map_err(|report| report.to_string())
        });
        let peers = Peers::new(&metrics);
        let view = Arc::new(ArcSwap::from_pointee(RuntimeView {
            started: std::time::Instant::now(),
            generation: 0,
            listeners: Vec::new(),
            pools: Vec::new(),
            draining: None,
            needs_restart: Vec::new(),
            refused: None,
            plan: None,
            cluster: None,
            configuration,
            certificates: Vec::new(),
            admin: plan.admin.clone(),
            vips: vips.board(),
            peers: peers.view(),
            state: state.view(),
            predecessors: predecessors.clone(),
        }));
        let cluster = cluster::join(&plan, &view, server.address(), &metrics, !is_successor)?;
        fences.are_of(cluster.as_ref());
        let stands_by = cluster.as_ref().is_some_and(Cluster::is_exclusive);
        let goes_on = |former: &_| {
            cluster
                .as_ref()
                .is_some_and(|one| cluster::succeeds(one, former))
        };
        let place = former.filter(goes_on);
        let mut app = Self {
            alerts: Alerts::new(&metrics, still_there(&view)),
            peers,
            plan: Plan {
                listeners: Vec::new(),
                pools: Vec::new(),
                alerts: Vec::new(),
                ..plan.clone()
            },
            path,
            words: config::Words::default(),
            generation: 0,
            access,
            handles,
            threads,
            process_limit: Limit::new(
                Some(plan.global.max_connections),
                plan.global.max_per_second,
            ),
            listeners: HashMap::new(),
            pools: HashMap::new(),
            retiring: Vec::new(),
            waiting: Vec::new(),
            leaving: Vec::new(),
            gone: HashMap::new(),
            reloads: Reloads::default(),
            needs_restart: Vec::new(),
            told_of: HashMap::new(),
            availability: availability.clone(),
            vips: Arc::new(vips),
            cluster,
            stands_by,
            place,
            held_back: Vec::new(),
            state,
            memory,
            handed,
            reach: Reachability::default(),
            checkers: Checkers::new(programs.clone()),
            programs,
            load_readers: LoadReaders::new(),
            names: Names::new(),
            sources,
            listed,
            tasks: Tasks::default(),
            view,
            admin_address: server.address(),
            admin: None,
            doors: None,
            admin_shared,
            commands,
            inherited,
            claim: None,
            has_entered: !is_successor,
            control: Control::new(door, user),
            predecessors,
            manager,
            pulse: Pulse::default(),
            giving: None,
            metrics,
        };
        let staged = app.prepare(plan, words)?;
        app.tell_of_the_start();
        app.tasks.spawn(availability.clone().run());
        app.commit(staged).await;
        if let Some(cluster) = app.cluster.clone() {
            app.tasks.spawn(cluster.run());
        }
        app.forget_the_rest();
        let timelines = app.metrics.timelines().clone();
        app.tasks
            .spawn(sampler::sample(Arc::clone(&app.view), timelines));
        let context = HandlerContext {
            view: Arc::clone(&app.view),
            metrics: app.metrics.clone(),
            commands: orders,
            sessions: app.handles.session_table(),
            schema: config::schema,
            availability,
        };
        // Only now, so that nobody sees a program without listeners, least of all one that is ready; a successor answers when it
        // serves, as nobody may hear from it that it does not yet.
        app.doors = Some((server, context));
        if !is_successor {
            app.answer().map_err(StartError::AdminThread)?;
        }
        Ok(app)
    }

    /// Serves until `signals` say stop, or their sender is gone, or a successor serves. A second [`Signal::Stop`] hurries.
    /// `serves` is called when every listener does.
    ///
    /// # Errors
    /// When this one was to take over, and the old one goes on.
    pub async fn run(
        mut self,
        signals: mpsc::Receiver<Signal>,
        serves: impl FnOnce(),
    ) -> Result<Ended, RunError> {
        orphans::bury_as_process_1();
        let mut serves = Some(serves);
        let mut daily = interval_at(Instant::now() + CERTIFICATES_EVERY, CERTIFICATES_EVERY);
        let mut glances = interval_at(Instant::now() + REACH_EVERY, REACH_EVERY);
        glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut signals, mut successors) = self.hear(signals);
        let mut told = false;
        let mut leads = self.cluster.as_ref().map(Cluster::leads);
        // Also where it was so before anybody looked.
        leads.iter_mut().for_each(watch::Receiver::mark_changed);
        loop {
            if self.waiting.is_empty() && !told {
                if let Err(error) = self.enter().await {
                    let access = self.access.clone();
                    self.stop(stopped_twice(signals, access)).await;
                    return Err(error);
                }
                self.tell_ready();
                if let Some(serves) = serves.take() {
                    serves();
                }
                told = true;
            }
            self.next_reload();
            tokio::select! {
                _ = daily.tick() => self.show_certificates(),
                () = self.pulse.due() => self.pulse.beat(),
                _ = glances.tick() => {
                    self.reach.look(&self.view.load(), self.metrics.journal());
                    self.open_what_is_missing().await;
                }
                signal = signals.recv() => match signal {
                    Some(Signal::Reload) => self.reloads.ask("signal", None),
                    Some(Signal::Reopen) => reopen_logs(&self.access),
                    Some(Signal::Stop) | None => break,
                },
                Some(command) = self.commands.recv() => self.obey(command),
                Some(pool) = self.listed.recv() => self.look_after(&pool),
                Some(successor) = successors.recv() => self.offer_to(successor, told),
                answered = answer_of(&mut self.giving) => {
                    if let Some(accepted) = self.judge(answered) {
                        return Ok(Box::pin(self.yield_to(accepted, signals)).await);
                    }
                }
                read = self.reloads.read() => self.reload(read).await,
                () = cluster::turns(&mut leads), if self.waiting.is_empty() => self.follow_the_leader().await,
                () = sleep(GLANCE), if !self.waiting.is_empty() => self.advance().await,
            }
        }
        refuse_all(successors, self.metrics.clone());
        let access = self.access.clone();
        self.stop(stopped_twice(signals, access)).await;
        Ok(Ended::Stopped)
    }

    fn tell_of_the_start(&self) {
        let version = env!("CARGO_PKG_VERSION");
        let file = self.path.as_ref().map(|path| path.display().to_string());
        let file = file.map(|file| format!(" with {file}")).unwrap_or_default();
        let event = Event::info(Kind::Start, format!("howdah {version} started{file}"));
        self.metrics.journal().tell(event.to("running"));
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Reload {
                dry_run: true,
                reply,
                ..
            } => self.rehearse(reply),
            Command::Reload { by, reply, .. } => self.reloads.ask(&by, Some(reply)),
        }
    }

    /// The addresses of a listener, as the system gave them.
    pub fn addresses(&self, listener: &str) -> Vec<SocketAddr> {
        let name = ListenerName::new(listener);
        let runtime = self.listeners.get(&name).into_iter();
        let open = runtime
            .flat_map(|runtime| &runtime.sockets)
            .map(|one| one.bound);
        let steps = self.waiting.iter().flat_map(|waiting| &waiting.steps);
        let waiting = steps.filter(|step| *step.listener() == name);
        open.chain(waiting.flat_map(Step::opened)).collect()
    }

    /// Those that run, in the order of the plan.
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        self.view.load().pools.clone()
    }

    /// Where the admin server listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Servers are listed, names looked up and servers probed as the pool's present plan says.
    fn attend(&mut self, pool: &Arc<Pool>) {
        self.sources.reconcile(pool);
        self.names.reconcile(pool);
        self.checkers.reconcile(pool);
        self.load_readers.reconcile(pool);
    }

    /// A source lists others now.
    fn look_after(&mut self, pool: &PoolName) {
        if let Some(runtime) = self.pools.get(pool) {
            self.names.reconcile(&runtime.pool);
            self.checkers.reconcile(&runtime.pool);
            self.load_readers.reconcile(&runtime.pool);
        }
    }
}

/// Whether a pool, or a server of it, is still one of ours.
fn still_there(view: &Arc<ArcSwap<RuntimeView>>) -> Exists {
    let view = Arc::clone(view);
    Arc::new(move |pool, server| {
        let view = view.load();
        let mut pools = view.pools.iter();
        let pool = pools.find(|one| one.name().as_str() == pool);
        pool.is_some_and(|pool| {
            server.is_none_or(|server| pool.load().member(&ServerName::new(server)).is_some())
        })
    })
}

/// Completes at the next stop; logs are opened again meanwhile, as they are rotated also while the last sessions take their hours.
async fn stopped_twice(mut signals: mpsc::Receiver<Signal>, access: AccessLog) {
    while let Some(signal) = signals.recv().await {
        match signal {
            Signal::Stop => return,
            Signal::Reopen => reopen_logs(&access),
            Signal::Reload => {}
        }
    }
    std::future::pending().await
}

/// The writers do it, so that a disk which hangs holds nobody else.
fn reopen_logs(access: &AccessLog) {
    tracing::info!("log files are opened again");
    log::reopen();
    access.reopen();
}

/// Tasks of the control thread that nobody waits for.
#[derive(Default)]
struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!("a task of the control thread panicked: report this");
            }
        }
        tasks.spawn(task);
    }

    /// Drops them all.
    async fn end(self) {
        let mut tasks = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        tasks.shutdown().await;
    }
}

/// How often certificates are looked at while nothing else happens.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Orders that may wait; each is answered, so more would only hide a stuck control thread.
const COMMANDS: usize = 16;
#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &std::path::Path, servers: &str) {
        let text = format!(
            "[admin]\nbind = \"127.0.0.1:0\"\n[log]\naccess = \"off\"\n\
             [[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\npool = \"p\"\n\
             [pool.p]\nservice = \"tcp\"\nprobe = \"none\"\nservers = [{servers}]\n"
        );
        std::fs::write(path, text).expect("writes");
    }

    #[tokio::test]
    async fn a_stop_soon_after_a_server_left_does_not_hang() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("howdah.toml");
        file(&path, "\"127.0.0.1:1\", \"127.0.0.1:2\"");
        let loaded = config::load(&path).expect("valid");
        let (path, words) = (path.clone(), loaded.words);
        let app = App::start(
            loaded.plan,
            Some(Source {
                path: path.clone(),
                words,
            }),
            Metrics::new(),
            Programs::default(),
        )
        .await;
        let app = app.expect("starts");
        let view = Arc::clone(&app.view);
        let (sender, signals) = mpsc::channel(4);
        let running = tokio::spawn(app.run(signals, || {}));
        file(&path, "\"127.0.0.1:1\"");
        sender.send(Signal::Reload).await.expect("listens");
        while view.load().generation < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        sender.send(Signal::Stop).await.expect("listens");
        let stopped = tokio::time::timeout(Duration::from_secs(4), running).await;
        let ended = stopped.expect("hangs").expect("no panic");
        assert!(matches!(ended, Ok(Ended::Stopped)), "{ended:?}");
    }
}

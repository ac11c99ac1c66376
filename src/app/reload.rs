//! Change without loss: prepare (may fail, nothing seen) → commit (cannot fail) → retire.
//!
//! What did not change is not touched: sockets, session configs, counters, health and sticky entries stay. A server that
//! leaves the file takes no new sessions; those it has live on until they end or `drain_timeout` is over.
//!
//! Nothing here holds the control thread up: the file is read on a thread of its own, and listeners that wait for first
//! verdicts ([`super::waiting`]) do so while signals and commands are heard. One reload runs at a time: those asked for
//! meanwhile become one, which begins when the present one is complete.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;

use super::App;
use super::changes::Change;
use super::error::ReloadError;
use super::pools::connector;
use super::reloads::Reply;
use super::step::{Handover, Opened, Step};
use crate::admin::{Configuration, Refusal, Rejected, ReloadView, Reloaded, RuntimeView};
use crate::config::{self, Loaded, Words};
use crate::health::command::{Programs, commands};
use crate::peers;
use crate::plan::diff::{Delta, diff, keep_what_needs_a_restart};
use crate::plan::{ListenerName, LogTarget, Plan, PoolName};
use crate::telemetry::ReloadResult;
use crate::telemetry::access::{AccessLog, Sink};
use crate::telemetry::journal::{Event, Kind};
use crate::telemetry::log;
use crate::tls::connect::Connector;

/// A plan with all that could have failed already done.
pub(super) struct Staged {
    plan: Plan,
    words: Words,
    delta: Delta,
    sockets: HashMap<ListenerName, Vec<Opened>>,
    handovers: Vec<Handover>,
    tls: HashMap<ListenerName, Arc<ServerConfig>>,
    connectors: HashMap<PoolName, Connector>,
    sink: Option<Sink>,
    peers: peers::Staged,
}

impl App {
    /// Begins a reload if one is due and none runs.
    pub(super) fn next_reload(&mut self) {
        // A successor is being shown what runs: it stays so until that is over.
        if self.waiting.is_empty() && self.giving.is_none() && self.reloads.is_due() {
            self.manager.reloading();
            match self.path.clone() {
                Some(path) => self.reloads.begin(path),
                None => self.refuse(ReloadError::NoFile),
            }
        }
    }

    /// Puts the file that was read to work, or leaves everything as it was. What came of it goes to the log, to the
    /// metrics and to who asked.
    pub(super) async fn reload(&mut self, read: Result<Loaded, ReloadError>) {
        let staged =
            read.and_then(|read| Ok((self.prepare(read.plan, read.words)?, read.warnings)));
        let (staged, warnings) = match staged {
            Ok(staged) => staged,
            Err(error) => return self.refuse(error),
        };
        let changes = self.change(&staged).describe();
        self.metrics.reloaded(ReloadResult::Applied);
        tracing::info!(
            generation = self.generation + 1,
            changes = log::List::of(&changes).value(),
            "reloaded"
        );
        self.tell_of_reload(&changes, &staged.delta.needs_restart);
        let taken = self.noted(Ok(changes.clone()));
        self.view.rcu(|view| RuntimeView {
            refused: None,
            configuration: Configuration {
                loaded_at: SystemTime::now(),
                text: staged.words.text.as_str().into(),
                ..taken.clone()
            },
            ..RuntimeView::clone(view)
        });
        self.reloads.committed(Reloaded {
            generation: self.generation + 1,
            changes,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        });
        self.commit(staged).await;
    }

    fn tell_of_reload(&self, changes: &[String], needs_restart: &[&'static str]) {
        let journal = self.metrics.journal();
        let generation = self.generation + 1;
        let text = match changes {
            [] => format!("reloaded as no. {generation}, nothing had changed"),
            [one] => format!("reloaded as no. {generation}: {one}"),
            all => format!("reloaded as no. {generation}: {} changes", all.len()),
        };
        let event = Event::info(Kind::Reload, text).changes(changes);
        let event = event.by(self.reloads.by());
        journal.tell(event.from(self.generation).to(generation));
        let mut new = needs_restart.iter();
        if new.any(|key| !self.needs_restart.contains(key)) {
            let text = format!(
                "changes wait for the next start: {}",
                needs_restart.join(", ")
            );
            journal.tell(Event::warning(Kind::RestartNeeded, text));
        }
    }

    fn refuse(&mut self, error: ReloadError) {
        self.metrics.reloaded(ReloadResult::Refused);
        // Who asked hears all of it; everybody else where it is, and that `howdah check` tells how to mend it.
        let why = Rejected::from(error);
        let error = match why.told.as_slice() {
            [] => why.error.clone(),
            told => told.join("; "),
        };
        tracing::warn!(error, "reload refused, nothing has changed");
        let text = format!("reload refused, nothing has changed: {error}");
        let event = Event::error(Kind::ReloadRefused, text).by(self.reloads.by());
        self.metrics.journal().tell(event);
        let refusal = Arc::new(Refusal {
            at: SystemTime::now(),
            why: why.clone(),
        });
        let faults = why.told.iter().map(|fault| format!("\n{fault}"));
        let refused = self.noted(Err(why.error.clone() + &faults.collect::<String>()));
        self.view.rcu(|view| RuntimeView {
            refused: Some(Arc::clone(&refusal)),
            configuration: refused.clone(),
            ..RuntimeView::clone(view)
        });
        self.reloads.refused(&why);
        // It was told that we reload, and waits for the end of that, whatever came of it.
        let status = self.status();
        self.manager
            .ready(&format!("{status}; a reload was refused: {error}"));
    }

    /// The configuration's story, with one reload more.
    fn noted(&self, outcome: Result<Vec<String>, String>) -> Configuration {
        let mut configuration = self.view.load().configuration.clone();
        configuration.note(ReloadView {
            at: SystemTime::now(),
            by: self.reloads.by(),
            outcome,
        });
        configuration
    }

    fn change<'c>(&'c self, staged: &'c Staged) -> Change<'c> {
        Change {
            delta: &staged.delta,
            plans: (&self.plan, &staged.plan),
            words: (&self.words.settings, &staged.words.settings),
            pools: self.pools(),
        }
    }

    /// Says what a reload would change, and changes nothing. Addresses and logs are not opened.
    pub(super) fn rehearse(&self, reply: Reply) {
        let Some(path) = self.path.clone() else {
            let _ = reply.send(Err(ReloadError::NoFile.into()));
            return;
        };
        let (plan, words) = (self.plan.clone(), self.words.settings.clone());
        let (pools, programs, generation) = (self.pools(), self.programs.clone(), self.generation);
        let judge = move || {
            let loaded = config::load(&path).map_err(ReloadError::Faulty)?;
            let delta = compare(&plan, &loaded.plan, &programs);
            let change = Change {
                delta: &delta,
                plans: (&plan, &loaded.plan),
                words: (&words, &loaded.words.settings),
                pools,
            };
            Ok(Reloaded {
                generation,
                changes: change.describe(),
                warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
            })
        };
        self.tasks.spawn(async move {
            let judged = tokio::task::spawn_blocking(judge).await;
            let judged: Result<Reloaded, ReloadError> =
                judged.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
            // Who asked may have gone.
            let _ = reply.send(judged.map_err(Rejected::from));
        });
    }

    /// Opens sockets, builds TLS configurations, opens the log. Nothing of it is seen from outside but the new
    /// addresses, where connections wait.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub(super) fn prepare(&mut self, plan: Plan, words: Words) -> Result<Staged, ReloadError> {
        let delta = match self.generation {
            0 => diff(&self.plan, &plan),
            _ => compare(&self.plan, &plan, &self.programs),
        };
        let mut sockets = HashMap::new();
        let mut handovers = Vec::new();
        let mut tls = HashMap::new();
        for listener in delta.listeners_added.iter().chain(&delta.listeners_changed) {
            let opened = self.open(listener, &plan, &mut handovers)?;
            sockets.insert(listener.name.clone(), opened);
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
        let peers = self.peers.prepare(plan.peers.as_deref())?;
        Ok(Staged {
            plan,
            words,
            delta,
            sockets,
            handovers,
            tls,
            connectors,
            sink,
            peers,
        })
    }

    /// Puts a staged plan to work: at once, but for listeners that wait for first verdicts.
    pub(super) async fn commit(&mut self, staged: Staged) {
        let Staged {
            mut plan,
            words,
            delta,
            sockets,
            handovers,
            tls,
            mut connectors,
            sink,
            peers,
        } = staged;
        self.generation += 1;
        self.metrics.generation(self.generation);
        let global = &plan.global;
        self.process_limit
            .set(Some(global.max_connections), global.max_per_second);
        self.metrics.max_connections(global.max_connections);
        log::set_level(plan.log.level);
        log::reopen();
        AccessLog::want(&plan.log);
        if let Some(sink) = sink {
            self.access.switch(sink);
        }
        for pool in &delta.pools_added {
            self.add_pool(pool, connectors.remove(&pool.name)).await;
        }
        for pool in &delta.pools_changed {
            self.change_pool(pool, connectors.remove(&pool.name)).await;
        }
        self.alerts.reconcile(&plan.alerts);
        keep_what_needs_a_restart(&self.plan, &mut plan);
        self.vips.reconcile(&plan.vips).await;
        self.plan = plan;
        self.words = words;
        self.needs_restart = delta.needs_restart;
        self.commit_peers(peers);
        self.leaving = delta.pools_removed;
        let steps = self.steps(sockets, tls, delta.listeners_removed);
        self.begin(steps, &handovers, &delta.pools_added).await;
        self.show_certificates();
    }

    /// Sticky entries are shared of the pools that the plan has now.
    fn commit_peers(&mut self, staged: peers::Staged) {
        let pools = self.plan.pools.iter();
        let pools = pools.filter_map(|plan| self.pools.get(&plan.name));
        let pools: Vec<_> = pools.map(|runtime| Arc::clone(&runtime.pool)).collect();
        let plan = self.plan.peers.as_ref();
        self.peers.commit(plan, staged, &pools);
    }

    /// One for each listener, also where its own entry is the same: the pools behind it may not be.
    fn steps(
        &self,
        mut sockets: HashMap<ListenerName, Vec<Opened>>,
        mut tls: HashMap<ListenerName, Arc<ServerConfig>>,
        removed: Vec<ListenerName>,
    ) -> Vec<Step> {
        let follow = self.plan.listeners.iter().map(|plan| Step::Follow {
            opened: sockets.remove(&plan.name).unwrap_or_default(),
            tls: tls.remove(&plan.name),
            plan: Arc::clone(plan),
        });
        follow.chain(removed.into_iter().map(Step::Close)).collect()
    }

    /// A file is opened at each reload, also under the same name: that is how logs are rotated.
    fn sink(&self, plan: &Plan) -> io::Result<Option<Sink>> {
        let changed = plan.log.access != self.plan.log.access;
        let is_file = matches!(plan.log.access, Some(LogTarget::File(_)));
        (changed || is_file)
            .then(|| AccessLog::open(&plan.log))
            .transpose()
    }
}

/// With what only the running program knows: whether it may run the programs of probes.
fn compare(old: &Plan, new: &Plan, programs: &Programs) -> Delta {
    let mut delta = diff(old, new);
    if !programs.know(&commands(new)) {
        delta.needs_restart.push("probe.command");
    }
    delta
}

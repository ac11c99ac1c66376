//! Change without loss: prepare (may fail, nothing seen) → commit (cannot fail) → retire.
//!
//! What did not change is not touched: sockets, courses, counters, health and sticky entries stay. A server that
//! leaves the file takes no new sessions; those it has live on until they end or `drain_timeout` is over.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;

use super::App;
use super::doors::Opened;
use super::error::ReloadError;
use super::teams::connector;
use crate::admin::{Rejected, Reloaded};
use crate::config;
use crate::plan::diff::{Delta, diff};
use crate::plan::{AccessTarget, ListenerName, Plan, PoolName};
use crate::telemetry::ReloadResult;
use crate::telemetry::access::{AccessLog, Sink};
use crate::telemetry::log;
use crate::tls::connect::Connector;

/// A plan with all that could have failed already done.
pub struct Staged {
    plan: Plan,
    delta: Delta,
    sockets: HashMap<ListenerName, Vec<Opened>>,
    tls: HashMap<ListenerName, Arc<ServerConfig>>,
    connectors: HashMap<PoolName, Connector>,
    sink: Option<Sink>,
}

impl App {
    /// Reads the file again and puts it to work, or leaves everything as it was. What came of it goes to the log,
    /// to the metrics and back to who asked.
    pub async fn reload_and_tell(&mut self) -> Result<Reloaded, Rejected> {
        match self.reload().await {
            Ok(done) => {
                self.metrics.reloaded(ReloadResult::Applied);
                tracing::info!(
                    generation = done.generation,
                    changes = log::List::of(&done.changes).value(),
                    "reloaded"
                );
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
        self.first_verdicts(&delta.pools_added).await;
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

    /// A file is opened at each reload, also under the same name: that is how logs are rotated.
    fn sink(&self, plan: &Plan) -> io::Result<Option<Sink>> {
        let changed = plan.log.access != self.plan.log.access;
        let is_file = matches!(plan.log.access, AccessTarget::File(_));
        (changed || is_file)
            .then(|| AccessLog::open(&plan.log.access))
            .transpose()
    }
}

/// Disk may be slow: read on a thread of its own.
async fn read(path: PathBuf) -> Result<config::Loaded, ReloadError> {
    match tokio::task::spawn_blocking(move || config::load(&path)).await {
        Ok(loaded) => loaded.map_err(ReloadError::Faulty),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

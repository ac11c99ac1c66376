//! Commands: what they ask, whom they reach, what comes back.
//!
//! An order goes to the pool's keeper and is in force when the answer is sent. A drain with a timeout leaves a
//! timer behind, which any later order for the same server takes away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::answer::{Answer, Fault, json};
use super::path::Named;
use super::status::ServerStatus;
use super::{Command, RuntimeView};
use crate::base::unit;
use crate::plan::WEIGHT_MAX;
use crate::pool::{Change, Member, Order, Refused, ServerId, Snapshot};

/// The timers of drains. They run beside the probes, not on the admin server's own thread, which may have to wait for
/// everybody else on a busy machine: a drain ends in time.
pub(super) struct Deadlines {
    runtime: Handle,
    timers: Mutex<HashMap<ServerId, AbortHandle>>,
}

impl Deadlines {
    pub(super) fn on(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            timers: Mutex::default(),
        }
    }

    fn set(&self, server: ServerId, after: Option<Duration>, commands: &mpsc::Sender<Command>) {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        timers.retain(|_, timer| !timer.is_finished());
        if let Some(former) = timers.remove(&server) {
            former.abort();
        }
        let Some(after) = after else { return };
        let commands = commands.clone();
        let timer = self.runtime.spawn(async move {
            tokio::time::sleep(after).await;
            // Nobody to send to: howdah is stopping, which ends the sessions anyhow.
            let _ = commands.send(Command::Cut { server }).await;
        });
        timers.insert(server, timer.abort_handle());
    }
}

/// The server as it is now.
pub(super) fn show(view: &RuntimeView, named: &Named) -> Result<Answer, Fault> {
    let pool = view.pool(&named.pool).ok_or_else(|| no_pool(view, named))?;
    let snapshot = pool.load();
    let member = find(&snapshot, named)?;
    let says_load = snapshot.plan().load.is_some();
    Ok(json(&ServerStatus::of(member, says_load)))
}

/// By its name, else by its `host:port` where one server alone has that.
fn find<'s>(snapshot: &'s Snapshot, named: &Named) -> Result<&'s Member, Fault> {
    if let Some(member) = snapshot.member(&named.server) {
        return Ok(member);
    }
    let wanted = named.server.as_str();
    let has = |one: &&Member| (one.plan.address.to_string()).eq_ignore_ascii_case(wanted);
    let mut found = snapshot.members().iter().filter(has);
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member),
        (None, _) => {
            let known = list(snapshot.members().iter().map(|one| one.plan.name.as_str()));
            let pool = &named.pool;
            Err(Fault::Unknown(format!(
                "pool \"{pool}\" has no server \"{wanted}\": its servers are {known}"
            )))
        }
        (Some(_), Some(_)) => {
            let all = snapshot.members().iter().filter(has);
            let names = list(all.map(|one| one.plan.name.as_str()));
            let what = format!("several servers have the address {wanted}: say which, {names}");
            Err(Fault::Impossible(what, Vec::new()))
        }
    }
}

/// The same server by the name that its pool knows.
fn known(view: &RuntimeView, named: &Named) -> Result<Named, Fault> {
    let pool = view.pool(&named.pool).ok_or_else(|| no_pool(view, named))?;
    Ok(Named {
        pool: named.pool.clone(),
        server: find(&pool.load(), named)?.plan.name.clone(),
    })
}

/// drain, maintenance, ready.
pub(super) async fn order(
    view: &RuntimeView,
    named: &Named,
    order: Order,
    body: &[u8],
    deadlines: &Deadlines,
    commands: &mpsc::Sender<Command>,
) -> Result<Answer, Fault> {
    let body = fields(body)?;
    let keys: &[&str] = if order == Order::Drain {
        &["timeout"]
    } else {
        &[]
    };
    only(&body, keys)?;
    let timeout = body.get("timeout").map(timeout).transpose()?;
    let named = &known(view, named)?;
    let server = named.server.clone();
    send(view, named, Change::Order { server, order }).await?;
    if let Some(pool) = view.pool(&named.pool)
        && let Some(member) = pool.load().member(&named.server)
    {
        deadlines.set(member.server.id(), timeout, commands);
    }
    show(view, named)
}

/// `{"weight": 3}`.
pub(super) async fn weight(
    view: &RuntimeView,
    named: &Named,
    body: &[u8],
) -> Result<Answer, Fault> {
    let body = fields(body)?;
    only(&body, &["weight"])?;
    let wrong = || {
        let text = format!("\"weight\" must be a whole number from 1 to {WEIGHT_MAX}");
        Fault::Impossible(text, Vec::new())
    };
    let weight = body
        .get("weight")
        .and_then(Value::as_u64)
        .ok_or_else(wrong)?;
    let weight = u16::try_from(weight).map_err(|_| wrong())?;
    let named = &known(view, named)?;
    let server = named.server.clone();
    send(view, named, Change::Weight { server, weight }).await?;
    show(view, named)
}

/// Asks `app`, and waits for what comes of it.
pub(super) async fn reload(commands: &mpsc::Sender<Command>) -> Result<Answer, Fault> {
    let later = |why: &str| Fault::Later(why.into(), Vec::new());
    let (reply, answer) = oneshot::channel();
    let sent = commands.try_send(Command::Reload { reply });
    sent.map_err(|error| match error {
        TrySendError::Full(_) => later("howdah is busy with other commands: try again in a moment"),
        TrySendError::Closed(_) => later(STOPPING),
    })?;
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(Ok(done))) => Ok(json(&serde_json::json!({
            "generation": done.generation,
            "changes": done.changes,
            "warnings": done.warnings,
        }))),
        Ok(Ok(Err(rejected))) => Err(Fault::Impossible(rejected.error, rejected.faults)),
        Ok(Err(_)) => Err(later(STOPPING)),
        Err(_) => Err(later(
            "the reload still goes on: its end will be in the log",
        )),
    }
}

async fn send(view: &RuntimeView, named: &Named, change: Change) -> Result<(), Fault> {
    let pool = view.pool(&named.pool).ok_or_else(|| no_pool(view, named))?;
    pool.send(change).await.map_err(|refused| {
        let text = refused.to_string();
        match refused {
            Refused::UnknownServer { .. } => Fault::Unknown(text),
            Refused::Weight(_) => Fault::Impossible(text, Vec::new()),
            Refused::Stopping(_) => Fault::Later(text, Vec::new()),
        }
    })
}

fn no_pool(view: &RuntimeView, named: &Named) -> Fault {
    let known = list(view.pools.iter().map(|pool| pool.name().as_str()));
    Fault::Unknown(format!(
        "there is no pool \"{}\": the pools are {known}",
        named.pool
    ))
}

/// At most a dozen names.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.take(LISTED + 1).collect();
    if names.len() > LISTED {
        names[LISTED] = "...";
    }
    names.join(", ")
}

/// An empty body is an empty object.
fn fields(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Fault::Request("the body must be a JSON object".into())),
        Err(error) => Err(Fault::Request(format!("the body is no JSON: {error}"))),
    }
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Fault> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if known.is_empty() => {
            let text = format!("the body has the key {key:?}, and this command takes none");
            Err(Fault::Impossible(text, Vec::new()))
        }
        Some(key) => {
            let known = known.join(", ");
            let text = format!("the body has the unknown key {key:?}: known are {known}");
            Err(Fault::Impossible(text, Vec::new()))
        }
    }
}

fn timeout(value: &Value) -> Result<Duration, Fault> {
    let wrong = |why: &str| {
        let text = format!("\"timeout\" must be a duration like \"30m\": {why}");
        Fault::Impossible(text, Vec::new())
    };
    let text = value.as_str().ok_or_else(|| wrong("it is no string"))?;
    let length = unit::duration(text).map_err(|error| wrong(&error.to_string()))?;
    // tokio's clock ends some years from now.
    (length <= LONGEST)
        .then_some(length)
        .ok_or_else(|| wrong("it is longer than a year"))
}

const STOPPING: &str = "howdah is stopping and reloads no more";
/// A reload may have to wait for names to resolve.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
const LISTED: usize = 12;

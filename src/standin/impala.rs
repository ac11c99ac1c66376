//! A stand-in for an Impala coordinator: a HiveServer2 port for clients, and a web server for probes.
//!
//! As with the real one, `/healthz` goes on saying 200 while the coordinator shuts down; only `/?json` tells.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::hive::{Hive, HiveOptions};
use super::listener::{Frame, StandInListener};
use super::raw;
use super::web::{self, Page, Question};

/// A running stand-in.
pub struct Impala {
    hive: Hive,
    web: StandInListener,
    state: Arc<State>,
}

struct State {
    name: String,
    coordinator: AtomicBool,
    quiescing: AtomicBool,
    healthy: AtomicBool,
    /// What it knows of its cluster.
    backends: Mutex<Value>,
}

impl Impala {
    /// Starts one that calls itself `options.name`, with its web server at `web`.
    ///
    /// # Errors
    /// As [`StandInListener::open`].
    pub fn start(frame: &Frame, web: SocketAddr, options: HiveOptions) -> io::Result<Self> {
        let state = Arc::new(State {
            name: options.name.clone(),
            coordinator: AtomicBool::new(true),
            quiescing: AtomicBool::new(false),
            healthy: AtomicBool::new(true),
            backends: Mutex::new(json!([])),
        });
        let hive = Hive::start(frame, options)?;
        let shown = Arc::clone(&state);
        let switch = hive.listener().switch().clone();
        let web = raw::open_with(
            &Frame {
                bind: web,
                tls: None,
            },
            switch,
            move |visit| {
                let state = Arc::clone(&shown);
                web::serve(visit, move |question| {
                    let page = state.answer(&question);
                    async move { page }
                })
            },
        )?;
        Ok(Self { hive, web, state })
    }

    /// The port for clients. Its switch is that of the web server as well.
    pub fn listener(&self) -> &StandInListener {
        self.hive.listener()
    }

    /// The port for clients, as a HiveServer2.
    pub fn hive(&self) -> &Hive {
        &self.hive
    }

    /// The web server.
    pub fn web(&self) -> &StandInListener {
        &self.web
    }

    /// A graceful shutdown begins (or is taken back): new sessions and statements are refused.
    pub fn set_quiescing(&self, quiescing: bool) {
        self.state.quiescing.store(quiescing, Ordering::Relaxed);
        let refusal = quiescing.then(|| "Server is being shut down".to_owned());
        self.hive.set_refusal(refusal);
    }

    /// Whether `/?json` says that it takes clients.
    pub fn set_coordinator(&self, coordinator: bool) {
        self.state.coordinator.store(coordinator, Ordering::Relaxed);
    }

    /// What `/backends?json` lists.
    pub fn set_backends(&self, backends: Value) {
        let known = self.state.backends.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = backends;
    }

    /// Whether `/healthz` says 200 or 503.
    pub fn set_healthy(&self, healthy: bool) {
        self.state.healthy.store(healthy, Ordering::Relaxed);
    }
}

impl State {
    fn answer(&self, question: &Question) -> Page {
        let (path, query) = question
            .target
            .split_once('?')
            .unwrap_or((&question.target, ""));
        match (path, query) {
            ("/healthz", _) if self.healthy.load(Ordering::Relaxed) => {
                Page::plain(StatusCode::OK, "OK")
            }
            ("/healthz", _) => Page::plain(StatusCode::SERVICE_UNAVAILABLE, "Not Available"),
            ("/", "json") => Page::json(&json!({
                "version": "impalad stand-in",
                "hostname": self.name,
                "is_coordinator": self.coordinator.load(Ordering::Relaxed),
                "is_executor": true,
                "is_quiescing": self.quiescing.load(Ordering::Relaxed),
            })),
            ("/backends", "json") => {
                let backends = self.backends.lock();
                let backends = backends.unwrap_or_else(PoisonError::into_inner);
                Page::json(&json!({ "backends": *backends }))
            }
            ("/", _) => Page::html(format!("<!doctype html><h1>{}</h1>\n", self.name)),
            _ => Page::plain(StatusCode::NOT_FOUND, "no such page"),
        }
    }
}

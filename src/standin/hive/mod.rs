//! A stand-in for HiveServer2, real enough for beeline, impyla and PyHive.
//!
//! It speaks TCLIService over binary Thrift, behind SASL PLAIN or bare, and over http. A query's one row names the
//! instance, so whoever asks learns where the balancer sent him; [`query`] lists the statements that do something else.

mod ledger;
mod options;
mod query;
mod service;
mod transport;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use self::options::{Auth, Flavour, HiveOptions, Transport};
use self::service::Service;
use super::listener::{Frame, StandInListener};
use super::raw;

/// A running stand-in.
pub struct Hive {
    listener: StandInListener,
    service: Arc<Service>,
}

impl Hive {
    /// Starts it.
    ///
    /// # Errors
    /// As [`StandInListener::open`].
    pub fn start(frame: &Frame, options: HiveOptions) -> io::Result<Self> {
        let service = Arc::new(Service::new(options));
        let shown = Arc::clone(&service);
        let listener = raw::open(frame, move |visit| {
            transport::serve(visit, Arc::clone(&shown))
        })?;
        Ok(Self { listener, service })
    }

    /// Address, counts and faults.
    pub fn listener(&self) -> &StandInListener {
        &self.listener
    }

    /// From now on OpenSession and ExecuteStatement fail with this text: a passive or a leaving server.
    pub fn set_refusal(&self, text: Option<String>) {
        *self.service.lock_refusal() = text;
    }

    /// Every statement takes that much longer.
    pub fn set_delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.service.delay_millis.store(millis, Ordering::Relaxed);
    }

    /// OpenSession calls that went well.
    pub fn sessions_opened(&self) -> u64 {
        self.service.sessions_opened.load(Ordering::Relaxed)
    }

    /// Sessions that are open now.
    pub fn sessions_open(&self) -> usize {
        self.service.ledger.count()
    }

    /// Statements that were begun.
    pub fn statements(&self) -> u64 {
        self.service.statements.load(Ordering::Relaxed)
    }
}

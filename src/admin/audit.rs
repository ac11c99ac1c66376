//! One line in the log for each order: who, from where, what, and what came of it; for those that are denied too.
//!
//! At level info, and warn for denied ones. No secret is in it: of the request's head only the path is told.

use super::answer::{Answer, Fault};
use super::guard::Who;
use super::path::Names;
use super::peer::Peer;

/// An order that was given, before anything came of it.
pub(super) struct Audit {
    order: &'static str,
    pool: Option<String>,
    server: Option<String>,
    session: Option<String>,
    from: Peer,
}

impl Audit {
    pub(super) fn of(order: &'static str, names: &Names, from: Peer) -> Self {
        let named = |name| names.find(name).map(str::to_owned);
        Self {
            order,
            pool: named("pool"),
            server: named("server"),
            session: named("session"),
            from,
        }
    }

    /// Nothing came of it: this one may not.
    pub(super) fn denied(&self, fault: &Fault) {
        tracing::warn!(
            who = "nobody",
            from = %self.from,
            order = self.order,
            pool = self.pool,
            server = self.server,
            session = self.session,
            outcome = "denied",
            detail = %fault.sentence(),
            "order"
        );
    }

    /// Nothing came of it: it was not understood.
    pub(super) fn refused(&self, who: Who, fault: &Fault) {
        self.told(who, &[], "refused", Some(&fault.sentence()));
    }

    /// `body` is what the request said besides: a weight, a timeout.
    pub(super) fn judged(&self, who: Who, body: &[u8], outcome: &Result<Answer, Fault>) {
        match outcome {
            Ok(_) => self.told(who, body, "done", None),
            Err(fault) => self.told(who, body, "refused", Some(&fault.sentence())),
        }
    }

    fn told(&self, who: Who, body: &[u8], outcome: &str, detail: Option<&str>) {
        let body = String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body)).into_owned();
        let body = (!body.is_empty()).then_some(body);
        tracing::info!(
            %who,
            from = %self.from,
            order = self.order,
            pool = self.pool,
            server = self.server,
            session = self.session,
            body,
            outcome,
            detail,
            "order"
        );
    }
}

/// Of a body, in bytes.
const SHOWN: usize = 200;

//! The end: one outcome becomes one line and the counters.

use std::time::Duration;

use super::config::SessionConfig;
use super::end::{End, Reason, Stage};
use super::ended;
use super::line::line;
use super::outcome::{Hold, Outcome};
use crate::plan::Protocol;
use crate::pool::SessionFault;
use crate::telemetry::access::Line;

pub(super) fn account(outcome: Outcome, end: End, config: &SessionConfig, protocol: Protocol) {
    let duration = outcome.started.elapsed();
    config.metrics.ended(end.reason, duration);
    if let Some(result) = end.result() {
        config.metrics.served(result);
        if let Some(pool) = &outcome.pool {
            pool.served(result);
        }
    }
    if matches!(end.stage, Stage::Admit | Stage::Greet) && end.reason != Reason::ClientClosed {
        config.metrics.refused(end.reason);
    }
    let served = outcome.hold.server();
    if let (Some((server, _)), Some(took)) = (served, outcome.meter.first_byte) {
        server.metrics().first_byte(took);
    }
    if let Hold::Leased(lease) = &outcome.hold
        && let Some(fault) = fault(&outcome, end, lease.plan().timeouts.connect)
    {
        lease.server().session_failed(fault);
    }
    config.access.write(&Line {
        stage: end.stage.as_str(),
        reason: Some(end.reason.as_str()),
        ..line(&outcome, config, protocol, duration)
    });
    ended::keep(outcome, end, duration, config, protocol);
}

/// Whether the end shows that the server does not serve. One that was asked nothing may well end a connection unanswered,
/// but not as soon as it is there.
fn fault(outcome: &Outcome, end: End, soon: Duration) -> Option<SessionFault> {
    let meter = &outcome.meter;
    let asked = || meter.from_client > 0 || outcome.dialled.elapsed() < soon;
    match (end.stage, end.reason, meter.first_byte) {
        (Stage::Relay, Reason::ServerReset, None) => Some(SessionFault::Unanswered),
        (Stage::Relay, Reason::ServerReset, Some(_)) => Some(SessionFault::Reset),
        (Stage::Relay, Reason::ServerClosed, None) => asked().then_some(SessionFault::Unanswered),
        _ => None,
    }
}

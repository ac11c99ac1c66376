//! What is known of a session, as a line of the session log.

use std::time::Duration;

use super::config::SessionConfig;
use super::end::Stage;
use super::outcome::Outcome;
use crate::plan::{Protocol, TlsVersion};
use crate::telemetry::access::Line;

/// While it lasts: no reason yet.
pub(super) fn line<'a>(
    outcome: &'a Outcome,
    config: &'a SessionConfig,
    protocol: Protocol,
    duration: Duration,
) -> Line<'a> {
    let served = outcome.hold.server();
    Line {
        session: outcome.id,
        listener: config.plan.name.as_str(),
        client: outcome.client,
        pool: outcome.pool.as_ref().map(|pool| pool.name().as_str()),
        server: served.map(|(server, _)| server.name().as_str()),
        sni: outcome.sni.as_deref(),
        tls: outcome.tls.map(TlsVersion::as_str),
        bytes_from_client: outcome.meter.from_client,
        bytes_from_server: outcome.meter.from_server,
        duration,
        connect: outcome.connect,
        first_byte: outcome.meter.first_byte,
        attempts: outcome.attempts,
        pick: served.map(|(_, pick)| pick.as_str()),
        stage: Stage::Relay.as_str(),
        reason: None,
        protocol: protocol.as_str(),
        event: None,
    }
}

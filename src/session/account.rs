//! The end: one outcome becomes one line and the counters.

use super::outcome::{End, Reason, Stage};
use super::{Course, Outcome};
use crate::plan::PoolName;
use crate::telemetry::access::Line;

pub(super) fn account(outcome: Outcome, end: End, course: &Course) {
    let duration = outcome.started.elapsed();
    course.metrics.ended(end.reason, duration);
    if matches!(end.stage, Stage::Admit | Stage::Greet) && end.reason != Reason::ClientClosed {
        course.metrics.refused(end.reason);
    }
    if let (Some(lease), Some(took)) = (&outcome.lease, outcome.meter.first_byte) {
        lease.server().metrics().first_byte(took);
    }
    let lease = outcome.lease.as_ref();
    course.access.write(&Line {
        session: outcome.id,
        listener: course.plan.name.as_str(),
        client: outcome.client,
        pool: outcome.pool.as_ref().map(PoolName::as_str),
        server: lease.map(|lease| lease.server().name().as_str()),
        sni: outcome.sni.as_deref(),
        tls: outcome.tls,
        bytes_from_client: outcome.meter.from_client,
        bytes_from_server: outcome.meter.from_server,
        duration,
        connect: outcome.connect,
        first_byte: outcome.meter.first_byte,
        attempts: outcome.attempts,
        pick: lease.map(|lease| lease.pick().as_str()),
        stage: end.stage.as_str(),
        reason: end.reason.as_str(),
    });
}

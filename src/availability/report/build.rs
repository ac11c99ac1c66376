//! Rows → report. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    LatencyReport, NoReport, OutageReport, PercentileReport, PeriodReport, Report, TargetReport,
    Window,
};
use crate::availability::calendar::{Moment, Step};
use crate::availability::ledger::Outage;
use crate::availability::period::Period;
use crate::availability::store::Found;
use crate::availability::target::Target;
use crate::plan::Goal;
use crate::telemetry::Times;
use crate::telemetry::sketch::Sketch;

/// The report of `window` from what was `found`; `goals` are of all that are watched.
pub(crate) fn build(
    window: Window,
    goals: &[(Target, Option<Goal>)],
    found: Vec<Found>,
) -> Result<Report, NoReport> {
    let mut targets = Vec::new();
    for one in found {
        let watched = goals.iter().find(|(target, _)| *target == one.target);
        if watched.is_none() && one.periods.is_empty() && one.outages.is_empty() {
            return Err(NoReport::Unknown(one.target));
        }
        let goal = watched.and_then(|(_, goal)| *goal);
        targets.push(of_target(window, goal, one));
    }
    Ok(Report {
        window_seconds: window.length().as_secs_f64(),
        from: window.from.rfc3339(),
        to: window.to.rfc3339(),
        targets,
    })
}

fn of_target(window: Window, goal: Option<Goal>, found: Found) -> TargetReport {
    let mut whole = Period::default();
    let mut periods: BTreeMap<Moment, Period> = BTreeMap::new();
    for (start, period) in &found.periods {
        whole.merge(period);
        let start = window.shown.floor(*start);
        periods.entry(start).or_default().merge(period);
    }
    let length = window.length();
    let budget = goal.map(|goal| goal.budget(length).as_secs_f64());
    let spans = whole.spans;
    TargetReport {
        kind: found.target.kind.as_str().to_owned(),
        name: found.target.name.as_ref().to_owned(),
        available_percent: spans.available(),
        sessions_percent: whole.sessions(),
        sessions_served: whole.served,
        sessions_failed: whole.failed,
        watched_seconds: spans.watched.as_secs_f64(),
        down_seconds: spans.down.as_secs_f64(),
        planned_seconds: spans.planned.as_secs_f64(),
        unwatched_seconds: length.saturating_sub(spans.watched).as_secs_f64(),
        slo: goal.map(Goal::percent),
        budget_seconds: budget,
        budget_left_seconds: budget.map(|budget| budget - spans.down.as_secs_f64()),
        outages: found
            .outages
            .iter()
            .map(|one| of_outage(one, window.to))
            .collect(),
        latency: of_times(&whole.times),
        periods: periods
            .iter()
            .map(|(start, one)| of_period(window.shown, *start, one))
            .collect(),
    }
}

fn of_outage(outage: &Outage, now: Moment) -> OutageReport {
    OutageReport {
        start: outage.start.rfc3339(),
        end: outage.end.map(Moment::rfc3339),
        seconds: outage.end.unwrap_or(now).since(outage.start).as_secs_f64(),
        cause: outage.cause.clone(),
        planned: outage.planned,
    }
}

fn of_period(step: Step, start: Moment, period: &Period) -> PeriodReport {
    PeriodReport {
        start: start.rfc3339(),
        step: step.as_str().to_owned(),
        available_percent: period.spans.available(),
        sessions_percent: period.sessions(),
        sessions_served: period.served,
        sessions_failed: period.failed,
        down_seconds: period.spans.down.as_secs_f64(),
        planned_seconds: period.spans.planned.as_secs_f64(),
        latency: of_times(&period.times),
    }
}

fn of_times(times: &Times<Sketch>) -> LatencyReport {
    LatencyReport {
        connect: of_sketch(&times.connect),
        first_byte: of_sketch(&times.first_byte),
        turn: of_sketch(&times.turn),
    }
}

fn of_sketch(sketch: &Sketch) -> PercentileReport {
    let percentile = |percent| {
        sketch
            .percentile(percent)
            .map(|took: Duration| took.as_secs_f64())
    };
    PercentileReport {
        p50: percentile(50),
        p90: percentile(90),
        p99: percentile(99),
        count: sketch.count(),
    }
}

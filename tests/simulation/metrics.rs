//! What Prometheus is told, read back.

use std::collections::HashMap;

use howdah::telemetry::Metrics;

use super::model::Model;
use super::world::{Ends, Line};

/// The metrics of servers and of the pool agree with the model.
pub(crate) fn compare(metrics: &Metrics, model: &Model, line: &Line) {
    let text = metrics.render();
    let active: HashMap<&str, u32> = series(&text, "howdah_server_sessions_active")
        .map(|(labels, value)| (label(labels, "server"), value as u32))
        .collect();
    let mut expected = model.open_by_name();
    // Of a name that nobody bears any more, the series goes.
    let borne = model.borne();
    expected.retain(|name, open| *open > 0 || borne.contains(name));
    assert_eq!(active, expected);

    let sum = |family| series(&text, family).map(|(_, value)| value).sum::<f64>() as u64;
    assert_eq!(sum("howdah_pool_picks_total"), model.given);
    assert_eq!(sum("howdah_pool_sticky_evicted_total"), model.table.evicted);
    let shown = model.table.shown as u64;
    assert_eq!(sum("howdah_pool_sticky_entries"), shown);
    assert_eq!(sum("howdah_pool_panic"), u64::from(model.is_panic()));
    assert_eq!(sum("howdah_pool_queue_length"), line.len() as u64);
    let ended: HashMap<&str, u64> = series(&text, "howdah_pool_queue_ended_total")
        .map(|(labels, value)| (label(labels, "end"), value as u64))
        .collect();
    let ended = |end| ended.get(end).copied().unwrap_or(0);
    let ends = Ends {
        served: ended("served"),
        no_server: ended("no-server"),
        timeout: ended("timeout"),
        left: ended("left"),
    };
    assert_eq!(ends, line.ends);
}

fn series<'a>(text: &'a str, family: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    text.lines().filter_map(move |line| {
        let (labels, value) = line
            .strip_prefix(family)?
            .strip_prefix('{')?
            .split_once("} ")?;
        Some((labels, value.parse().expect("a number")))
    })
}

fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let value = labels
        .split(',')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
    value.expect("the label is there").trim_end_matches('"')
}

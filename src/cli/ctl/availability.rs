//! `howdah availability`: how a window of time went, as tables for people.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{Reach, duration, finish};
use crate::admin::encode;
use crate::availability::{PercentileReport, Report, TargetReport};
use crate::base::unit;

/// `howdah availability`
#[derive(Args, Debug)]
pub struct AvailabilityArgs {
    #[command(flatten)]
    reach: Reach,
    /// This pool alone
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// This listener alone; with --pool, both
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// How far back, like 24h or 7d, at most a year
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    window: Duration,
    /// Print what the API says, for programs
    #[arg(long)]
    json: bool,
}

/// Shows how available pools and listeners were.
pub fn availability(args: &AvailabilityArgs) -> ExitCode {
    finish(args.reach.client().and_then(|client| {
        let window = unit::show_duration(args.window);
        let mut path = format!("/api/v1/availability?window={window}");
        for (word, name) in [("pool", &args.pool), ("listener", &args.listener)] {
            if let Some(name) = name {
                let _ = write!(path, "&{word}={}", encode(name));
            }
        }
        let text = client.send("GET", &path, None)?;
        if args.json {
            return Ok(text);
        }
        client.read(&text).map(|report| render(&report))
    }))
}

/// Three tables: shares, outages, times. What is empty is left out.
fn render(report: &Report) -> String {
    let mut text = format!("{} to {}\n\n", minute(&report.from), minute(&report.to));
    text.push_str(&aligned(&shares(report)));
    let outages = outages(report);
    if outages.len() > 1 {
        let _ = write!(text, "\n{}", aligned(&outages));
    }
    let times = times(report);
    if times.len() > 1 {
        let _ = write!(text, "\n{}", aligned(&times));
    }
    text
}

type Row = Vec<String>;

fn row<const N: usize>(cells: [&str; N]) -> Row {
    cells.map(str::to_owned).into()
}

fn name(target: &TargetReport) -> String {
    format!("{} {}", target.kind, target.name)
}

fn shares(report: &Report) -> Vec<Row> {
    let head = [
        "",
        "AVAILABLE",
        "SESSIONS",
        "DOWN",
        "PLANNED",
        "UNWATCHED",
        "SLO",
        "BUDGET LEFT",
    ];
    let rows = report.targets.iter().map(|one| {
        let budget = one.budget_seconds.zip(one.budget_left_seconds);
        vec![
            name(one),
            percent(one.available_percent),
            percent(one.sessions_percent),
            span(one.down_seconds),
            span(one.planned_seconds),
            span(one.unwatched_seconds),
            one.slo.map_or_else(|| "-".into(), |slo| format!("{slo} %")),
            budget.map_or_else(
                || "-".into(),
                |(all, left)| format!("{} of {}", span(left), span(all)),
            ),
        ]
    });
    [row(head)].into_iter().chain(rows).collect()
}

fn outages(report: &Report) -> Vec<Row> {
    let mut all: Vec<_> = (report.targets.iter())
        .flat_map(|target| target.outages.iter().map(move |outage| (target, outage)))
        .collect();
    all.sort_by(|one, other| one.1.start.cmp(&other.1.start));
    let rows = all.into_iter().map(|(target, outage)| {
        let lasts = if outage.end.is_none() { ", lasts" } else { "" };
        let planned = if outage.planned { "planned: " } else { "" };
        vec![
            second(&outage.start),
            name(target),
            format!("{}{lasts}", span(outage.seconds)),
            format!("{planned}{}", outage.cause),
        ]
    });
    [row(["OUTAGE", "OF", "LENGTH", "CAUSE"])]
        .into_iter()
        .chain(rows)
        .collect()
}

fn times(report: &Report) -> Vec<Row> {
    let rows = report.targets.iter().flat_map(|target| {
        let latency = &target.latency;
        let all = [
            ("connect", &latency.connect),
            ("first byte", &latency.first_byte),
            ("turn", &latency.turn),
        ];
        let measured = all.into_iter().filter(|(_, one)| one.count > 0);
        measured.map(|(word, one)| {
            let PercentileReport {
                p50,
                p90,
                p99,
                count,
            } = one;
            vec![
                name(target),
                word.into(),
                time(*p50),
                time(*p90),
                time(*p99),
                count.to_string(),
            ]
        })
    });
    let head = ["TIME OF", "", "P50", "P90", "P99", "COUNT"];
    [row(head)].into_iter().chain(rows).collect()
}

/// Columns two spaces apart; the last as wide as it likes.
fn aligned(rows: &[Row]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// To three decimals, and never rounded up to 100.
fn percent(share: Option<f64>) -> String {
    let down = |share: f64| (share * 1000.0).floor() / 1000.0;
    share.map_or_else(|| "-".into(), |share| format!("{:.3} %", down(share)))
}

/// To the second, or below ten seconds to the millisecond; the two largest units.
fn span(seconds: f64) -> String {
    let length = Duration::from_secs_f64(seconds.abs());
    let length = match length.as_secs() {
        0..10 => length,
        10..86_400 => Duration::from_secs(length.as_secs()),
        _ => Duration::from_secs(length.as_secs() / 3600 * 3600),
    };
    let sign = if seconds < 0.0 { "-" } else { "" };
    format!("{sign}{}", unit::show_duration(length))
}

fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".into(),
        Some(seconds) if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        Some(seconds) if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

/// `2026-11-26T22:11:46.500Z` as people read it.
fn second(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::availability::{LatencyReport, OutageReport};

    fn target(kind: &str, outages: Vec<OutageReport>, latency: LatencyReport) -> TargetReport {
        TargetReport {
            kind: kind.into(),
            name: "hive".into(),
            available_percent: Some(99.983_4),
            sessions_percent: Some(99.999_9),
            sessions_served: 1_000_000,
            sessions_failed: 1,
            watched_seconds: 2_340_000.0,
            down_seconds: 388.4,
            planned_seconds: 1800.0,
            unwatched_seconds: 252_000.0,
            slo: Some(99.9),
            budget_seconds: Some(2592.0),
            budget_left_seconds: Some(2203.6),
            outages,
            latency,
            periods: Vec::new(),
        }
    }

    fn report() -> Report {
        let failure = OutageReport {
            start: "2026-11-03T10:12:04.125Z".into(),
            end: Some("2026-11-03T10:18:32.525Z".into()),
            seconds: 388.4,
            cause: "hs2-1: connection refused; hs2-2: no answer within 3s".into(),
            planned: false,
        };
        let work = OutageReport {
            start: "2026-11-14T02:00:00.000Z".into(),
            end: None,
            seconds: 1800.0,
            cause: "hs2-1: maintenance; hs2-2: maintenance".into(),
            planned: true,
        };
        let took = |p50: f64| PercentileReport {
            p50: Some(p50),
            p90: Some(p50 * 4.0),
            p99: Some(p50 * 40.0),
            count: 1_000_000,
        };
        let latency = LatencyReport {
            connect: took(0.000_264),
            first_byte: took(0.0042),
            turn: took(0.031),
        };
        Report {
            window_seconds: 2_592_700.0,
            from: "2026-10-27T22:00:00.000Z".into(),
            to: "2026-11-26T22:11:40.000Z".into(),
            targets: vec![
                target("pool", vec![work, failure], latency),
                target("listener", Vec::new(), LatencyReport::default()),
            ],
        }
    }

    /// `BLESS=1` prints what belongs into the document.
    #[test]
    fn the_document_shows_what_the_command_prints() {
        let text = render(&report());
        let document = include_str!("../../../docs/operating/availability.md");
        let shown = document.contains(&format!("\n```\n{text}```\n"));
        assert!(shown, "docs/operating/availability.md lacks\n{text}");
    }

    #[test]
    fn nothing_is_rounded_up_to_the_whole() {
        assert_eq!(percent(Some(99.999_96)), "99.999 %");
        assert_eq!(percent(Some(100.0)), "100.000 %");
        assert_eq!(percent(None), "-");
        assert_eq!(span(-0.25), "-250ms");
        assert_eq!(span(93_784.0), "1d2h");
    }
}

//! What does not go together in a probe: keys of another type, intervals that contradict each other.

use crate::base::unit::show_duration;
use crate::config::choices::{Choice, ProbeType, Via};
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{Probe, ProbeTls};
use crate::config::source::Span;
use crate::plan::ProbePlan;

/// Keys that the type of this probe does not know.
pub(super) fn strangers(words: &Probe, kind: ProbeType, cx: &mut Cx) {
    const HIVE: &[ProbeType] = &[ProbeType::HiveServer2];
    const THRIFT: &[ProbeType] = &[ProbeType::HiveServer2, ProbeType::Impala];
    const IMPALA: &[ProbeType] = &[ProbeType::Impala];
    const HTTP: &[ProbeType] = &[ProbeType::Http, ProbeType::Hue];
    let keys: [(&str, Option<Span>, &[ProbeType]); 14] = [
        ("depth", words.depth.span(), HIVE),
        ("deep_interval", words.deep_interval.span(), HIVE),
        ("transport", words.transport.span(), HIVE),
        ("http_path", words.http_path.span(), HIVE),
        ("auth", words.auth.span(), THRIFT),
        ("username", words.username.span(), THRIFT),
        ("password_file", words.password_file.span(), THRIFT),
        ("via", words.via.span(), IMPALA),
        ("method", words.method.span(), HTTP),
        ("path", words.path.span(), HTTP),
        ("host", words.host.span(), HTTP),
        ("expect_status", words.expect_status.span(), HTTP),
        ("expect_body", words.expect_body.span(), HTTP),
        (
            "tls",
            words.tls.span().filter(|_| kind == ProbeType::Tcp),
            &[ProbeType::Tls],
        ),
    ];
    for (key, span, homes) in keys {
        let Some(span) = span.filter(|_| !homes.contains(&kind)) else {
            continue;
        };
        let homes: Vec<&str> = homes.iter().map(|home| word(*home)).collect();
        let what = format!("{} is of type {}, which has no {key}", cx.owner, word(kind));
        cx.error(&span, what)
            .why(format!("belongs to {}", homes.join(" and ")))
            .fix(format!("leave it out, or say type = {:?}", homes[0]));
    }
    impala(words, kind, cx);
    if let Some(span) = words.tls.span()
        && kind == ProbeType::Tls
        && matches!(words.tls.value(), Some(ProbeTls::Plain(false)))
    {
        let what = format!("{} is of type tls, but has tls turned off", cx.owner);
        cx.error(&span, what)
            .why("which one?")
            .fix("leave it out, or say type = \"tcp\"");
    }
}

/// Whether the web server of an Impala is asked, on a port of its own, and not its Thrift.
pub(super) fn asks_web(words: &Probe, kind: ProbeType) -> bool {
    kind == ProbeType::Impala && words.via.or(Via::Web) == Via::Web
}

/// The web server and Thrift are two questions.
fn impala(words: &Probe, kind: ProbeType, cx: &mut Cx) {
    if kind != ProbeType::Impala || matches!(words.via, Field::Faulty) {
        return;
    }
    if asks_web(words, kind) {
        for (key, span) in [
            ("auth", words.auth.span()),
            ("username", words.username.span()),
            ("password_file", words.password_file.span()),
        ] {
            if let Some(span) = span {
                let what = format!("{} asks Impala's web server, which has no {key}", cx.owner);
                cx.error(&span, what)
                    .why("belongs to via = \"thrift\"")
                    .fix("leave it out, or say via = \"thrift\"");
            }
        }
    } else if let Some(span) = words.port.span() {
        let what = format!(
            "{} pings by Thrift, which is on the port that takes sessions",
            cx.owner
        );
        cx.error(&span, what)
            .why("belongs to via = \"web\"")
            .fix("leave port out, or say via = \"web\"");
    }
}

/// How the intervals go together.
pub(super) fn paces(words: &Probe, plan: &ProbePlan, cx: &mut Cx) {
    let interval = show_duration(plan.interval);
    if let Some(span) = words.fast_interval.span()
        && plan.fast_interval > plan.interval
    {
        let what = format!("{} asks slower while in doubt than otherwise", cx.owner);
        cx.error(&span, what)
            .why(format!("above interval, {interval}"))
            .fix("fast_interval = \"250ms\" is the default");
    }
    if let Some(span) = words.deep_interval.span()
        && plan.deep_interval < plan.interval
    {
        let what = format!(
            "{} asks deep questions more often than cheap ones",
            cx.owner
        );
        cx.error(&span, what)
            .why(format!("below interval, {interval}"))
            .fix(format!(
                "deep_interval = \"{interval}\" makes each question a deep one"
            ));
    }
    if let (Some(span), Some(_)) = (words.timeout.span(), words.interval.span())
        && plan.timeout > plan.interval
    {
        let what = format!(
            "{} waits longer for an answer than between two questions",
            cx.owner
        );
        cx.warning(&span, what)
            .why(format!("above interval, {interval}"))
            .fix("a server that hangs is then noticed later than the interval promises");
    }
}

fn word(kind: ProbeType) -> &'static str {
    ProbeType::ALL
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or("", |(word, _)| word)
}

//! What does not go together in a probe: keys of another type, intervals that contradict each other.

use crate::base::unit::show_duration;
use crate::config::choices::{Auth, Via};
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{Probe, ProbeTls};
use crate::config::services::ProbeType;
use crate::config::source::Span;
use crate::plan::{ProbePlan, Protocol, Question, Service};

/// Keys that the type of this probe does not know.
pub(super) fn strangers(words: &Probe, kind: ProbeType, cx: &mut Cx) {
    let keys: [(&str, Option<Span>, Knows); 26] = [
        ("command", words.command.span(), command),
        ("starttls", words.starttls.span(), starts_tls),
        ("protocol", words.protocol.span(), exchange),
        ("depth", words.depth.span(), hive),
        ("deep_interval", words.deep_interval.span(), hive),
        ("transport", words.transport.span(), hive),
        ("http_path", words.http_path.span(), hive),
        ("auth", words.auth.span(), login),
        ("keytab", words.keytab.span(), login),
        ("principal", words.principal.span(), login),
        ("service_principal", words.service_principal.span(), login),
        ("username", words.username.span(), account),
        ("password_file", words.password_file.span(), account),
        ("database", words.database.span(), is_database),
        ("max_lag", words.max_lag.span(), is_database),
        ("via", words.via.span(), impala),
        ("method", words.method.span(), request),
        ("path", words.path.span(), request),
        ("host", words.host.span(), request),
        ("expect_status", words.expect_status.span(), request),
        ("expect_body", words.expect_body.span(), request),
        ("alive_status", words.alive_status.span(), request),
        ("body", words.body.span(), request),
        ("json", words.json.span(), request),
        ("steps", words.steps.span(), exchange),
        (
            "tls",
            words.tls.span().filter(|_| kind.question == Question::Tcp),
            handshake,
        ),
    ];
    for (key, span, knows) in keys {
        let Some(span) = span.filter(|_| !knows(kind.question)) else {
            continue;
        };
        let homes = ProbeType::all().into_iter();
        let homes = homes.filter(|home| knows(home.question));
        let homes: Vec<&str> = homes.map(|home| home.word).collect();
        let what = format!("{} is of type {}, which has no {key}", cx.owner, kind.word);
        cx.error(&span, what)
            .why(format!("belongs to {}", few(&homes)))
            .fix(match LOGINS.contains(&key) {
                true => "leave it out: this probe logs in to nobody".to_owned(),
                false => format!("leave it out, or say type = {:?}", homes[0]),
            });
    }
    ways_of_impala(words, kind, cx);
    by_datagram(words, kind, cx);
    if let Some(span) = words.tls.span()
        && kind.question == Question::Tls
        && matches!(words.tls.value(), Some(ProbeTls::Plain(false)))
    {
        let what = format!("{} is of type tls, but has tls turned off", cx.owner);
        cx.error(&span, what)
            .why("which one?")
            .fix("leave it out, or say type = \"tcp\"");
    }
}

/// Keys of a login. Another type of probe would ask for something else, and not for the same with a login.
const LOGINS: [&str; 6] = [
    "auth",
    "username",
    "password_file",
    "keytab",
    "principal",
    "service_principal",
];

/// Whether a question has a key.
type Knows = fn(Question) -> bool;

fn hive(question: Question) -> bool {
    matches!(question, Question::HiveServer2 { .. })
}

fn impala(question: Question) -> bool {
    matches!(question, Question::Impala { .. })
}

fn thrift(question: Question) -> bool {
    hive(question) || impala(question)
}

fn account(question: Question) -> bool {
    thrift(question) || is_database(question)
}

/// Whether a database is asked.
pub(super) fn is_database(question: Question) -> bool {
    matches!(question, Question::PostgreSql | Question::MySql)
}

/// By SASL, or in the head of a request.
pub(super) fn login(question: Question) -> bool {
    thrift(question) || request(question)
}

pub(super) fn request(question: Question) -> bool {
    question.path().is_some()
}

fn exchange(question: Question) -> bool {
    matches!(
        question,
        Question::Exchange { .. } | Question::Datagrams { .. }
    )
}

fn handshake(question: Question) -> bool {
    question == Question::Tls
}

/// The words, or the first of many.
fn few(words: &[&str]) -> String {
    match words {
        [first, rest @ ..] if rest.len() > FEW_HOMES => {
            format!("{first} and {} services that are asked alike", rest.len())
        }
        all => all.join(" and "),
    }
}

const FEW_HOMES: usize = 2;

/// Whether the web server of an Impala is asked, on a port of its own, and not its Thrift.
pub(super) fn asks_web(words: &Probe, kind: ProbeType) -> bool {
    impala(kind.question) && words.via.or(Via::Web) == Via::Web
}

/// The web server and Thrift are two questions.
fn ways_of_impala(words: &Probe, kind: ProbeType, cx: &mut Cx) {
    if !impala(kind.question) || matches!(words.via, Field::Faulty) {
        return;
    }
    if asks_web(words, kind) {
        for (key, span) in [
            (
                "auth",
                words
                    .auth
                    .span()
                    .filter(|_| words.auth.value() != Some(&Auth::Kerberos)),
            ),
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

fn command(question: Question) -> bool {
    question == Question::Command
}

fn starts_tls(question: Question) -> bool {
    let services = Service::ALL.iter().filter(|of| !of.starttls.is_empty());
    services.into_iter().any(|of| of.probe == question)
}

/// Whether steps go over UDP.
pub(super) fn asks_by_datagram(words: &Probe, kind: ProbeType) -> bool {
    matches!(kind.question, Question::Datagrams { .. })
        || words.protocol.value() == Some(&Protocol::Udp)
}

fn by_datagram(words: &Probe, kind: ProbeType, cx: &mut Cx) {
    if let Some(span) = words.protocol.span()
        && matches!(kind.question, Question::Datagrams { .. })
        && words.protocol.value() == Some(&Protocol::Tcp)
    {
        let what = format!("{} asks {} over TCP", cx.owner, kind.word);
        cx.error(&span, what)
            .why("it speaks UDP alone")
            .fix("leave protocol out");
    }
    if let Some(span) = words.tls.span()
        && exchange(kind.question)
        && asks_by_datagram(words, kind)
        && !matches!(words.tls.value(), Some(ProbeTls::Plain(false)))
    {
        let what = format!("{} asks over UDP, and by TLS", cx.owner);
        cx.error(&span, what)
            .why("TLS needs a connection")
            .fix("leave tls out, or ask over TCP");
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

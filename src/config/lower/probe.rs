//! `probe` → [`ProbePlan`].

use std::time::Duration;

use super::probe_rules::{self, asks_web, is_database};
use super::tls::connect_tls;
use super::{command, count, database, exchange, http, kerberos, material};
use crate::config::choices::{Auth, Transport};
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{Probe, ProbeTls, ProbeWord};
use crate::config::services::ProbeType;
use crate::plan::{
    Ask, ConnectTls, Depth, HiveAuth, HiveTransport, HttpAsk, ObservePlan, ProbePlan, Profile,
    Question, Secret, Service,
};

pub(in crate::config) fn lower(
    field: &Field<ProbeWord>,
    service: Service,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> Option<ProbePlan> {
    let nothing_said = Probe::default();
    let words = match field.value() {
        Some(ProbeWord::None) => return None,
        Some(ProbeWord::Table(words)) => words,
        None => &nothing_said,
    };
    let brought = ProbeType::of(service);
    let kind = words.r#type.or(brought);
    // The type of the service's own name is what the service brings.
    let kind = match kind.word == brought.word {
        true => brought,
        false => kind,
    };
    if kind.question == Question::None && words.r#type.is_absent() {
        without_type(field, service, cx);
        return None;
    }
    let outer = cx.owner.clone();
    cx.owner = format!("the probe of {outer}");
    // What belongs to an unknown type cannot be judged.
    if words.r#type.is_absent() || words.r#type.get().is_some() {
        probe_rules::strangers(words, kind, cx);
    }
    let plan = one(words, kind, service, pool_tls, cx);
    probe_rules::paces(words, &plan, cx);
    cx.owner = outer;
    Some(plan)
}

/// The service brings no question: a table has to say which.
fn without_type(field: &Field<ProbeWord>, service: Service, cx: &mut Cx) {
    if let Some(span) = field.span() {
        let what = format!("the probe of {} has no type", cx.owner);
        cx.error(&span, what)
            .why(format!("{} brings none", service.as_str()))
            .fix("add type = \"tcp\", or another, or say probe = \"none\"");
    }
}

fn one(
    words: &Probe,
    kind: ProbeType,
    service: Service,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> ProbePlan {
    let own = Service::named(kind.word).map_or(Profile::INTERVAL, |service| service.interval);
    let interval = words.interval.or(own);
    let port = port(words, kind);
    let ask = ask(words, kind, service, cx);
    let tls = tls(words, kind, port, pool_tls, cx).or(match &ask {
        Ask::Exchange(script) if script.starts_tls() => Some(as_pool(pool_tls)),
        _ => None,
    });
    ProbePlan {
        ask,
        port,
        tls,
        kerberos: kerberos::lower(words, kind, cx),
        interval,
        fast_interval: words.fast_interval.or(FAST.min(interval)),
        deep_interval: words.deep_interval.or(DEEP.max(interval)),
        timeout: words.timeout.or(Duration::from_secs(3)),
        rise: count(&words.rise).unwrap_or(2),
        fall: count(&words.fall).unwrap_or(3),
        observe: observe(words, interval),
    }
}

fn observe(words: &Probe, interval: Duration) -> ObservePlan {
    let limit = count(&words.observe_limit).and_then(|limit| u8::try_from(limit).ok());
    ObservePlan {
        what: words.observe.or(ObservePlan::DEFAULT.what),
        limit: limit.unwrap_or(ObservePlan::DEFAULT.limit),
        quarantine: words.quarantine.or(interval * 2),
    }
}

fn port(words: &Probe, kind: ProbeType) -> Option<u16> {
    let own = words
        .port
        .value()
        .and_then(|port| u16::try_from(port.0).ok());
    own.or(match kind.question {
        Question::Impala { web_port, .. } => asks_web(words, kind).then_some(web_port),
        _ => None,
    })
}

fn tls(
    words: &Probe,
    kind: ProbeType,
    port: Option<u16>,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> Option<ConnectTls> {
    match words.tls.value() {
        Some(ProbeTls::Own(own)) => Some(connect_tls(own, cx)),
        Some(ProbeTls::Plain(true)) => Some(as_pool(pool_tls)),
        Some(ProbeTls::Plain(false)) => None,
        None if kind.question == Question::Tls => Some(as_pool(pool_tls)),
        // What the pool does with the first byte, such a service does not understand.
        None if is_database(kind.question) || kind.question == Question::Command => None,
        None if probe_rules::asks_by_datagram(words, kind) => None,
        None if port.is_none() && kind.question != Question::Tcp => pool_tls.cloned(),
        None => None,
    }
}

/// The pool's own, or the system's store.
fn as_pool(pool_tls: Option<&ConnectTls>) -> ConnectTls {
    pool_tls.cloned().unwrap_or(ConnectTls {
        roots: None,
        server_name: None,
        identity: None,
    })
}

fn ask(words: &Probe, kind: ProbeType, service: Service, cx: &mut Cx) -> Ask {
    match kind.question {
        Question::None | Question::Tcp => Ask::Tcp,
        Question::Tls => Ask::Tls,
        // Where the service is asked by a request anyway, its path is what is meant.
        Question::Http { path } => {
            let path = service.probe.path().unwrap_or(path);
            Ask::Http(http::ask(words, HttpAsk::get(path), cx))
        }
        Question::Page(page) => {
            // That it compiles is a test of the profiles.
            let brought = HttpAsk::of(page).unwrap_or_else(|_| HttpAsk::get(page.path));
            Ask::Http(http::ask(words, brought, cx))
        }
        Question::Exchange { steps } | Question::Datagrams { steps } => {
            let opening = Service::named(kind.word).map_or(&[][..], |of| of.starttls);
            let script = exchange::script(words, steps, opening, cx);
            match probe_rules::asks_by_datagram(words, kind) {
                true => Ask::Datagrams(script),
                false => Ask::Exchange(script),
            }
        }
        Question::Command => Ask::Command(command::words(words, cx)),
        Question::Hue { path } => Ask::Hue(http::ask(words, HttpAsk::get(path), cx)),
        Question::PostgreSql => Ask::PostgreSql(database::ask(words, cx)),
        Question::MySql => Ask::MySql(database::ask(words, cx)),
        Question::HiveServer2 { .. } => Ask::HiveServer2 {
            depth: words.depth.or(Depth::Handshake),
            transport: transport(words, cx),
            auth: auth(words, Auth::Plain, cx),
        },
        Question::Impala { .. } if asks_web(words, kind) => Ask::Impala {
            auth: HiveAuth::NoSasl,
        },
        Question::Impala { .. } => Ask::Impala {
            auth: auth(words, Auth::NoSasl, cx),
        },
    }
}

fn transport(words: &Probe, cx: &mut Cx) -> HiveTransport {
    match words.transport.or(Transport::Binary) {
        Transport::Http => {
            if let Some(path) = words.http_path.get() {
                http::judge_path(path, "http_path", cx);
            }
            HiveTransport::Http {
                path: words.http_path.or("/cliservice".into()),
            }
        }
        Transport::Binary => {
            if let Some(span) = words.http_path.span()
                && !matches!(words.transport, Field::Faulty)
            {
                let what = format!("{} has an http_path, but its transport is binary", cx.owner);
                cx.error(&span, what)
                    .why("without effect")
                    .fix("add transport = \"http\", or leave http_path out");
            }
            HiveTransport::Binary
        }
    }
}

fn auth(words: &Probe, brought: Auth, cx: &mut Cx) -> HiveAuth {
    let password = words
        .password_file
        .get()
        .and_then(|path| material::secret(path, "password_file", cx));
    let brought = match (words.username.is_absent(), words.keytab.is_absent()) {
        (_, false) => Auth::Kerberos,
        (false, _) => Auth::Plain,
        _ => brought,
    };
    let auth = words.auth.or(brought);
    if auth == Auth::Kerberos {
        kerberos::only(words, cx);
        return HiveAuth::Kerberos;
    }
    kerberos::unused(words, auth.as_str(), cx);
    if auth == Auth::NoSasl {
        for (key, span) in [
            ("username", words.username.span()),
            ("password_file", words.password_file.span()),
        ] {
            if let Some(span) = span {
                let what = format!(
                    "{} has a {key}, but without SASL nobody asks for it",
                    cx.owner
                );
                cx.error(&span, what)
                    .why("without effect")
                    .fix(format!("leave {key} out, or say auth = \"plain\""));
            }
        }
        return HiveAuth::NoSasl;
    }
    HiveAuth::Plain {
        account: account(words, password, cx),
    }
}

fn account(words: &Probe, password: Option<Secret>, cx: &mut Cx) -> Option<(String, Secret)> {
    let Some(user) = words.username.get() else {
        if let Some(span) = words.password_file.span()
            && words.username.is_absent()
        {
            let what = format!("{} has a password, but no user", cx.owner);
            cx.error(&span, what)
                .why("whose password?")
                .fix("add username = \"NAME\"");
        }
        return None;
    };
    if user.value.is_empty() || user.value.contains('\0') {
        let what = format!("{} has a username that SASL cannot carry", cx.owner);
        cx.error(&user.span, what)
            .why("empty, or with a NUL in it")
            .fix("username = \"howdah\"");
    }
    if words.password_file.is_absent() {
        let what = format!("{} has a username without a password", cx.owner);
        cx.warning(&user.span, what)
            .why("sends \"anonymous\" as password")
            .fix("add password_file = \"FILE\" unless the servers authenticate nobody (NONE)");
    }
    // As Hive's own clients do where no password is asked for (service/auth/PlainSaslHelper: any will do).
    let password = password.unwrap_or_else(|| Secret::new("anonymous"));
    Some((user.value.clone(), password))
}

/// Three refusals in a row are seen in well under a second.
const FAST: Duration = Duration::from_millis(250);
const DEEP: Duration = Duration::from_secs(60);

//! `probe` → [`ProbePlan`].

use std::time::Duration;

use super::{defaults, material, pool};
use crate::config::choices::{Auth, ProbeType, Transport, Via};
use crate::config::file::{Probe, ProbeTls, ProbeWord};
use crate::config::words::{Cx, Field};
use crate::plan::{
    Ask, ConnectTls, Depth, HiveAuth, HiveTransport, HttpAsk, ProbePlan, Secret, Service,
};

pub(super) fn lower(
    field: &Field<ProbeWord>,
    service: Service,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> Option<ProbePlan> {
    let brought = Probe::default();
    let words = match field.value() {
        Some(ProbeWord::None) => return None,
        Some(ProbeWord::Ask(words)) => words,
        None => &brought,
    };
    let outer = cx.owner.clone();
    cx.owner = format!("the probe of {outer}");
    let plan = one(words, service, pool_tls, cx);
    cx.owner = outer;
    Some(plan)
}

fn one(words: &Probe, service: Service, pool_tls: Option<&ConnectTls>, cx: &mut Cx) -> ProbePlan {
    let kind = words.r#type.or(defaults::probe(service));
    let interval = words.interval.or(Duration::from_secs(5));
    let port = port(words, kind);
    ProbePlan {
        ask: ask(words, kind, service, cx),
        port,
        tls: tls(words, kind, port, pool_tls, cx),
        interval,
        fast_interval: words.fast_interval.or(FAST).min(interval),
        deep_interval: words.deep_interval.or(DEEP.max(interval)),
        timeout: words.timeout.or(Duration::from_secs(3)),
        rise: defaults::count(&words.rise).unwrap_or(2),
        fall: defaults::count(&words.fall).unwrap_or(3),
    }
}

fn port(words: &Probe, kind: ProbeType) -> Option<u16> {
    let own = words
        .port
        .value()
        .and_then(|port| u16::try_from(port.0).ok());
    let web = kind == ProbeType::Impala && words.via.or(Via::Web) == Via::Web;
    own.or(web.then_some(defaults::IMPALA_WEB_PORT))
}

fn tls(
    words: &Probe,
    kind: ProbeType,
    port: Option<u16>,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> Option<ConnectTls> {
    let plain = ConnectTls {
        roots: None,
        server_name: None,
        identity: None,
    };
    match words.tls.value() {
        Some(ProbeTls::Own(own)) => Some(pool::connect_tls(own, cx)),
        Some(ProbeTls::Plain(true)) => Some(pool_tls.cloned().unwrap_or(plain)),
        Some(ProbeTls::Plain(false)) => None,
        None if kind == ProbeType::Tls => Some(pool_tls.cloned().unwrap_or(plain)),
        None if port.is_none() => pool_tls.cloned(),
        None => None,
    }
}

fn ask(words: &Probe, kind: ProbeType, service: Service, cx: &mut Cx) -> Ask {
    match kind {
        ProbeType::Tcp => Ask::Tcp,
        ProbeType::Tls => Ask::Tls,
        ProbeType::Http => Ask::Http(http(
            words,
            if service == Service::Hue {
                defaults::HUE_PATH
            } else {
                "/"
            },
        )),
        ProbeType::Hue => Ask::Hue(http(words, defaults::HUE_PATH)),
        ProbeType::HiveServer2 => Ask::HiveServer2 {
            depth: words.depth.or(Depth::Handshake),
            transport: match words.transport.or(Transport::Binary) {
                Transport::Binary => HiveTransport::Binary,
                Transport::Http => HiveTransport::Http {
                    path: words.http_path.or("/cliservice".into()),
                },
            },
            auth: auth(words, Auth::Plain, cx),
        },
        ProbeType::Impala => Ask::Impala {
            auth: auth(words, Auth::NoSasl, cx),
        },
    }
}

fn auth(words: &Probe, brought: Auth, cx: &mut Cx) -> HiveAuth {
    let password = words
        .password_file
        .get()
        .and_then(|path| material::secret(path, "password_file", cx));
    match words.auth.or(brought) {
        Auth::NoSasl => HiveAuth::NoSasl,
        Auth::Plain => {
            let user = words.username.value().cloned();
            let account =
                user.map(|user| (user, password.unwrap_or_else(|| Secret::new("anonymous"))));
            HiveAuth::Plain { account }
        }
    }
}

fn http(words: &Probe, path: &str) -> HttpAsk {
    let expect: Vec<u16> = words
        .expect_status
        .value()
        .map(|many| &many.0)
        .into_iter()
        .flatten()
        .filter_map(|spot| u16::try_from(spot.value.0).ok())
        .collect();
    HttpAsk {
        method: words.method.or("GET".into()),
        path: words.path.or(path.into()),
        host: words.host.value().cloned(),
        expect_status: if expect.is_empty() { vec![200] } else { expect },
        expect_body: words.expect_body.value().cloned(),
    }
}

/// Three refusals in a row are seen in well under a second.
const FAST: Duration = Duration::from_millis(250);
const DEEP: Duration = Duration::from_secs(60);

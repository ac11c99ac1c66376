//! `[pool.NAME.load]` → [`LoadPlan`].

use std::time::Duration;

use super::tls::connect_tls;
use super::{count, missing};
use crate::base::unit::show_duration;
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{Load, ProbeTls};
use crate::plan::{ConnectTls, LoadPlan, LoadSource, Service};

pub(super) fn lower(
    field: &Field<Load>,
    service: Service,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> Option<LoadPlan> {
    let words = field.value()?;
    let outer = cx.owner.clone();
    cx.owner = format!("load of {outer}");
    let plan = one(words, service, pool_tls, cx);
    cx.owner = outer;
    plan
}

fn one(
    words: &Load,
    service: Service,
    pool_tls: Option<&ConnectTls>,
    cx: &mut Cx,
) -> Option<LoadPlan> {
    if words.from.is_absent() {
        let text = "from = \"agent\", \"hiveserver2-web\" or \"impala-web\"";
        missing(&words.span, "from", text, cx);
    }
    let from = *words.from.value()?;
    strangers(words, from, cx);
    if let Some(span) = words.from.span()
        && let Some(meant) = of_service(from).filter(|meant| *meant != service)
    {
        let what = format!(
            "{} asks {} for the load of {}",
            cx.owner, meant.title, service.title
        );
        let fix = "say from = \"agent\", with an agent beside each server";
        cx.warning(&span, what).why("no such page there").fix(fix);
    }
    if words.port.is_absent() && from.port().is_none() {
        missing(
            &words.span,
            "port",
            "port = 7777, where the agent listens",
            cx,
        );
    }
    let interval = words.interval.or(LoadPlan::INTERVAL);
    if let Some(span) = words.interval.span()
        && interval < SHORTEST
    {
        let what = format!("{} asks every {}", cx.owner, show_duration(interval));
        cx.error(&span, what)
            .why("every answer is a connection to each server")
            .fix("interval = \"1s\" or longer; \"5s\" is what it is without the key");
    }
    let floor = count(&words.floor).and_then(|floor| u8::try_from(floor).ok());
    Some(LoadPlan {
        from,
        port: count(&words.port)
            .and_then(|port| u16::try_from(port).ok())
            .or(from.port())
            .unwrap_or_default(),
        interval,
        floor: floor.unwrap_or(from.floor()),
        full_at: count(&words.full_at),
        tls: tls(words, pool_tls, cx),
        send: words.send.or(String::new()),
    })
}

/// Keys that this source does not know.
fn strangers(words: &Load, from: LoadSource, cx: &mut Cx) {
    let is_agent = from == LoadSource::Agent;
    let why = |of: &str| format!("belongs to {of}");
    if let Some(span) = words.send.span().filter(|_| !is_agent) {
        let what = format!("{} sends a text to {from}", cx.owner);
        let fix = "leave send out, or say from = \"agent\"";
        cx.error(&span, what).why(why("agent")).fix(fix);
    }
    if let Some(span) = words.full_at.span().filter(|_| is_agent) {
        let what = format!("{} counts the sessions of an agent", cx.owner);
        let fix = "leave full_at out: an agent says itself what its server bears";
        let homes = "hiveserver2-web and impala-web";
        cx.error(&span, what).why(why(homes)).fix(fix);
    }
}

fn of_service(from: LoadSource) -> Option<Service> {
    match from {
        LoadSource::HiveServer2Web => Some(Service::HIVESERVER2),
        LoadSource::ImpalaWeb => Service::named("impala"),
        LoadSource::Agent => None,
    }
}

/// The source listens on a port of its own, which knows nothing of the pool's TLS unless it is said.
fn tls(words: &Load, pool_tls: Option<&ConnectTls>, cx: &mut Cx) -> Option<ConnectTls> {
    match words.tls.value()? {
        ProbeTls::Own(own) => Some(connect_tls(own, cx)),
        ProbeTls::Plain(false) => None,
        ProbeTls::Plain(true) => Some(pool_tls.cloned().unwrap_or(ConnectTls {
            roots: None,
            server_name: None,
            identity: None,
        })),
    }
}

/// More often is a load of its own.
const SHORTEST: Duration = Duration::from_millis(100);

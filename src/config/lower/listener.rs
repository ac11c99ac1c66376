//! `[[listener]]` → [`ListenerPlan`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{
    certificate, clients, collision, count, database, judge_name, material, networks,
    pool_reference, protocol, route,
};
use crate::base::keepalive;
use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{AcceptTls, Listener, Pools};
use crate::config::words::{List, Many};
use crate::plan::{
    self, ClientAuth, ListenerName, ListenerPlan, OnRefuse, Sni, SourcePlan, TlsVersion,
};

pub(super) fn lower(
    words: &Field<List<Listener>>,
    pools: Option<&Pools>,
    admin: SocketAddr,
    cx: &mut Cx,
) -> Vec<Arc<ListenerPlan>> {
    let none = words.get().is_some_and(|list| list.value.written == 0);
    if words.is_absent() || none {
        cx.error_anywhere("there is no listener in the file")
            .fix("add one: [[listener]] with name = \"hive\", bind = \"0.0.0.0:10000\" and pool = \"NAME\"");
    }
    let mut plans = Vec::new();
    for listener in words.value().map(|list| &list.items).into_iter().flatten() {
        plans.push(Arc::new(one(&listener.value, pools, cx)));
    }
    if let Some(list) = words.value() {
        collision::judge(&list.items, admin, cx);
    }
    plans
}

fn one(words: &Listener, pools: Option<&Pools>, cx: &mut Cx) -> ListenerPlan {
    let name = words.name.or(String::new());
    cx.owner = match words.name.get() {
        Some(spot) => {
            judge_name(spot, "", "listener", cx);
            format!("listener {name:?}")
        }
        None => format!("the listener of line {}", cx.source.line_of(&words.span)),
    };
    if words.name.is_absent() {
        super::missing(&words.span, "name", "name = \"hive\"", cx);
    }
    let owner = cx.owner.clone();
    let pool = words.pool.get().map(|pool| pool_reference(pool, pools, cx));
    let routes = route::lower(words, pools, cx);
    cx.owner = owner;
    if words.pool.is_absent() && words.route.is_absent() {
        super::missing(
            &words.span,
            "pool",
            "pool = \"NAME\", or a [[listener.route]]",
            cx,
        );
    }
    overlap(words, cx);
    tls_inside(words, pools, cx);
    ListenerPlan {
        name: ListenerName::new(&name),
        bind: bind(words, cx),
        protocols: protocol::lower(words, pools, cx),
        pool,
        routes,
        max_connections: count(&words.max_connections),
        max_per_second: count(&words.max_per_second),
        source: SourcePlan {
            max_connections: count(&words.source_max_connections),
            max_per_second: count(&words.source_max_per_second),
        },
        on_refuse: words.on_refuse.or(OnRefuse::Close),
        allow: networks::lower(&words.allow, &words.allow_file, "allow_file", cx),
        deny: networks::lower(&words.deny, &words.deny_file, "deny_file", cx),
        accept_proxy: values(&words.accept_proxy),
        tls: words.tls.value().map(|tls| accept_tls(tls, cx)),
        greet_timeout: words.greet_timeout.or(Duration::from_secs(10)),
        keepalive: words.keepalive.or(keepalive::DEFAULT),
        goal: words.slo.value().copied(),
    }
}

fn values<T: Clone>(field: &Field<Many<T>>) -> Vec<T> {
    let spots = field.value().map(|many| &many.0).into_iter().flatten();
    spots.map(|spot| spot.value.clone()).collect()
}

fn bind(words: &Listener, cx: &mut Cx) -> Vec<SocketAddr> {
    if words.bind.is_absent() {
        super::missing(&words.span, "bind", "bind = \"0.0.0.0:10000\"", cx);
    }
    let bind = values(&words.bind);
    if let Some(span) = words.bind.span()
        && bind.is_empty()
    {
        let what = format!("{} has an empty bind", cx.owner);
        cx.error(&span, what)
            .why("no address")
            .fix("bind = \"0.0.0.0:10000\"");
    }
    for spot in words.bind.value().map(|many| &many.0).into_iter().flatten() {
        material::privileged(spot.value.port(), &spot.span, cx);
    }
    bind
}

/// Warns of TLS that the clients of the pool's service do not begin with.
fn tls_inside(words: &Listener, pools: Option<&Pools>, cx: &mut Cx) {
    let all = pools.into_iter().flat_map(|pools| &pools.all);
    let mut led_to = all.filter(|(name, _)| Some(&name.value) == words.pool.value());
    let service = led_to.next().and_then(|(_, pool)| pool.service.value());
    if let Some(service) = service.filter(|service| service.tls_inside) {
        database::judge_tls(words.tls.span(), service.as_str(), cx);
    }
}

/// Warns of networks in `allow` that `deny` shuts out again.
fn overlap(words: &Listener, cx: &mut Cx) {
    for allow in words
        .allow
        .value()
        .map(|many| &many.0)
        .into_iter()
        .flatten()
    {
        let deny = values(&words.deny);
        let Some(deny) = deny.iter().find(|deny| deny.contains(&allow.value)) else {
            continue;
        };
        let what = format!("{} allows {} and denies it", cx.owner, allow.value);
        cx.warning(&allow.span, what)
            .why(format!("shut out by deny, {deny}"))
            .fix("deny always wins: narrow it, or leave this out");
    }
}

fn accept_tls(words: &AcceptTls, cx: &mut Cx) -> plan::AcceptTls {
    let outer = cx.owner.clone();
    cx.owner = format!("tls of {outer}");
    if words.certificates.is_absent() {
        let example = "certificates = [{ cert = \"FILE\", key = \"FILE\" }]";
        super::missing(&words.span, "certificates", example, cx);
    }
    let mut identities = Vec::new();
    for item in words
        .certificates
        .value()
        .map(|list| &list.items)
        .into_iter()
        .flatten()
    {
        let (span, pair) = (&item.span, &item.value);
        identities.extend(certificate::identity(
            &pair.cert,
            &pair.key,
            ["cert", "key"],
            span,
            cx,
        ));
    }
    if let Some(list) = words.certificates.get()
        && list.value.written == 0
    {
        let what = format!("{} has no certificate", cx.owner);
        cx.error(&list.span, what)
            .why("empty")
            .fix("certificates = [{ cert = \"FILE\", key = \"FILE\" }]");
    }
    let client_ca = words
        .client_ca
        .get()
        .and_then(|path| certificate::roots(path, "client_ca", cx));
    let brought = if words.client_ca.is_absent() {
        ClientAuth::None
    } else {
        ClientAuth::Required
    };
    let client_auth = words.client_auth.or(brought);
    if let Some(span) = words.client_auth.span() {
        judge_client_auth(client_auth, &span, words, cx);
    }
    let client_crl = clients::revocation_lists(words, client_ca.as_ref(), cx);
    let client_allow = clients::allowed(words, cx);
    cx.owner = outer;
    plan::AcceptTls {
        identities,
        min_version: words.min_version.or(TlsVersion::V1_2),
        client_ca,
        client_auth,
        client_crl,
        client_allow,
        sni: words.sni.or(Sni::Any),
    }
}

fn judge_client_auth(
    auth: ClientAuth,
    span: &crate::config::source::Span,
    words: &AcceptTls,
    cx: &mut Cx,
) {
    match auth {
        ClientAuth::Required | ClientAuth::Optional if words.client_ca.is_absent() => {
            let what = format!(
                "{} asks for client certificates, but trusts nobody to sign them",
                cx.owner
            );
            cx.error(span, what)
                .why("needs client_ca")
                .fix("add client_ca = \"FILE\", the CA of your clients");
        }
        ClientAuth::None if words.client_ca.get().is_some() => {
            let what = format!("{} has a client_ca that is not used", cx.owner);
            cx.warning(span, what)
                .why("clients are not asked")
                .fix("client_auth = \"required\" asks them");
        }
        _ => {}
    }
}

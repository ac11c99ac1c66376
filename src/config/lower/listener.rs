//! `[[listener]]` → [`ListenerPlan`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{certificate, defaults, judge_name, material, pool_reference};
use crate::config::file::{self, AcceptTls, Listener, Pools};
use crate::config::words::{Cx, Field, List, Many, Spot};
use crate::plan::{self, ClientAuth, ListenerName, ListenerPlan, SniPattern, TlsVersion};

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
        same_twice(&list.items, admin, cx);
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
    let routes = routes(words, pools, cx);
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
    ListenerPlan {
        name: ListenerName::new(&name),
        bind: bind(words, cx),
        pool,
        routes,
        max_connections: defaults::count(&words.max_connections),
        allow: values(&words.allow),
        deny: values(&words.deny),
        accept_proxy: values(&words.accept_proxy),
        tls: words.tls.value().map(|tls| accept_tls(tls, cx)),
        greet_timeout: words.greet_timeout.or(Duration::from_secs(10)),
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

fn routes(words: &Listener, pools: Option<&Pools>, cx: &mut Cx) -> Vec<plan::Route> {
    let mut routes: Vec<plan::Route> = Vec::new();
    let owner = cx.owner.clone();
    for route in words
        .route
        .value()
        .map(|list| &list.items)
        .into_iter()
        .flatten()
    {
        cx.owner = format!("a route of {owner}");
        let words = &route.value;
        if words.sni.is_absent() {
            super::missing(&words.span, "sni", "sni = \"sales.example.com\"", cx);
        }
        if words.pool.is_absent() {
            super::missing(&words.span, "pool", "pool = \"NAME\"", cx);
        }
        let sni = patterns(words, &routes, cx);
        let pool = words.pool.get().map(|pool| pool_reference(pool, pools, cx));
        routes.extend(pool.map(|pool| plan::Route { sni, pool }));
    }
    routes
}

fn patterns(words: &file::Route, before: &[plan::Route], cx: &mut Cx) -> Vec<SniPattern> {
    let mut patterns = Vec::new();
    for word in words.sni.value().map(|many| &many.0).into_iter().flatten() {
        let Some(pattern) = pattern(word, cx) else {
            continue;
        };
        if let Some(earlier) = before
            .iter()
            .find(|route| route.sni.iter().any(|other| covers(other, &pattern)))
        {
            let what = format!("{} can never serve {:?}", cx.owner, word.value);
            let why = format!(
                "an earlier route sends it to pool {:?}",
                earlier.pool.as_str()
            );
            cx.warning(&word.span, what)
                .why(why)
                .fix("the first match wins: put the narrower route first");
        }
        patterns.push(pattern);
    }
    if words
        .sni
        .span()
        .is_some_and(|_| words.sni.value().is_some_and(|many| many.0.is_empty()))
    {
        let span = words.sni.span().unwrap_or_default();
        let what = format!("{} has an empty sni", cx.owner);
        cx.error(&span, what)
            .why("no name")
            .fix("sni = \"sales.example.com\"");
    }
    patterns
}

/// Whether everything that `narrow` matches is matched by `wide`.
fn covers(wide: &SniPattern, narrow: &SniPattern) -> bool {
    match narrow {
        SniPattern::Exact(name) => wide.matches(name),
        SniPattern::Wildcard(_) => wide == narrow,
    }
}

fn pattern(word: &Spot<String>, cx: &mut Cx) -> Option<SniPattern> {
    let name = word.value.to_ascii_lowercase();
    let rest = name.strip_prefix("*.");
    let host = rest.unwrap_or(&name);
    let why = if host.contains('*') {
        "a star stands for the whole first label, as in \"*.example.com\""
    } else if host.parse::<std::net::IpAddr>().is_ok() {
        "clients send no name when they connect to an address"
    } else if host.contains(':') {
        "a name without a port is wanted"
    } else if rest.is_some() && !host.contains('.') {
        "a star needs two labels behind it, as in \"*.example.com\""
    } else {
        match super::server::host_name(host) {
            Err(why) => why,
            Ok(()) if rest.is_some() => return Some(SniPattern::Wildcard(host.to_owned())),
            Ok(()) => return Some(SniPattern::Exact(host.to_owned())),
        }
    };
    let what = format!("{} cannot match {:?}", cx.owner, word.value);
    cx.error(&word.span, what).why(why);
    None
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
    cx.owner = outer;
    plan::AcceptTls {
        identities,
        min_version: words.min_version.or(TlsVersion::V1_2),
        client_ca,
        client_auth,
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

/// Names and addresses that two listeners share, or a listener and the admin server.
fn same_twice(listeners: &[Spot<Listener>], admin: SocketAddr, cx: &mut Cx) {
    let mut names: Vec<&Spot<String>> = Vec::new();
    let mut binds: Vec<(&Spot<SocketAddr>, String)> = Vec::new();
    for listener in listeners {
        let words = &listener.value;
        let owner = match words.name.get() {
            Some(name) => format!("listener {:?}", name.value),
            None => format!("the listener of line {}", cx.source.line_of(&words.span)),
        };
        if let Some(name) = words.name.get() {
            if let Some(first) = names.iter().find(|first| first.value == name.value) {
                let line = cx.source.line_of(&first.span);
                let what = format!("there are two listeners {:?}", name.value);
                cx.error(&name.span, what)
                    .why(format!("first at line {line}"))
                    .fix("give one of them another name");
            }
            names.push(name);
        }
        for bind in words.bind.value().map(|many| &many.0).into_iter().flatten() {
            if bind.value.port() != 0 {
                if bind.value == admin {
                    let what = format!("{owner} and [admin] want the same address");
                    cx.error(&bind.span, what)
                        .why("taken by [admin]")
                        .fix("give one of them another port");
                } else if let Some((first, other)) =
                    binds.iter().find(|(first, _)| first.value == bind.value)
                {
                    let line = cx.source.line_of(&first.span);
                    let what = format!("{owner} wants an address that {other} has");
                    cx.error(&bind.span, what)
                        .why(format!("first at line {line}"))
                        .fix("give one of them another port");
                }
            }
            binds.push((bind, owner.clone()));
        }
    }
}

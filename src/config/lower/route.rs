//! `[[listener.route]]` → [`plan::Route`].

use super::pool_reference;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::{Listener, Pools, Route};
use crate::plan::{self, SniPattern};

pub(super) fn lower(words: &Listener, pools: Option<&Pools>, cx: &mut Cx) -> Vec<plan::Route> {
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

fn patterns(words: &Route, before: &[plan::Route], cx: &mut Cx) -> Vec<SniPattern> {
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
        match super::address::host_name(host) {
            Err(why) => why,
            Ok(()) if rest.is_some() => return Some(SniPattern::Wildcard(host.to_owned())),
            Ok(()) => return Some(SniPattern::Exact(host.to_owned())),
        }
    };
    let what = format!("{} cannot match {:?}", cx.owner, word.value);
    cx.error(&word.span, what).why(why);
    None
}

//! Key `protocol` of a listener, and what does not go with UDP.

use crate::config::cx::Cx;
use crate::config::field::Field;
use crate::config::file::{Listener, Pool, Pools};
use crate::config::source::Span;
use crate::plan::Protocol;

/// The protocols, each once; TCP where nothing is said.
pub(super) fn lower(words: &Listener, pools: Option<&Pools>, cx: &mut Cx) -> Vec<Protocol> {
    let spoken = of(words);
    if let Some(span) = words.protocol.span() {
        judge_list(words, &span, cx);
        if spoken.contains(&Protocol::Udp) {
            judge_udp(words, cx);
            judge_pool(words, pools, &span, cx);
        }
    }
    spoken
}

/// The same without a judgement.
pub(super) fn of(words: &Listener) -> Vec<Protocol> {
    let mut spoken = Vec::new();
    let given = words.protocol.value().map(|many| &many.0);
    for spot in given.into_iter().flatten() {
        if !spoken.contains(&spot.value) {
            spoken.push(spot.value);
        }
    }
    if spoken.is_empty() {
        spoken.push(Protocol::Tcp);
    }
    spoken
}

fn judge_list(words: &Listener, span: &Span, cx: &mut Cx) {
    if words.protocol.value().is_some_and(|many| many.0.is_empty()) {
        let what = format!("{} speaks no protocol", cx.owner);
        cx.error(span, what)
            .why("empty")
            .fix("protocol = \"tcp\", \"udp\", or [\"tcp\", \"udp\"]");
    }
}

/// What needs a connection.
fn judge_udp(words: &Listener, cx: &mut Cx) {
    let needs_connections = [
        ("tls", words.tls.span()),
        ("accept_proxy", words.accept_proxy.span()),
        ("route", words.route.span()),
    ];
    for (key, span) in needs_connections {
        if let Some(span) = span {
            let what = format!("{} speaks UDP and has {key}", cx.owner);
            cx.error(&span, what)
                .why("for connections alone")
                .fix(format!(
                    "say protocol = \"tcp\" here, and give UDP a [[listener]] of its own at the same bind, without {key}"
                ));
        }
    }
}

/// Its servers would be spoken to in the clear, or without the header they wait for.
fn judge_pool(words: &Listener, pools: Option<&Pools>, span: &Span, cx: &mut Cx) {
    let name = words.pool.value();
    let all = pools.into_iter().flat_map(|pools| &pools.all);
    let mut led_to = all.filter(|(own, _)| Some(&own.value) == name);
    let Some((_, pool)) = led_to.next() else {
        return;
    };
    for key in for_connections(pool) {
        let what = format!("{} speaks UDP, but its pool has {key}", cx.owner);
        cx.error(span, what)
            .why("for connections alone")
            .fix(format!(
                "give UDP a [[listener]] of its own at the same bind, leading to a pool of the same servers without {key}"
            ));
    }
}

fn for_connections(pool: &Pool) -> impl Iterator<Item = &'static str> {
    let given = |key, absent: bool| (!absent).then_some(key);
    [
        given("tls", Field::is_absent(&pool.tls)),
        given("send_proxy", Field::is_absent(&pool.send_proxy)),
    ]
    .into_iter()
    .flatten()
}

//! The keys of an HTTP question → [`HttpAsk`].

use super::content;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Probe;
use crate::plan::{HttpAsk, Meaning};

pub(super) fn ask(words: &Probe, brought: HttpAsk, cx: &mut Cx) -> HttpAsk {
    let brought = fitting(words, brought);
    if let Some(path) = words.path.get() {
        judge_path(path, "path", cx);
    }
    if let Some(method) = words.method.get() {
        judge_method(method, cx);
    }
    if let Some(host) = words.host.get()
        && !is_host(&host.value)
    {
        let what = format!("{} has no Host header in {:?}", cx.owner, host.value);
        cx.error(&host.span, what)
            .why("no host")
            .fix("host = \"hue.example.com\", with a port if need be");
    }
    if let Some(body) = words.expect_body.get()
        && body.value.is_empty()
    {
        let what = format!("{} expects nothing of the body", cx.owner);
        cx.error(&body.span, what)
            .why("it is empty")
            .fix("leave expect_body out to take any body");
    }
    let status = words.expect_status.get();
    if let Some(spot) = status
        && spot.value.0.is_empty()
    {
        let what = format!("{} expects no status at all", cx.owner);
        cx.error(&spot.span, what)
            .why("it is empty")
            .fix("expect_status = [200] is the default");
    }
    let expect = status
        .map(|spot| spot.value.0.as_slice())
        .unwrap_or_default();
    let expect: Vec<u16> = expect
        .iter()
        .filter_map(|spot| u16::try_from(spot.value.0).ok())
        .collect();
    let (body, json) = content::lower(words, &brought, cx);
    HttpAsk {
        method: words.method.or(brought.method),
        path: words.path.or(brought.path),
        host: words.host.value().cloned().or(brought.host),
        statuses: statuses(words, &expect, brought.statuses, cx),
        below_500: brought.below_500,
        expect_status: match expect.is_empty() {
            true => brought.expect_status,
            false => expect,
        },
        expect_body: words.expect_body.value().cloned(),
        body,
        json,
    }
}

/// What the service brings, as far as the file leaves it its sense: another page means other things, and whoever says what is
/// expected does not want any answer below 500.
fn fitting(words: &Probe, brought: HttpAsk) -> HttpAsk {
    let other = |path: &String| *path != brought.path;
    let mut fitting = match words.path.value().is_some_and(other) {
        true => HttpAsk {
            method: brought.method,
            below_500: brought.below_500,
            ..HttpAsk::get(&brought.path)
        },
        false => brought,
    };
    let expected = [
        words.expect_status.is_absent(),
        words.expect_body.is_absent(),
        words.body.is_absent(),
        words.json.is_absent(),
    ];
    fitting.below_500 = fitting.below_500.filter(|_| !expected.contains(&false));
    fitting
}

/// What the service brings, but for those that the file names.
fn statuses(
    words: &Probe,
    expected: &[u16],
    brought: Vec<(u16, Meaning)>,
    cx: &mut Cx,
) -> Vec<(u16, Meaning)> {
    let mut all = Vec::new();
    let alive = words.alive_status.value().map(|list| list.0.as_slice());
    for spot in alive.unwrap_or_default() {
        let status = u16::try_from(spot.value.0).unwrap_or_default();
        if expected.contains(&status) {
            let what = format!("{} takes {status} for up and for alive", cx.owner);
            cx.error(&spot.span, what)
                .why("it is in expect_status, too")
                .fix("leave it out of one of them");
        }
        all.push((status, Meaning::ALIVE));
    }
    let named = |(status, _): &(u16, Meaning)| !expected.contains(status);
    all.extend(brought.into_iter().filter(named));
    all
}

/// Goes into a request's first line as it is: RFC 9112 §3.2.1.
pub(super) fn judge_path(path: &Spot<String>, key: &str, cx: &mut Cx) {
    let (why, fix) = if path.value.contains("://") {
        (
            "a path, not a URL",
            "write what follows the host, from its slash on",
        )
    } else if !path.value.starts_with('/') {
        ("a path begins with a slash", "put a slash in front")
    } else if !path.value.bytes().all(|b| b.is_ascii_graphic()) {
        (
            "a blank, a control character or a letter beyond ASCII in it",
            "write such characters as %20",
        )
    } else if path.value.contains('#') {
        ("what follows \"#\" is never sent", "leave it out")
    } else {
        return;
    };
    let what = format!("{} cannot be asked for", cx.subject_of(key));
    cx.error(&path.span, what).why(why).fix(fix);
}

fn judge_method(method: &Spot<String>, cx: &mut Cx) {
    if METHODS.contains(&method.value.as_str()) {
        return;
    }
    let what = format!("{} asks for an unknown method {:?}", cx.owner, method.value);
    let upper = method.value.to_uppercase();
    let fault = cx
        .error(&method.span, what)
        .why(format!("known: {}", METHODS.join(", ")));
    if METHODS.contains(&upper.as_str()) {
        fault.fix(format!("write it in capitals: {upper:?}"));
    }
}

fn is_host(text: &str) -> bool {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => text,
    };
    let number = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    number.is_ok() || super::address::host_name(host).is_ok()
}

const METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "POST"];

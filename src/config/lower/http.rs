//! The keys of an HTTP question → [`HttpAsk`].

use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Probe;
use crate::plan::HttpAsk;

pub(super) fn ask(words: &Probe, path: &str, cx: &mut Cx) -> HttpAsk {
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
    HttpAsk {
        method: words.method.or("GET".into()),
        path: words.path.or(path.into()),
        host: words.host.value().cloned(),
        expect_status: if expect.is_empty() { vec![200] } else { expect },
        expect_body: words.expect_body.value().cloned(),
    }
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

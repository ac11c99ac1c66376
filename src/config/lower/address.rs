//! Where a server listens, as text → [`Address`]; and what a host name is.

use std::net::Ipv6Addr;

use crate::config::cx::Cx;
use crate::config::source::Span;
use crate::plan::{Address, Host, Service};

/// `HOST`, `HOST:PORT`, a bare IPv6 address, or `[IPV6]:PORT`.
///
/// Without a port it is the usual one of `service`, with TLS or without.
pub(super) fn lower(
    text: &str,
    (service, tls): (Service, bool),
    span: &Span,
    cx: &mut Cx,
) -> Option<Address> {
    let (host, port) = judged(text, span, cx)?;
    let Some(port) = port.or(service.usual_port(tls)) else {
        let what = format!("{} has no port", cx.owner);
        let example = Address { host, port: 5432 };
        cx.error(span, what)
            .why(format!(
                "service {:?} has no default port",
                service.as_str()
            ))
            .fix(format!("write it behind the host, as in \"{example}\""));
        return None;
    };
    Some(Address { host, port })
}

/// The same with another usual port.
pub(super) fn with_port(text: &str, usual: u16, span: &Span, cx: &mut Cx) -> Option<Address> {
    let (host, port) = judged(text, span, cx)?;
    let port = port.unwrap_or(usual);
    Some(Address { host, port })
}

fn judged(text: &str, span: &Span, cx: &mut Cx) -> Option<(Host, Option<u16>)> {
    match read(text) {
        Ok(read) => Some(read),
        Err((why, fix)) => {
            let what = format!("{} has no usable address", cx.owner);
            cx.error(span, what).why(why).fix(fix);
            None
        }
    }
}

/// Host, and port if written, or why that is no address.
pub(in crate::config) fn address(text: &str) -> Result<(Host, Option<u16>), String> {
    read(text).map_err(|(why, _)| why)
}

fn read(text: &str) -> Result<(Host, Option<u16>), Why> {
    let (host, port) = split(text)?;
    Ok((judge_host(host)?, port))
}

type Why = (String, String);

/// Host, and port if written.
fn split(text: &str) -> Result<(&str, Option<u16>), Why> {
    let example = || "an address is \"HOST\", \"HOST:PORT\" or \"[IPV6]:PORT\"".to_owned();
    if let Some((scheme, rest)) = text.split_once("://") {
        let bare = rest
            .trim_start_matches('/')
            .split(['/', '?', ';'])
            .next()
            .unwrap_or(rest);
        return Err((
            format!("{scheme}:// is no part of an address"),
            format!("write \"{bare}\""),
        ));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or(("the bracket is not closed".to_owned(), example()))?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err((
                    format!("{host:?} in brackets is no IPv6 address"),
                    example(),
                ));
            }
            match after.strip_prefix(':') {
                Some(port) => (host, port),
                None if after.is_empty() => return Ok((host, None)),
                None => return Err((format!("{after:?} behind the bracket"), example())),
            }
        }
        None => match text.rsplit_once(':') {
            None => return Ok((text, None)),
            Some((host, _)) if host.contains(':') => {
                return Err((
                    "an IPv6 address with a port stands in brackets".into(),
                    example(),
                ));
            }
            Some(split) => split,
        },
    };
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err((
            format!("{port:?} is no port"),
            "a port is a number from 1 to 65535".into(),
        )),
    }
}

fn judge_host(host: &str) -> Result<Host, Why> {
    Host::read(host).map_err(|why| {
        let fix = "a host is a name as \"hs2-1.example.com\" or a number as \"10.0.0.7\"";
        (why.to_owned(), fix.into())
    })
}

/// Whether a host may be called so.
pub(super) fn host_name(host: &str) -> Result<(), &'static str> {
    Host::read(host).map(drop)
}

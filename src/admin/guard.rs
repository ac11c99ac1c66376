//! Who may command: the bearer of the token; and no page of a foreign site that a browser happens to show.
//!
//! Where no token is configured (the address is loopback then) a browser on this machine can reach the address
//! on behalf of any page it shows. So a command that carries the header `Origin` must come from our own page, and
//! from an address or `localhost`, not from a name that somebody made point here (DNS rebinding).

use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};

use super::answer::Fault;
use crate::plan::Secret;

/// Judges the headers of a command.
pub(super) fn admit(headers: &HeaderMap, token: Option<&Secret>) -> Result<(), Fault> {
    if let Some(token) = token {
        let sent = headers
            .get(AUTHORIZATION)
            .map_or(&[][..], |value| value.as_bytes());
        if !bears(sent, token.expose().as_bytes()) {
            return Err(Fault::Token);
        }
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let from = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, authority)| authority);
    let own = from.is_some() && from == host;
    if own && (token.is_some() || host.is_some_and(is_direct)) {
        return Ok(());
    }
    Err(Fault::Request(
        "a page of another site cannot command howdah".into(),
    ))
}

/// RFC 6750 §2.1; the scheme's name is without case (RFC 9110 §11.1).
fn bears(header: &[u8], token: &[u8]) -> bool {
    match header.split_at_checked(SCHEME.len()) {
        Some((scheme, sent)) if scheme.eq_ignore_ascii_case(SCHEME) => same(sent, token),
        _ => false,
    }
}

/// Takes as long for a wrong token as for the right one of that length.
fn same(sent: &[u8], token: &[u8]) -> bool {
    let mut difference = sent.len() ^ token.len();
    for (place, byte) in sent.iter().enumerate() {
        let expected = token.get(place).copied().unwrap_or(0);
        difference |= usize::from(std::hint::black_box(byte ^ expected));
    }
    std::hint::black_box(difference) == 0
}

fn is_direct(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let number = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || number.parse::<IpAddr>().is_ok()
}

const SCHEME: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("valid")))
            .collect()
    }

    #[test]
    fn only_the_exact_token_opens() {
        let token = Secret::new("s3cret");
        let admitted = |value: &str| admit(&headers(&[(AUTHORIZATION, value)]), Some(&token));
        assert_eq!(admitted("Bearer s3cret"), Ok(()));
        assert_eq!(admitted("bearer s3cret"), Ok(()));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3cret0",
            "Bearer S3cret",
            "Basic s3cret",
            "s3cret",
        ] {
            assert_eq!(admitted(wrong), Err(Fault::Token), "{wrong:?}");
        }
        assert_eq!(admit(&HeaderMap::new(), Some(&token)), Err(Fault::Token));
        assert_eq!(admit(&HeaderMap::new(), None), Ok(()));
    }

    #[test]
    fn foreign_pages_are_turned_away() {
        let from = |origin, host| admit(&headers(&[(ORIGIN, origin), (HOST, host)]), None);
        assert!(from("http://127.0.0.1:9600", "127.0.0.1:9600").is_ok());
        assert!(from("http://[::1]:9600", "[::1]:9600").is_ok());
        assert!(from("http://localhost:9600", "localhost:9600").is_ok());
        assert!(from("http://evil.example", "127.0.0.1:9600").is_err());
        assert!(from("null", "127.0.0.1:9600").is_err());
        let rebound = "evil.example:9600";
        assert!(from("http://evil.example:9600", rebound).is_err());
    }

    #[test]
    fn a_name_is_fine_for_those_who_bear_the_token() {
        let sent = headers(&[
            (ORIGIN, "http://lb-1.example.com:9600"),
            (HOST, "lb-1.example.com:9600"),
            (AUTHORIZATION, "Bearer s3cret"),
        ]);
        assert!(admit(&sent, Some(&Secret::new("s3cret"))).is_ok());
    }
}

//! Who may look, and who may command.
//!
//! | who | looks | commands |
//! |---|---|---|
//! | whom the mode of the unix socket admits | yes | yes |
//! | who bears the token of `token_file` | yes | yes |
//! | who bears the token of `reader_token_file` | yes | no |
//! | howdah's own user and root on this machine, when the file names no token and no socket | yes | yes |
//! | anybody else | unless there is a readers' token | no |
//!
//! And no page of a foreign site that a browser happens to show commands: what carries the header `Origin` must come from
//! our own page, and without a token from an address or `localhost`, not from a name that somebody made point here (DNS
//! rebinding).

use std::fmt;
use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};

use super::answer::{Fault, Sent};
use super::peer::Peer;
use crate::plan::{AdminPlan, Secret};
use crate::wire::http::base64;

/// Who commands, for the audit line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever bears it.
    Token,
    /// A user of this machine.
    User(u32),
    /// Somebody that the socket's mode admitted, and that the kernel does not name.
    Socket,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token => f.write_str("token"),
            Self::User(uid) => write!(f, "uid {uid}"),
            Self::Socket => f.write_str("socket"),
        }
    }
}

/// Who asks for status, metrics or the page.
pub(super) fn may_look(headers: &HeaderMap, peer: &Peer, admin: &AdminPlan) -> Result<(), Fault> {
    let Some(reader) = &admin.reader_token else {
        return Ok(());
    };
    let sent = authorization(headers);
    let all = [Some(reader), admin.token.as_ref()];
    // Both are compared, whichever fits.
    let fits = all.map(|token| token.is_some_and(|token| bears(sent, token) | basic(sent, token)));
    if matches!(peer, Peer::Unix { .. }) || fits.contains(&true) {
        return Ok(());
    }
    let (bearer, account) = (token_in(sent, BEARER), token_in(sent, BASIC));
    Err(Fault::Look(match bearer.or(account) {
        Some(_) => Sent::Another,
        None => nothing_of(sent),
    }))
}

/// Who commands. `uid` is asked only where nothing else decides.
pub(super) async fn may_command(
    headers: &HeaderMap,
    peer: &Peer,
    admin: &AdminPlan,
) -> Result<Who, Fault> {
    if let Peer::Unix { uid } = peer {
        return Ok(uid.map_or(Who::Socket, Who::User));
    }
    let sent = authorization(headers);
    let token = admin.token.as_ref();
    let who = if token.is_some_and(|token| bears(sent, token)) {
        Who::Token
    } else if admin.says_who_commands() {
        return Err(Fault::Token(instead(sent, admin)));
    } else {
        let (peer, own) = (*peer, rustix::process::geteuid().as_raw());
        // A busy machine has a long table.
        let uid = tokio::task::spawn_blocking(move || peer.uid()).await;
        match uid.ok().flatten() {
            Some(uid) if uid == own || uid == 0 => Who::User(uid),
            _ => return Err(Fault::Stranger(own)),
        }
    };
    foreign(headers, who == Who::Token)?;
    Ok(who)
}

/// What came in place of the token that commands.
fn instead(sent: &[u8], admin: &AdminPlan) -> Sent {
    let readers = admin.reader_token.as_ref();
    match token_in(sent, BEARER) {
        _ if admin.token.is_none() => Sent::InVain {
            socket: admin.socket.is_some(),
        },
        Some(_) if readers.is_some_and(|token| bears(sent, token)) => Sent::Readers,
        Some(_) => Sent::Another,
        None => nothing_of(sent),
    }
}

fn nothing_of(sent: &[u8]) -> Sent {
    match sent {
        [] => Sent::Nothing,
        _ => Sent::NoToken,
    }
}

/// What stands behind the scheme.
fn token_in<'s>(header: &'s [u8], scheme: &[u8]) -> Option<&'s [u8]> {
    let (said, token) = header.split_at_checked(scheme.len())?;
    (said.eq_ignore_ascii_case(scheme) && !token.is_empty()).then_some(token)
}

/// A page of another site.
fn foreign(headers: &HeaderMap, token: bool) -> Result<(), Fault> {
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
    if own && (token || host.is_some_and(is_direct)) {
        return Ok(());
    }
    Err(Fault::Request(
        "a page of another site cannot command howdah".into(),
    ))
}

fn authorization(headers: &HeaderMap) -> &[u8] {
    headers
        .get(AUTHORIZATION)
        .map_or(&[], |value| value.as_bytes())
}

/// RFC 6750 §2.1; the scheme's name is without case (RFC 9110 §11.1).
fn bears(header: &[u8], token: &Secret) -> bool {
    says(header, BEARER, token.expose().as_bytes())
}

/// RFC 7617 §2, which browsers speak: the user `howdah`, with the token as the password. For looking alone, as a browser
/// sends it along with whatever a foreign page makes it ask.
fn basic(header: &[u8], token: &Secret) -> bool {
    let account = base64(format!("howdah:{}", token.expose()).as_bytes());
    says(header, BASIC, account.as_bytes())
}

fn says(header: &[u8], scheme: &[u8], secret: &[u8]) -> bool {
    match header.split_at_checked(scheme.len()) {
        Some((said, sent)) if said.eq_ignore_ascii_case(scheme) => same(sent, secret),
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

const BEARER: &[u8] = b"Bearer ";
const BASIC: &[u8] = b"Basic ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::AdminSocket;
    use hyper::header::{HeaderName, HeaderValue};
    use std::net::SocketAddr;

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("valid")))
            .collect()
    }

    fn plan(token: Option<&str>, reader: Option<&str>) -> AdminPlan {
        AdminPlan {
            bind: SocketAddr::from(([127, 0, 0, 1], 9600)),
            socket: None,
            token: token.map(Secret::new),
            reader_token: reader.map(Secret::new),
            tls: None,
        }
    }

    /// A machine that is not this one.
    const FAR: Peer = Peer::Tcp {
        remote: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4),
        local: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 9600),
    };

    #[tokio::test]
    async fn only_the_exact_token_opens() {
        let plan = plan(Some("s3cret"), Some("looker"));
        for right in ["Bearer s3cret", "bearer s3cret"] {
            let sent = headers(&[(AUTHORIZATION, right)]);
            assert_eq!(may_command(&sent, &FAR, &plan).await, Ok(Who::Token));
            assert_eq!(may_look(&sent, &FAR, &plan), Ok(()));
        }
        for (wrong, instead) in [
            ("", Sent::Nothing),
            ("Bearer", Sent::NoToken),
            ("Bearer ", Sent::NoToken),
            ("Bearer s3cre", Sent::Another),
            ("Bearer s3cret0", Sent::Another),
            ("Bearer S3cret", Sent::Another),
            ("Basic s3cret", Sent::NoToken),
            ("s3cret", Sent::NoToken),
            ("Bearer looker", Sent::Readers),
        ] {
            let sent = headers(&[(AUTHORIZATION, wrong)]);
            let judged = may_command(&sent, &FAR, &plan).await;
            assert_eq!(judged, Err(Fault::Token(instead)), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn readers_look_and_do_not_command() {
        let plan = plan(Some("s3cret"), Some("looker"));
        let basic = |user: &str| format!("Basic {}", base64(user.as_bytes()));
        for (sent, opens) in [
            ("Bearer looker".to_owned(), true),
            (basic("howdah:looker"), true),
            (basic("howdah:s3cret"), true),
            (basic("root:looker"), false),
            ("Bearer wrong".to_owned(), false),
        ] {
            let sent = headers(&[(AUTHORIZATION, &sent)]);
            assert_eq!(may_look(&sent, &FAR, &plan).is_ok(), opens, "{sent:?}");
        }
        let none = HeaderMap::new();
        let looks = |sent: &HeaderMap| may_look(sent, &FAR, &plan);
        assert_eq!(looks(&none), Err(Fault::Look(Sent::Nothing)));
        let wrong = headers(&[(AUTHORIZATION, "Bearer wrong")]);
        assert_eq!(looks(&wrong), Err(Fault::Look(Sent::Another)));
        let sent = headers(&[(AUTHORIZATION, &basic("howdah:s3cret"))]);
        let judged = may_command(&sent, &FAR, &plan).await;
        assert_eq!(judged, Err(Fault::Token(Sent::NoToken)));
    }

    #[tokio::test]
    async fn the_socket_admits_and_shuts_the_port() {
        let mut plan = plan(None, None);
        let none = HeaderMap::new();
        let stranger = may_command(&none, &FAR, &plan).await;
        assert!(matches!(stranger, Err(Fault::Stranger(_))), "{stranger:?}");
        plan.socket = Some(AdminSocket {
            path: "x".into(),
            mode: 0o660,
            group: None,
        });
        let judged = may_command(&none, &FAR, &plan).await;
        assert_eq!(judged, Err(Fault::Token(Sent::InVain { socket: true })));
        let peer = Peer::Unix { uid: Some(7) };
        assert_eq!(may_command(&none, &peer, &plan).await, Ok(Who::User(7)));
    }

    #[test]
    fn foreign_pages_are_turned_away() {
        let from = |origin, host| foreign(&headers(&[(ORIGIN, origin), (HOST, host)]), false);
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
        ]);
        assert!(foreign(&sent, true).is_ok());
    }
}

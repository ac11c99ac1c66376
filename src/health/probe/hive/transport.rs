//! The transport around Thrift messages, on each of the ways in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::link::{Link, Target};
use super::super::trace::{Answer, Asked};
use super::super::{http, negotiate};
use super::login::{ANYBODY, basic};
use super::sealing::{Sealing, moment};
use crate::health::Reason;
use crate::plan::{HiveAuth, HiveTransport};
use crate::wire::kerberos::{Ticket, gss};
use crate::wire::sasl::{self, Status};
use crate::wire::{http as http_wire, thrift};

/// How messages travel on this connection.
#[derive(Debug)]
pub(in super::super) enum Transport {
    /// After a login by SASL: frames.
    Sasl {
        /// What the login has agreed on.
        sealing: Option<Sealing>,
    },
    /// Nothing around them.
    Bare,
    /// Each is the body of a POST.
    Http {
        path: String,
        host: String,
        access: Access,
    },
}

/// What opens the door of each request.
#[derive(Debug)]
pub(in super::super) enum Access {
    /// Nothing.
    None,
    /// An account of the plan.
    Basic(String),
    /// Any account will do.
    Anybody(String),
    /// Shown anew each time: a server takes none twice.
    Ticket(Arc<Ticket>),
}

impl Transport {
    pub(super) fn of(target: &Target<'_>, transport: &HiveTransport, auth: &HiveAuth) -> Self {
        match (transport, auth) {
            (HiveTransport::Binary, HiveAuth::NoSasl) => Self::Bare,
            (HiveTransport::Binary, _) => Self::Sasl { sealing: None },
            (HiveTransport::Http { path }, _) => Self::Http {
                path: path.clone(),
                host: target.authority(),
                access: match (auth, target.pass.ticket()) {
                    (HiveAuth::Kerberos, Some(ticket)) => Access::Ticket(Arc::clone(ticket)),
                    (
                        HiveAuth::Plain {
                            account: Some((user, word)),
                        },
                        _,
                    ) => Access::Basic(basic(user, word.expose())),
                    _ => Access::None,
                },
            },
        }
    }

    /// One message there and one back.
    pub(super) async fn exchange(&mut self, link: &mut Link, message: &[u8]) -> Asked<Vec<u8>> {
        match self {
            Self::Sasl { sealing } => {
                let mut framed = Vec::with_capacity(message.len() + 80);
                match sealing {
                    Some(sealing) => sasl::put_frame(&mut framed, &sealing.wrap(message)?),
                    None => sasl::put_frame(&mut framed, message),
                }
                link.send(&framed).await?;
                let frame = read_frame(link).await?;
                match sealing {
                    Some(sealing) => sealing.unwrap(&frame),
                    None => Ok(frame),
                }
            }
            Self::Bare => {
                link.send(message).await?;
                read_bare(link).await
            }
            Self::Http { path, host, access } => post(link, path, host, access, message).await,
        }
    }

    /// A session over HTTP needs a name also where any will do.
    pub(super) fn as_anybody(&mut self) {
        if let Self::Http { access, .. } = self
            && let Access::None = access
        {
            *access = Access::Anybody(basic(ANYBODY, ANYBODY));
        }
    }
}

async fn post(
    link: &mut Link,
    path: &str,
    host: &str,
    access: &Access,
    message: &[u8],
) -> Asked<Vec<u8>> {
    let mut headers = vec![
        "Content-Type: application/x-thrift".to_owned(),
        "Accept: application/x-thrift".to_owned(),
        "X-XSRF-HEADER: howdah".to_owned(),
    ];
    let mut begun = None;
    match access {
        Access::None => {}
        Access::Basic(header) | Access::Anybody(header) => headers.push(header.clone()),
        // As Hive's own clients do: the token of Kerberos as it is.
        Access::Ticket(ticket) => {
            let (token, waits) = gss::begin(ticket, &moment()?);
            headers.push(negotiate::header(&token));
            begun = Some(waits);
        }
    }
    link.send(&http_wire::request("POST", path, host, &headers, message))
        .await?;
    let reply = http::receive(link, false).await?;
    judge_status(&reply, access)?;
    match begun {
        Some(begun) => negotiate::verified(&reply, begun).map(|()| reply.body),
        None => Ok(reply.body),
    }
}

/// The next message of the handshake.
pub(super) async fn negotiation(link: &mut Link) -> Asked<(Status, Vec<u8>)> {
    loop {
        let parsed = sasl::message(link.inbox());
        match parsed {
            Ok(Some((message, taken))) => {
                let payload = message.payload.to_vec();
                let status = message.status;
                link.take(taken);
                return Ok((status, payload));
            }
            Ok(None) => more(link).await?,
            Err(_) => return Err(stranger(link, Reason::NotSasl).await),
        }
    }
}

async fn read_frame(link: &mut Link) -> Asked<Vec<u8>> {
    loop {
        match sasl::frame(link.inbox(), sasl::FRAME_MAX) {
            Ok(Some((content, taken))) => {
                let content = content.to_vec();
                link.take(taken);
                return Ok(content);
            }
            Ok(None) => more(link).await?,
            Err(_) => return Err(stranger(link, Reason::NotSasl).await),
        }
    }
}

async fn read_bare(link: &mut Link) -> Asked<Vec<u8>> {
    loop {
        match thrift::message_length(link.inbox()) {
            Ok(length) => {
                let message = link.inbox()[..length].to_vec();
                link.take(length);
                return Ok(message);
            }
            Err(thrift::ThriftError::Incomplete) => more(link).await?,
            Err(_) => return Err(stranger(link, Reason::NotThrift).await),
        }
    }
}

async fn more(link: &mut Link) -> Asked<()> {
    if link.more().await? {
        return Ok(());
    }
    let text = match link.inbox().len() {
        0 => "closed without an answer: another transport, TLS, or no free thread?".to_owned(),
        some => format!("closed after {some} bytes of an answer"),
    };
    Err(Answer::down(Reason::Closed, &text))
}

/// What came back is not what was asked for: say what it is, if it shows within a moment.
async fn stranger(link: &mut Link, otherwise: Reason) -> Answer {
    let until = Instant::now() + Duration::from_millis(200);
    while link.inbox().len() < 5 {
        match timeout_at(until, link.more()).await {
            Ok(Ok(true)) => {}
            _ => break,
        }
    }
    let bytes = link.inbox();
    let start = bytes[..bytes.len().min(48)].escape_ascii();
    let reason = match bytes {
        [0x15 | 0x16, 3, ..] | [0x15] => Reason::SpeaksTls,
        [b'<', ..] => Reason::SpeaksHttp,
        _ if bytes.starts_with(b"HTTP/") => Reason::SpeaksHttp,
        [3 | 4, 0, 0, ..] => Reason::SpeaksSasl,
        _ => otherwise,
    };
    Answer::down(reason, &format!("the answer begins with {start}"))
}

fn judge_status(reply: &http_wire::Reply, access: &Access) -> Asked<()> {
    let text = format!("status {}", reply.status);
    Err(match (reply.status, access) {
        (200, _) => return Ok(()),
        (401, Access::Basic(_)) => Answer::down(Reason::BadCredentials, &text),
        (401, Access::Ticket(ticket)) => {
            let text = format!("{text}, though shown a ticket for {}", ticket.service);
            Answer::down(Reason::KerberosRefused, &text)
        }
        (401, _) => Answer::alive(challenge(reply), &text),
        (403, _) => Answer::alive(Reason::HttpStatus, &text),
        (300..=399, _) => Answer::alive(Reason::HttpRedirect, &text),
        _ => Answer::down(Reason::HttpStatus, &text),
    })
}

/// Kerberos asks to negotiate.
fn challenge(reply: &http_wire::Reply) -> Reason {
    match reply.header("www-authenticate") {
        Some(scheme) if scheme.to_ascii_lowercase().starts_with("negotiate") => {
            Reason::UnsupportedMechanism
        }
        _ => Reason::AccountNeeded,
    }
}

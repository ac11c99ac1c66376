//! Getting in: the transport around Thrift messages, and what opens it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::http;
use super::super::link::{Link, Target};
use super::super::trace::{Answer, Asked};
use crate::health::{Reason, Verdict};
use crate::plan::{HiveAuth, HiveTransport, Secret};
use crate::wire::sasl::{self, Status};
use crate::wire::{http as http_wire, thrift};

/// How messages travel on this connection.
pub(super) enum Transport {
    /// SASL PLAIN, then frames.
    Sasl,
    /// Nothing around them.
    Bare,
    /// Each is the body of a POST.
    Http {
        path: String,
        host: String,
        authorization: Option<String>,
        /// The authorization is not of the plan.
        anybody: bool,
    },
}

/// User and password, where the plan has them.
pub(super) type Account<'a> = Option<&'a (String, Secret)>;

/// Taken by every server that lets anybody in; both parts must not be empty.
pub(super) const ANYBODY: &str = "anonymous";

impl Transport {
    pub(super) fn of(target: &Target<'_>, transport: &HiveTransport, auth: &HiveAuth) -> Self {
        match (transport, auth) {
            (HiveTransport::Binary, HiveAuth::Plain { .. }) => Self::Sasl,
            (HiveTransport::Binary, HiveAuth::NoSasl) => Self::Bare,
            (HiveTransport::Http { path }, _) => Self::Http {
                path: path.clone(),
                host: target.authority(),
                authorization: account_of(auth).map(|(user, word)| basic(user, word.expose())),
                anybody: false,
            },
        }
    }

    /// One message there and one back.
    pub(super) async fn exchange(&mut self, link: &mut Link, message: &[u8]) -> Asked<Vec<u8>> {
        match self {
            Self::Sasl => {
                let mut framed = Vec::with_capacity(message.len() + 4);
                sasl::put_frame(&mut framed, message);
                link.send(&framed).await?;
                read_frame(link).await
            }
            Self::Bare => {
                link.send(message).await?;
                read_bare(link).await
            }
            Self::Http {
                path,
                host,
                authorization,
                anybody,
            } => {
                let mut headers = vec![
                    "Content-Type: application/x-thrift".to_owned(),
                    "Accept: application/x-thrift".to_owned(),
                    "X-XSRF-HEADER: howdah".to_owned(),
                ];
                headers.extend(authorization.clone());
                let request = http_wire::request("POST", path, host, &headers, message);
                link.send(&request).await?;
                let reply = http::receive(link, false).await?;
                judge_status(&reply, authorization.is_some() && !*anybody)?;
                Ok(reply.body)
            }
        }
    }

    /// A session over HTTP needs a name also where any will do.
    pub(super) fn as_anybody(&mut self) {
        if let Self::Http {
            authorization,
            anybody,
            ..
        } = self
            && authorization.is_none()
        {
            *authorization = Some(basic(ANYBODY, ANYBODY));
            *anybody = true;
        }
    }
}

pub(super) fn account_of(auth: &HiveAuth) -> Account<'_> {
    match auth {
        HiveAuth::Plain { account } => account.as_ref(),
        HiveAuth::NoSasl => None,
    }
}

/// SASL PLAIN. `shallow`: a refusal for want of an account is the answer of a living server.
pub(super) async fn log_in(link: &mut Link, account: Account<'_>, shallow: bool) -> Asked<Answer> {
    let (user, password) = match account {
        Some((user, password)) => (user.as_str(), password.expose()),
        None => (ANYBODY, ANYBODY),
    };
    link.send(&sasl::plain_login(user, password)).await?;
    loop {
        let (status, text) = negotiation(link).await?;
        match status {
            Status::Complete => return Ok(Answer::up()),
            Status::Bad => {
                return Err(refused(&text, account.is_some(), shallow).logging_an_error());
            }
            Status::Ok => {}
            Status::Start | Status::Error => return Err(Answer::down(Reason::NotSasl, &text)),
        }
    }
}

/// The words of BAD are for people, all but one: a mechanism that is not registered (TSaslServerTransport).
pub(super) fn refused(text: &str, has_account: bool, shallow: bool) -> Answer {
    let no_plain = text.to_ascii_lowercase().contains("unsupported mechanism");
    let reason = match (no_plain, has_account) {
        (true, _) => Reason::UnsupportedMechanism,
        (false, true) => Reason::BadCredentials,
        (false, false) => Reason::AccountNeeded,
    };
    let verdict = match (has_account, shallow) {
        (true, _) => Verdict::Down,
        (false, true) => Verdict::Up,
        (false, false) => Verdict::Alive,
    };
    Answer::of(verdict, reason, text)
}

pub(super) async fn negotiation(link: &mut Link) -> Asked<(Status, String)> {
    loop {
        let parsed = sasl::message(link.inbox());
        match parsed {
            Ok(Some((message, taken))) => {
                let text = String::from_utf8_lossy(message.payload).into_owned();
                let status = message.status;
                link.take(taken);
                return Ok((status, text));
            }
            Ok(None) => more(link).await?,
            Err(_) => return Err(stranger(link, Reason::NotSasl).await),
        }
    }
}

pub(super) async fn read_frame(link: &mut Link) -> Asked<Vec<u8>> {
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

fn judge_status(reply: &http_wire::Reply, has_account: bool) -> Asked<()> {
    let text = format!("status {}", reply.status);
    Err(match reply.status {
        200 => return Ok(()),
        401 if has_account => Answer::down(Reason::BadCredentials, &text),
        401 => Answer::alive(challenge(reply), &text),
        403 => Answer::alive(Reason::HttpStatus, &text),
        300..=399 => Answer::alive(Reason::HttpRedirect, &text),
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

fn basic(user: &str, password: &str) -> String {
    let word = http_wire::base64(format!("{user}:{password}").as_bytes());
    format!("Authorization: Basic {word}")
}

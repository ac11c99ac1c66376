//! What the admin server answers: a status, a body, and headers that keep browsers from guessing.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::turns::InTurns;

/// An answer: whole, or a stream.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A fault: its status and its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// 400: the request makes no sense.
    Request(String),
    /// 401: no token that commands.
    Token(Sent),
    /// 401: only those who bear a token may look.
    Look(Sent),
    /// 401: another user of this machine than howdah's own, which is this.
    Stranger(u32),
    /// 404: nothing there.
    Unknown(String),
    /// 405, with the methods that are possible.
    Method(String),
    /// 422: understood, and impossible; with a list where there is one.
    Impossible(String, Vec<String>),
    /// 503: not now.
    Later(String, Vec<String>),
}

/// What came in place of the token that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// No header `Authorization`.
    Nothing,
    /// One that holds no token.
    NoToken,
    /// A token that nobody knows.
    Another,
    /// The readers' token, where commands need the other one.
    Readers,
    /// Whatever it was: the file names no token that commands, and it does, or does not, name a socket.
    InVain {
        /// Who may write to it commands.
        socket: bool,
    },
}

/// What went wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
pub(super) struct Body<'a> {
    /// One sentence.
    error: &'a str,
    /// 422: each fault with its place, where there is a list.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    faults: &'a [String],
    /// 503: why not now, where there are reasons.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasons: &'a [String],
}

impl Fault {
    pub(super) fn answer(&self) -> Answer {
        let none: &[String] = &[];
        let (status, faults, reasons) = match self {
            Self::Request(_) => (StatusCode::BAD_REQUEST, none, none),
            Self::Token(_) | Self::Look(_) | Self::Stranger(_) => {
                (StatusCode::UNAUTHORIZED, none, none)
            }
            Self::Unknown(_) => (StatusCode::NOT_FOUND, none, none),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, none, none),
            Self::Impossible(_, faults) => {
                (StatusCode::UNPROCESSABLE_ENTITY, faults.as_slice(), none)
            }
            Self::Later(_, reasons) => (StatusCode::SERVICE_UNAVAILABLE, none, reasons.as_slice()),
        };
        let error = &*self.sentence();
        let mut answer = json(&Body {
            error,
            faults,
            reasons,
        });
        *answer.status_mut() = status;
        let header = match self {
            Self::Token(_) | Self::Stranger(_) => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static(BEARER)))
            }
            // Which browsers ask their user for.
            Self::Look(_) => Some((WWW_AUTHENTICATE, HeaderValue::from_static(BASIC))),
            Self::Method(allow) => {
                let value = HeaderValue::try_from(allow.as_str());
                value.ok().map(|value| (ALLOW, value))
            }
            _ => None,
        };
        if let Some((name, value)) = header {
            answer.headers_mut().insert(name, value);
        }
        answer
    }

    /// A rendering that panicked.
    pub(super) fn of(error: JoinError) -> Self {
        Self::Later(error.to_string(), Vec::new())
    }
}

impl Fault {
    /// What it says.
    pub(super) fn sentence(&self) -> Cow<'_, str> {
        match self {
            Self::Token(sent) => match sent {
                Sent::Nothing => format!("no token was sent: commands need the admin token, {HEADER}").into(),
                Sent::NoToken => format!("{OTHER_HEADER}: commands need the admin token, {HEADER}").into(),
                Sent::Another => format!(
                    "the token that was sent is not the admin token: send what the file of [admin] token_file holds, {HEADER}"
                )
                .into(),
                Sent::Readers => "the token that was sent is the readers' token, which opens status and metrics: commands \
                     need the one of [admin] token_file"
                    .into(),
                Sent::InVain { socket: true } => "commands come over the socket of [admin] alone (howdah: --admin unix:PATH): \
                     let [admin] have a token_file for this port"
                    .into(),
                Sent::InVain { socket: false } => {
                    "nobody commands over this port: let [admin] have a token_file or a socket".into()
                }
            },
            Self::Look(sent) => match sent {
                Sent::Nothing => format!("no token was sent: looking needs one, {HEADER}; {BROWSERS}").into(),
                Sent::NoToken => {
                    format!("{OTHER_HEADER}: looking needs a token, {HEADER}; {BROWSERS}").into()
                }
                Sent::Another | Sent::Readers | Sent::InVain { .. } => format!(
                    "the token that was sent is neither of [admin]: send what the file of reader_token_file or token_file \
                     holds, {HEADER}; {BROWSERS}"
                )
                .into(),
            },
            Self::Stranger(own) => format!(
                "commands without a token are for root and the user that howdah runs as (uid {own}), from this machine: \
                 become one of them, or let [admin] have a token_file or a socket"
            )
            .into(),
            Self::Method(_) => WRONG_METHOD.into(),
            Self::Request(error) | Self::Unknown(error) => error.into(),
            Self::Impossible(error, _) | Self::Later(error, _) => error.into(),
        }
    }
}

/// 200 with JSON.
pub(super) fn json(value: &impl Serialize) -> Answer {
    with(JSON, lines(value))
}

/// JSON with a line's end.
pub(super) fn lines(value: &impl Serialize) -> Vec<u8> {
    // What is shown here are strings, numbers and lists of them: that always serialises.
    let mut turns = InTurns::default();
    let mut body = match serde_json::to_writer(&mut turns, value) {
        Ok(()) => turns.into_body(),
        Err(_) => b"null".to_vec(),
    };
    body.push(b'\n');
    body
}

/// 200 with plain text.
pub(super) fn text(body: impl Into<Bytes>) -> Answer {
    with("text/plain; charset=utf-8", body)
}

/// 200 with a body of that type.
pub(super) fn with(kind: &'static str, body: impl Into<Bytes>) -> Answer {
    headed(kind, Full::new(body.into()).boxed_unsync())
}

/// 200 with what `pieces` brings, as it comes, until its sender is dropped. The connection may be asked to leave when the
/// address is crowded, after those that only wait.
pub(super) fn stream(kind: &'static str, pieces: mpsc::Receiver<Bytes>) -> Answer {
    let mut answer = headed(kind, Pieces(pieces).boxed_unsync());
    answer.extensions_mut().insert(Streams);
    answer
}

/// Marks an answer that has no end of its own.
#[derive(Clone, Copy)]
pub(super) struct Streams;

/// A body that comes piece by piece.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn headed(kind: &'static str, body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    let all: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    for (name, value) in all {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

const BEARER: &str = "Bearer realm=\"howdah\"";
const BASIC: &str = "Basic realm=\"howdah\", Bearer realm=\"howdah\"";
pub(super) const JSON: &str = "application/json";
/// The page loads its style, scripts and icon from us, asks nobody but us, and has nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEADER: &str =
    "in the header \"Authorization: Bearer TOKEN\" (howdah: --token-file FILE, or HOWDAH_TOKEN)";
const OTHER_HEADER: &str = "the header Authorization was sent, with no \"Bearer TOKEN\" in it";
const BROWSERS: &str = "browsers: user \"howdah\", the token as the password";
const WRONG_METHOD: &str = "this path does not take that method: see the header Allow";

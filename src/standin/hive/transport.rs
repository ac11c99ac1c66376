//! How calls reach the service: bare Thrift, Thrift in SASL frames, or http.
//!
//! The replies to bad logins and to strangers are those of Thrift 0.9.3 as Hive 1 to 3 ship it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::super::listener::{Bytes, Visit};
use super::super::web::{self, Page, Question};
use super::ledger::Opened;
use super::service::Service;
use super::{Auth, Flavour, Transport};
use crate::wire::sasl::{self, FRAME_MAX, SaslError, Status};
use crate::wire::thrift::{ThriftError, message_length};

/// One connection, from its first byte to its end.
pub(super) async fn serve(visit: Visit, service: Arc<Service>) {
    if service.options.transport == Transport::Http {
        return web::serve(visit, move |question| {
            let service = Arc::clone(&service);
            async move { post(&service, &question).await }
        })
        .await;
    }
    let mut line = Line {
        stream: visit.stream,
        heard: Vec::new(),
    };
    let mut opened = Opened::of(&service.ledger);
    // An error is the peer's way to end; what it opened is closed either way.
    let _ = line.converse(&service, &mut opened).await;
    drop(opened);
    line.close().await;
}

/// http transport: a call is a POST, its reply the body. Sessions outlive the connection.
async fn post(service: &Arc<Service>, question: &Question) -> Page {
    if let Auth::Account { user, password } = &service.options.auth {
        let account = base64(&format!("{user}:{password}"));
        let told = question.headers.get("authorization");
        if told.is_none_or(|told| told.as_bytes() != format!("Basic {account}").as_bytes()) {
            return Page::plain(StatusCode::UNAUTHORIZED, "");
        }
    }
    if question.method != Method::POST || !question.target.starts_with("/cliservice") {
        return Page::plain(StatusCode::NOT_FOUND, "");
    }
    let mut opened = Opened::of(&service.ledger);
    let answer = service.answer(&question.body, &mut opened).await;
    opened.keep();
    match answer {
        Ok(reply) => Page::new(StatusCode::OK, "application/x-thrift", reply),
        Err(_) => Page::plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
    }
}

struct Line {
    stream: Box<dyn Bytes>,
    /// Arrived, not yet taken.
    heard: Vec<u8>,
}

impl Line {
    async fn converse(&mut self, service: &Service, opened: &mut Opened) -> io::Result<()> {
        let framed = service.options.auth != Auth::NoSasl;
        if framed && !self.log_in(service).await? {
            return Ok(());
        }
        while let Some(call) = self.call(framed).await? {
            let reply = service.answer(&call, opened).await.map_err(strange)?;
            let mut out = Vec::with_capacity(reply.len() + 4);
            if framed {
                sasl::put_frame(&mut out, &reply);
            } else {
                out = reply;
            }
            self.say(&out).await?;
        }
        Ok(())
    }

    /// The negotiation; `false` when the peer was refused, which it has been told.
    async fn log_in(&mut self, service: &Service) -> io::Result<bool> {
        let (status, mechanism) = match self.negotiation().await? {
            Ok(message) => message,
            Err(why) => return self.refuse(Status::Error, &why).await,
        };
        if status != Status::Start {
            let status = format!("{status:?}").to_uppercase();
            let why = format!("Expecting START status, received {status}");
            return self.refuse(Status::Error, &why).await;
        }
        let plain = mechanism == b"PLAIN" && service.options.auth != Auth::OnlyGssapi;
        if !plain {
            let why = format!(
                "Unsupported mechanism type {}",
                String::from_utf8_lossy(&mechanism)
            );
            return self.refuse(Status::Bad, &why).await;
        }
        let (status, token) = match self.negotiation().await? {
            Ok(message) => message,
            Err(why) => return self.refuse(Status::Error, &why).await,
        };
        if !matches!(status, Status::Ok | Status::Complete) {
            return Ok(false);
        }
        match judge(&service.options.auth, &token) {
            Ok(()) => {
                let mut out = Vec::new();
                sasl::put_message(&mut out, Status::Complete, b"");
                self.say(&out).await?;
                Ok(true)
            }
            Err(_) if service.options.flavour == Flavour::Impala => Ok(false),
            Err(why) => self.refuse(Status::Bad, why).await,
        }
    }

    async fn refuse(&mut self, status: Status, why: &str) -> io::Result<bool> {
        let mut out = Vec::new();
        sasl::put_message(&mut out, status, why.as_bytes());
        self.say(&out).await?;
        Ok(false)
    }

    /// The next message of the negotiation, or the text for a peer that speaks something else.
    async fn negotiation(&mut self) -> io::Result<Result<(Status, Vec<u8>), String>> {
        loop {
            match sasl::message(&self.heard) {
                Ok(Some((message, taken))) => {
                    let owned = (message.status, message.payload.to_vec());
                    self.heard.drain(..taken);
                    return Ok(Ok(owned));
                }
                Ok(None) => {}
                Err(SaslError::Status(byte)) => {
                    return Ok(Err(format!("Invalid status {}", byte.cast_signed())));
                }
                Err(SaslError::Length(length)) => {
                    return Ok(Err(format!("Invalid payload length: {length}")));
                }
            }
            if !self.listen().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The next call; `None` when the peer has ended.
    async fn call(&mut self, framed: bool) -> io::Result<Option<Vec<u8>>> {
        loop {
            let complete = if framed {
                sasl::frame(&self.heard, FRAME_MAX)
                    .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?
                    .map(|(content, taken)| (content.to_vec(), taken))
            } else {
                match message_length(&self.heard) {
                    Ok(length) => Some((
                        self.heard.get(..length).unwrap_or_default().to_vec(),
                        length,
                    )),
                    Err(ThriftError::Incomplete) => None,
                    Err(why) => return Err(strange(why)),
                }
            };
            if let Some((call, taken)) = complete {
                self.heard.drain(..taken);
                return Ok(Some(call));
            }
            if !self.listen().await? {
                return Ok(None);
            }
        }
    }

    async fn listen(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.heard).await? > 0)
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// FIN, then whatever the peer still had to say: unread bytes would turn the FIN into a reset.
    async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let rest = async {
            while matches!(self.listen().await, Ok(true)) {
                self.heard.clear();
            }
        };
        let _ = timeout(LAST_WORDS, rest).await;
    }
}

/// Who may log in with PLAIN.
fn judge(auth: &Auth, token: &[u8]) -> Result<(), &'static str> {
    let given = sasl::plain_account(token)?;
    match auth {
        Auth::Account { user, password } if (user, password) != (&given.0, &given.1) => {
            Err("Error validating the login")
        }
        _ => Ok(()),
    }
}

fn strange(why: ThriftError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// RFC 4648 §4; of an account it is a line's worth.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

/// A peer that goes on talking after its refusal is cut off.
const LAST_WORDS: Duration = Duration::from_secs(2);

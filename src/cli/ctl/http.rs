//! One request, one answer, blocking: all the HTTP that a command needs, over TCP, TLS or a unix socket.
//!
//! Requests are HTTP/1.0, so an answer ends where the connection ends and is never chunked.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::plan::{ConnectTls, Roots};
use crate::tls::TlsError;
use crate::tls::connect::Connector;

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CtlError {
    /// `--admin` is not usable.
    #[error(
        "{0:?} is no admin address: write it like http://127.0.0.1:9600, https://lb-1.example.com:9600 or unix:/run/howdah/admin.sock"
    )]
    Address(String),
    /// TLS cannot begin: no roots to trust, or a host that no certificate can name.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `--ca` cannot be used.
    #[error("the CA file {0:?} cannot be used: {1}")]
    Ca(PathBuf, String),
    /// `--token-file` cannot be read.
    #[error("the token file {0:?} cannot be read: {1}")]
    TokenFile(PathBuf, String),
    /// `--token-file` holds nothing.
    #[error("the token file {0:?} is empty: put the token into it, in one line")]
    NoToken(PathBuf),
    /// A token that no header can hold.
    #[error("the token holds a control character: it must be one line of text")]
    Token,
    /// Nobody there.
    #[error(
        "no howdah answers at {0}: is it running? (`--admin URL` or HOWDAH_ADMIN name another address; {1})"
    )]
    Nobody(String, io::Error),
    /// It answered, but not like a howdah.
    #[error("what answers at {0} is no howdah, or another version of it: {1}")]
    Stranger(String, String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What was named is not there.
    #[error("{0}")]
    Unknown(String),
    /// howdah says no.
    #[error("{0}")]
    Refused(String),
    /// A reload met a faulty file.
    #[error("{0}")]
    Faulty(String, Vec<String>),
    /// The server that was waited for is back to work.
    #[error("{0} was put back to work before it was empty")]
    CalledOff(String),
}

/// Knows where howdah is and what token it wants.
pub(in crate::cli) struct Client {
    shown: String,
    transport: Transport,
    authority: String,
    prefix: String,
    token: Option<String>,
}

/// How howdah is reached.
enum Transport {
    Tcp,
    Tls(Arc<ClientConfig>, ServerName<'static>),
    Unix(PathBuf),
}

/// A connection of either kind.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

#[derive(Deserialize)]
struct Body {
    error: String,
    #[serde(default)]
    faults: Vec<String>,
    #[serde(default)]
    reasons: Vec<String>,
}

impl Client {
    /// `ca` is who signs the certificate of an `https` address; without it the system's store decides.
    pub(super) fn new(
        url: &str,
        token: Option<String>,
        ca: Option<&Path>,
    ) -> Result<Self, CtlError> {
        let wrong = || CtlError::Address(url.into());
        let url = url.trim();
        if token
            .as_ref()
            .is_some_and(|token| token.chars().any(char::is_control))
        {
            return Err(CtlError::Token);
        }
        if let Some(path) = url.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(wrong());
            }
            return Ok(Self {
                shown: format!("unix:{path}"),
                transport: Transport::Unix(path.into()),
                authority: "localhost".into(),
                prefix: String::new(),
                token,
            });
        }
        let (scheme, rest, port) = match url.strip_prefix("https://") {
            Some(rest) => ("https", rest, 443),
            None => ("http", url.strip_prefix("http://").unwrap_or(url), 80),
        };
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty()
            || url.contains(['@', '?', '#'])
            || !plain(rest)
            || prefix.contains("://")
        {
            return Err(wrong());
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = match has_port {
            true => authority.to_owned(),
            false if authority.ends_with(':') => return Err(wrong()),
            false => format!("{authority}:{port}"),
        };
        let transport = match scheme {
            "https" => secured(&authority, ca)?,
            _ => Transport::Tcp,
        };
        Ok(Self {
            shown: format!("{scheme}://{authority}"),
            transport,
            authority,
            prefix: prefix.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// The answer's body, read as `T`.
    pub(in crate::cli) fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<T, CtlError> {
        self.read(&self.send(method, path, body)?)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, CtlError> {
        serde_json::from_str(text).map_err(|error| self.stranger(error))
    }

    /// The body of an answer 200; anything else is an error.
    pub(in crate::cli) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<String, CtlError> {
        let nobody = |error| self.unheard(error);
        let mut stream = self.connect(ANSWER).map_err(nobody)?;
        stream
            .write_all(self.request(method, path, body).as_bytes())
            .map_err(nobody)?;
        let mut answer = Vec::new();
        stream
            .take(ANSWER_MAX)
            .read_to_end(&mut answer)
            .map_err(nobody)?;
        if answer.starts_with(TLS_ALERT) {
            let what = "it speaks TLS: write https:// in place of http://";
            return Err(self.stranger(what));
        }
        let answer = String::from_utf8(answer).map_err(|error| self.stranger(error))?;
        let (status, body) = parse(&answer).ok_or_else(|| self.stranger("no HTTP"))?;
        match status {
            200 => Ok(body.to_owned()),
            _ => Err(self.fault(status, body)),
        }
    }

    /// The body of an answer 200 as it comes, until nothing has come for `silence`.
    pub(super) fn open(&self, path: &str, silence: Duration) -> Result<impl BufRead, CtlError> {
        let nobody = |error| self.unheard(error);
        let mut stream = self.connect(silence).map_err(nobody)?;
        let request = self.request("GET", path, None);
        stream.write_all(request.as_bytes()).map_err(nobody)?;
        let mut body = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = body.by_ref().take(HEAD_MAX).read_line(&mut head);
            if read.map_err(nobody)? == 0 || head.len() as u64 > HEAD_MAX {
                return Err(self.stranger("no HTTP"));
            }
        }
        let (status, _) = parse(&head).ok_or_else(|| self.stranger("no HTTP"))?;
        if status == 200 {
            return Ok(body);
        }
        let mut text = String::new();
        let read = body.take(HEAD_MAX).read_to_string(&mut text);
        read.map_err(nobody)?;
        Err(self.fault(status, &text))
    }

    fn fault(&self, status: u16, body: &str) -> CtlError {
        let fault: Body = match self.read(body) {
            Ok(fault) => fault,
            Err(stranger) => return stranger,
        };
        match (status, fault.faults.is_empty()) {
            (422, false) => CtlError::Faulty(fault.error, fault.faults),
            (404, _) => CtlError::Unknown(fault.error),
            _ if fault.reasons.is_empty() => CtlError::Refused(fault.error),
            _ => CtlError::Refused(format!("{}: {}", fault.error, fault.reasons.join("; "))),
        }
    }

    /// `answer`: how long howdah may be silent.
    fn connect(&self, answer: Duration) -> io::Result<Box<dyn Stream>> {
        match &self.transport {
            Transport::Tcp => Ok(Box::new(self.tcp(answer)?)),
            Transport::Tls(config, name) => {
                let tls = ClientConnection::new(Arc::clone(config), name.clone());
                let tls = tls.map_err(io::Error::other)?;
                Ok(Box::new(StreamOwned::new(tls, self.tcp(answer)?)))
            }
            Transport::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(answer))?;
                stream.set_write_timeout(Some(CONNECT))?;
                Ok(Box::new(stream))
            }
        }
    }

    /// The first address of the name that answers.
    fn tcp(&self, answer: Duration) -> io::Result<TcpStream> {
        let mut last = ErrorKind::NotFound.into();
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(answer))?;
                    stream.set_write_timeout(Some(CONNECT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn request(&self, method: &str, path: &str, body: Option<&str>) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let body = body.unwrap_or("");
        let token = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        format!(
            "{method} {slash}{}{path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{token}\r\n{body}",
            self.prefix,
            self.authority,
            body.len()
        )
    }

    /// Why nothing was heard: over TLS somebody is there as a rule, and is not understood.
    fn unheard(&self, error: io::Error) -> CtlError {
        let is_tls = matches!(self.transport, Transport::Tls(..));
        if !is_tls || error.kind() != ErrorKind::InvalidData {
            return CtlError::Nobody(self.shown.clone(), error);
        }
        let (shown, text) = (&self.shown, error.to_string());
        CtlError::Refused(match text.contains("InvalidContentType") {
            true => {
                format!("what answers at {shown} speaks no TLS: write http:// in place of https://")
            }
            false => format!(
                "what answers at {shown} cannot be trusted: {text}; `--ca FILE` or HOWDAH_CA names who signed its certificate"
            ),
        })
    }

    pub(super) fn stranger(&self, what: impl ToString) -> CtlError {
        CtlError::Stranger(self.shown.clone(), what.to_string())
    }
}

fn secured(authority: &str, ca: Option<&Path>) -> Result<Transport, CtlError> {
    let roots = ca.map(|path| {
        let unfit = |why: String| CtlError::Ca(path.into(), why);
        let pem = std::fs::read(path).map_err(|error| unfit(error.to_string()))?;
        let none = || unfit("no certificate in PEM form in it".into());
        Roots::from_pem(path.into(), &pem).ok_or_else(none)
    });
    let connector = Connector::new(&ConnectTls {
        roots: roots.transpose()?,
        server_name: None,
        identity: None,
    })?;
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Transport::Tls(
        connector.config(),
        connector.server_name(host)?,
    ))
}

/// Status and body.
fn parse(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let rest = head.strip_prefix("HTTP/1.")?;
    let status = rest.split(' ').nth(1)?.trim_end().get(..3)?.parse().ok()?;
    Some((status, body))
}

/// How an alert begins, which whoever speaks TLS answers a request in the clear with.
const TLS_ALERT: &[u8] = &[0x15, 0x03];
const CONNECT: Duration = Duration::from_secs(3);
/// A reload answers within a minute.
const ANSWER: Duration = Duration::from_secs(70);
/// Of an answer that is read as it comes.
const HEAD_MAX: u64 = 64 * 1024;
/// Thousands of servers fit.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn address(url: &str) -> Option<(String, String)> {
        let client = Client::new(url, None, None).ok()?;
        Some((client.authority, client.prefix))
    }

    #[test]
    fn addresses_as_people_write_them() {
        let table = [
            ("http://127.0.0.1:9600", "127.0.0.1:9600", ""),
            ("http://127.0.0.1:9600/", "127.0.0.1:9600", ""),
            ("lb-1.example.com:9600", "lb-1.example.com:9600", ""),
            ("http://lb-1.example.com", "lb-1.example.com:80", ""),
            ("http://[::1]:9600", "[::1]:9600", ""),
            ("http://[::1]", "[::1]:80", ""),
            ("http://proxy/lb/1/", "proxy:80", "lb/1"),
            ("unix:/run/howdah/admin.sock", "localhost", ""),
            ("unix:///run/howdah/admin.sock", "localhost", ""),
        ];
        for (url, authority, prefix) in table {
            let expected = Some((authority.to_owned(), prefix.to_owned()));
            assert_eq!(address(url), expected, "{url}");
        }
        for url in [
            "",
            "http://",
            "http:///x",
            "ftp://x",
            "http://a@b",
            "a b",
            "x:",
            "https://",
            "unix:",
        ] {
            assert_eq!(address(url), None, "{url}");
        }
    }

    #[test]
    fn a_token_cannot_smuggle_a_header() {
        let token = Some("a\r\nx: y".to_owned());
        assert!(matches!(
            Client::new("http://x", token, None),
            Err(CtlError::Token)
        ));
    }

    /// Answers one connection with these bytes.
    fn answering(bytes: &'static [u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepts");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(bytes);
        });
        Client::new(&url, None, None).expect("an address")
    }

    fn error(bytes: &'static [u8]) -> String {
        let sent = answering(bytes).send("GET", "/", None);
        sent.expect_err("no 200").to_string()
    }

    #[test]
    fn answers_become_sentences() {
        let ok = answering(b"HTTP/1.1 200 OK\r\nx: y\r\n\r\nhello").send("GET", "/", None);
        assert_eq!(ok.expect("200"), "hello");
        let text = error(b"HTTP/1.0 404 Not Found\r\n\r\n{\"error\": \"there is no pool\"}");
        assert_eq!(text, "there is no pool");
        let text =
            error(b"HTTP/1.1 503 x\r\n\r\n{\"error\":\"not ready\",\"reasons\":[\"a\",\"b\"]}");
        assert_eq!(text, "not ready: a; b");
        for strange in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"",
            b"HTTP/1.1 403 Forbidden\r\n\r\n<html>",
            b"HTTP/1.1\r\n\r\n",
            b"\xff\xfe",
        ] {
            assert!(error(strange).contains("is no howdah"), "{strange:?}");
        }
        let text = error(b"\x15\x03\x03\0\x02\x02\x32");
        assert!(text.contains("write https://"), "{text}");
    }

    #[test]
    fn nobody_there_is_said_so() {
        let listener = TcpListener::bind("127.0.53.21:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let client = Client::new(&format!("http://{address}"), None, None).expect("an address");
        let text = client
            .send("GET", "/", None)
            .expect_err("nobody")
            .to_string();
        let expected = format!("no howdah answers at http://{address}: is it running?");
        assert!(text.starts_with(&expected), "{text}");
    }
}

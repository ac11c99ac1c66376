//! One request, one answer, blocking: all the HTTP that a command needs.
//!
//! Requests are HTTP/1.0, so an answer ends where the connection ends and is never chunked.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum CtlError {
    /// `--admin` is not usable.
    #[error("{0:?} is no admin address: write it like http://127.0.0.1:9600")]
    Address(String),
    /// The admin server speaks plain HTTP.
    #[error(
        "{0:?}: the admin server speaks http, not https; to reach it over a network use a tunnel, like `ssh -L 9600:127.0.0.1:9600 HOST`"
    )]
    Https(String),
    /// `--token-file` cannot be read.
    #[error("the token file {0:?} cannot be read: {1}")]
    TokenFile(PathBuf, io::Error),
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
pub(super) struct Client {
    shown: String,
    authority: String,
    prefix: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    error: String,
    #[serde(default)]
    faults: Vec<String>,
    #[serde(default)]
    reasons: Vec<String>,
}

impl Client {
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, CtlError> {
        let wrong = || CtlError::Address(url.into());
        let url = url.trim();
        if url.starts_with("https://") {
            return Err(CtlError::Https(url.into()));
        }
        let rest = url.strip_prefix("http://").unwrap_or(url);
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
            false => format!("{authority}:80"),
        };
        if token
            .as_ref()
            .is_some_and(|token| token.chars().any(char::is_control))
        {
            return Err(CtlError::Token);
        }
        Ok(Self {
            shown: format!("http://{authority}"),
            authority,
            prefix: prefix.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// The answer's body, read as `T`.
    pub(super) fn ask<T: DeserializeOwned>(
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
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<String, CtlError> {
        let nobody = |error| CtlError::Nobody(self.shown.clone(), error);
        let mut stream = self.connect().map_err(nobody)?;
        stream
            .write_all(self.request(method, path, body).as_bytes())
            .map_err(nobody)?;
        let mut answer = Vec::new();
        stream
            .take(ANSWER_MAX)
            .read_to_end(&mut answer)
            .map_err(nobody)?;
        let answer = String::from_utf8(answer).map_err(|error| self.stranger(error))?;
        let (status, body) = parse(&answer).ok_or_else(|| self.stranger("no HTTP"))?;
        if status == 200 {
            return Ok(body.to_owned());
        }
        let fault: Body = self.read(body)?;
        Err(match (status, fault.faults.is_empty()) {
            (422, false) => CtlError::Faulty(fault.error, fault.faults),
            _ if fault.reasons.is_empty() => CtlError::Refused(fault.error),
            _ => CtlError::Refused(format!("{}: {}", fault.error, fault.reasons.join("; "))),
        })
    }

    /// The first address of the name that answers.
    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = ErrorKind::NotFound.into();
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(ANSWER))?;
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

    fn stranger(&self, what: impl ToString) -> CtlError {
        CtlError::Stranger(self.shown.clone(), what.to_string())
    }
}

/// Status and body.
fn parse(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let rest = head.strip_prefix("HTTP/1.")?;
    let status = rest.split(' ').nth(1)?.trim_end().get(..3)?.parse().ok()?;
    Some((status, body))
}

const CONNECT: Duration = Duration::from_secs(3);
/// A reload answers within a minute.
const ANSWER: Duration = Duration::from_secs(70);
/// Thousands of servers fit.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn address(url: &str) -> Option<(String, String)> {
        let client = Client::new(url, None).ok()?;
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
            "https://x",
        ] {
            assert_eq!(address(url), None, "{url}");
        }
    }

    #[test]
    fn a_token_cannot_smuggle_a_header() {
        let token = Some("a\r\nx: y".to_owned());
        assert!(matches!(
            Client::new("http://x", token),
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
        Client::new(&url, None).expect("an address")
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
    }

    #[test]
    fn nobody_there_is_said_so() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let client = Client::new(&format!("http://{address}"), None).expect("an address");
        let text = client
            .send("GET", "/", None)
            .expect_err("nobody")
            .to_string();
        let expected = format!("no howdah answers at http://{address}: is it running?");
        assert!(text.starts_with(&expected), "{text}");
    }
}

//! One POST, and what its answer means.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::plan::{Host, Webhook};
use crate::tls::connect::Connector;
use crate::wire::http::{self, Incoming, Reader, Reply};

/// What became of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Taken,
    /// It will not have it, now or later.
    Refused(String),
    /// Not now.
    Later {
        why: String,
        /// It asked to be left alone for so long.
        wanted: Option<Duration>,
    },
}

/// Sends `body`; a connection of its own each time, as messages are few.
pub(super) async fn post(
    to: &Webhook,
    connector: Option<&Connector>,
    content_type: &str,
    body: &str,
) -> Outcome {
    let later = |why: String| Outcome::Later { why, wanted: None };
    match timeout(to.timeout, ask(to, connector, content_type, body)).await {
        Ok(Ok(reply)) => judge(&reply),
        Ok(Err(why)) => later(why),
        Err(_) => later("no answer in time".to_owned()),
    }
}

async fn ask(
    to: &Webhook,
    connector: Option<&Connector>,
    content_type: &str,
    body: &str,
) -> Result<Reply, String> {
    let mut headers = vec![
        "Connection: close".to_owned(),
        "Accept: */*".to_owned(),
        format!("Content-Type: {content_type}"),
    ];
    if let Some(token) = &to.token {
        headers.push(format!("Authorization: Bearer {}", token.expose()));
    }
    let path = to.path.expose();
    let request = http::request("POST", path, &to.authority, &headers, body.as_bytes());
    let tcp = connect(to).await.map_err(|error| error.to_string())?;
    let reply = match connector {
        None => exchange(tcp, &request).await,
        Some(connector) => {
            let host = match &to.address.host {
                Host::Ip(ip) => ip.to_string(),
                Host::Name(name) => name.clone(),
            };
            let name = connector
                .server_name(&host)
                .map_err(|error| error.to_string())?;
            let tls = TlsConnector::from(connector.config())
                .connect(name, tcp)
                .await;
            exchange(tls.map_err(|error| error.to_string())?, &request).await
        }
    };
    reply.map_err(|error| error.to_string())
}

/// Names are looked up on a thread for such things; addresses are tried in turn.
async fn connect(to: &Webhook) -> io::Result<TcpStream> {
    let port = to.address.port;
    match &to.address.host {
        Host::Ip(ip) => TcpStream::connect((*ip, port)).await,
        Host::Name(name) => TcpStream::connect((name.as_str(), port)).await,
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> io::Result<Reply> {
    let strange = || io::Error::other("what answers does not speak HTTP");
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut reader = Reader::new(false);
    let mut inbox = Vec::new();
    loop {
        let read = stream.read_buf(&mut inbox).await?;
        let (used, incoming) = reader.feed(&inbox);
        inbox.drain(..used);
        let incoming = match incoming {
            Incoming::Incomplete if read == 0 => reader.end(),
            Incoming::Incomplete => continue,
            other => other,
        };
        return match incoming {
            Incoming::Reply(reply) => Ok(reply),
            _ => Err(strange()),
        };
    }
}

fn judge(reply: &Reply) -> Outcome {
    let status = reply.status;
    match status {
        200..=299 => Outcome::Taken,
        408 | 429 | 500..=599 => {
            let wanted = reply.header("retry-after");
            let wanted = wanted.and_then(|text| text.trim().parse().ok());
            Outcome::Later {
                why: format!("status {status}"),
                wanted: wanted.map(Duration::from_secs),
            }
        }
        300..=399 => Outcome::Refused(format!("status {status}: it sends elsewhere")),
        _ => Outcome::Refused(format!("status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        let reply = |status, headers: &[(&str, &str)]| Reply {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: Vec::new(),
        };
        let later = |why: &str, wanted: Option<u64>| Outcome::Later {
            why: why.into(),
            wanted: wanted.map(Duration::from_secs),
        };
        let refused = |why: &str| Outcome::Refused(why.into());
        for (status, headers, expected) in [
            (204, &[][..], Outcome::Taken),
            (302, &[], refused("status 302: it sends elsewhere")),
            (404, &[], refused("status 404")),
            (408, &[], later("status 408", None)),
            (429, &[("retry-after", "30")], later("status 429", Some(30))),
            (
                503,
                &[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")],
                later("status 503", None),
            ),
        ] {
            assert_eq!(judge(&reply(status, headers)), expected);
        }
    }
}

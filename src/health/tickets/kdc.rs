//! One question to the KDCs of a realm, over TCP: the first that answers counts (RFC 4120 §7.2.2).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fault::TicketFault;

pub(super) async fn exchange(
    realm: &str,
    kdcs: &[(String, u16)],
    asked: &[u8],
    limit: Duration,
) -> Result<Vec<u8>, TicketFault> {
    let mut tried = Vec::new();
    // A KDC that is silent leaves time for the next.
    let share = limit / u32::try_from(kdcs.len() + 1).unwrap_or(u32::MAX);
    for (host, port) in kdcs {
        match timeout(share, one(host, *port, asked)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => tried.push(format!("{host}:{port}: {error}")),
            Err(_) => tried.push(format!("{host}:{port}: no answer within {share:?}")),
        }
    }
    Err(TicketFault::unreachable(match tried.is_empty() {
        true => format!("krb5.conf names no KDC of {realm}"),
        false => tried.join("; "),
    }))
}

async fn one(host: &str, port: u16, asked: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port)).await?;
    let length = u32::try_from(asked.len()).unwrap_or(u32::MAX);
    stream
        .write_all(&[&length.to_be_bytes()[..], asked].concat())
        .await?;
    let length = stream.read_u32().await?;
    if length > ANSWER_MAX {
        return Err(io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = Vec::new();
    let whole = stream.take(length.into()).read_to_end(&mut answer).await?;
    match u32::try_from(whole) == Ok(length) {
        true => Ok(answer),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Tickets with many groups in them stay below.
const ANSWER_MAX: u32 = 256 * 1024;

//! Databases that answer byte for byte: what they say before a login, and by one.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wire::bytes;

/// What happens on a connection, in order.
#[derive(Clone)]
pub(super) enum Turn {
    /// The server says this.
    Say(Vec<u8>),
    /// It hears one message that has this in it.
    Hear(&'static [u8]),
}

use Turn::{Hear, Say};

/// How messages are framed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Frames {
    Postgres,
    MySql,
}

/// A server that takes its turns with everybody, and what it heard last.
pub(super) struct Database {
    pub(super) address: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Database {
    pub(super) async fn start(frames: Frames, turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let own = heard.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = take_turns(&mut stream, frames, &turns, &own).await;
            }
        });
        Self { address, heard }
    }

    /// The last message that came.
    pub(super) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

async fn take_turns(
    stream: &mut TcpStream,
    frames: Frames,
    turns: &[Turn],
    heard: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    let mut first = true;
    for turn in turns {
        match turn {
            Say(bytes) => stream.write_all(bytes).await?,
            Hear(part) => {
                let message = message(stream, frames, first).await?;
                first = false;
                heard.lock().unwrap().clone_from(&message);
                let mut parts = message.windows(part.len().max(1));
                if !part.is_empty() && !parts.any(|has| has == *part) {
                    return Ok(());
                }
            }
        }
    }
    stream.shutdown().await?;
    // Whoever goes before his time gets a reset, which is not meant.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(())
}

/// PostgreSQL's first has no letter.
async fn message(stream: &mut TcpStream, frames: Frames, first: bool) -> std::io::Result<Vec<u8>> {
    let head = match (frames, first) {
        (Frames::Postgres, false) => 5,
        _ => 4,
    };
    let mut bytes = vec![0; head];
    stream.read_exact(&mut bytes).await?;
    let length = match frames {
        Frames::Postgres => u32::from_be_bytes(bytes[head - 4..].try_into().unwrap()) - 4,
        Frames::MySql => u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]),
    };
    bytes.resize(head + usize::try_from(length).unwrap(), 0);
    stream.read_exact(&mut bytes[head..]).await?;
    Ok(bytes)
}

/// A message of PostgreSQL's.
pub(super) fn told(letter: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[letter][..], &length, body].concat()
}

/// An error of PostgreSQL's.
pub(super) fn error(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0Fauth.c\0L1\0Rauth_failed\0\0");
    told(b'E', fields.as_bytes())
}

/// In, and ready for a query.
pub(super) fn welcome() -> Vec<u8> {
    [told(b'R', &[0; 4]), told(b'Z', b"I")].concat()
}

/// The answer to the one query: values of its five columns.
pub(super) fn roles(values: [Option<&str>; 5]) -> Vec<u8> {
    let names = ["in_recovery", "streaming", "applied", "paused", "old"];
    let mut head = vec![0, 5];
    for name in names {
        head.extend_from_slice(name.as_bytes());
        head.extend(bytes("00 00000000 0000 00000019 ffff ffffffff 0000"));
    }
    let mut row = vec![0, 5];
    for value in values {
        let length = value.map_or(-1, |text| i32::try_from(text.len()).unwrap());
        row.extend(length.to_be_bytes());
        row.extend_from_slice(value.unwrap_or_default().as_bytes());
    }
    [
        told(b'T', &head),
        told(b'D', &row),
        told(b'C', b"SELECT 1\0"),
        told(b'Z', b"I"),
    ]
    .concat()
}

/// A packet of MySQL's.
pub(super) fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// The greeting of a MariaDB or, by its version, of a MySQL.
pub(super) fn greeting(version: &str) -> Vec<u8> {
    let mut body = vec![10];
    body.extend_from_slice(version.as_bytes());
    body.extend(bytes("00 0b000000"));
    body.extend_from_slice(b"abcdefgh\0");
    body.extend(bytes("fff7 2d 0200 ffdf 15 00000000000000000000"));
    body.extend_from_slice(b"ijklmnopqrst\0");
    body.extend_from_slice(match version.contains("MariaDB") {
        true => b"mysql_native_password\0",
        false => b"caching_sha2_password\0",
    });
    packet(0, &body)
}

pub(super) fn refusal(number: u8, code: u16, text: &str) -> Vec<u8> {
    let head = [&[0xff][..], &code.to_le_bytes()].concat();
    packet(number, &[&head, text.as_bytes()].concat())
}

/// "OK".
pub(super) fn fine(number: u8) -> Vec<u8> {
    packet(number, &bytes("00 00 00 0200 0000"))
}

/// A table of one row, or of none where there are no values.
pub(super) fn table(names: &[&str], values: &[Option<&str>]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let end = bytes("fe 0000 0200");
    let mut bodies = vec![vec![u8::try_from(names.len()).unwrap()]];
    for name in names {
        let column = [&bytes("03 646566 00 00 00")[..], &text(name)].concat();
        bodies.push([&column[..], &bytes("00 0c 2d00 ff000000 fd 0000 1f 0000")].concat());
    }
    bodies.push(end.clone());
    if !values.is_empty() {
        let values = values.iter().map(|value| value.map_or(vec![0xfb], text));
        bodies.push(values.collect::<Vec<_>>().concat());
    }
    bodies.push(end);
    let numbered = bodies.iter().zip(1..);
    numbered
        .flat_map(|(body, number)| packet(number, body))
        .collect()
}

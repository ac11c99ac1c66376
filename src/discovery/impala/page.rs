//! One page of a web server, over plain HTTP and without a login.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::plan::{Address, Host};
use crate::wire::http::{self, Incoming, Reader};

/// The body of a 200. The caller bounds the time.
///
/// # Errors
/// Why there is none, in words.
pub(super) async fn get(address: &Address, path: &str) -> Result<Vec<u8>, String> {
    let mut stream = connect(address).await.map_err(|error| words(&error))?;
    let headers = ["Connection: close".to_owned()];
    let request = http::request("GET", path, &address.to_string(), &headers, b"");
    let sent = stream.write_all(&request).await;
    sent.map_err(|error| words(&error))?;
    let mut reader = Reader::new(false);
    let mut room = vec![0; ROOM];
    loop {
        let count = stream.read(&mut room).await;
        let count = count.map_err(|error| words(&error))?;
        if count == 0 {
            return judge(reader.end());
        }
        match reader.feed(&room[..count]).1 {
            Incoming::Incomplete => {}
            whole => return judge(whole),
        }
    }
}

fn judge(incoming: Incoming) -> Result<Vec<u8>, String> {
    match incoming {
        Incoming::Reply(reply) if reply.status == 200 => Ok(reply.body),
        Incoming::Reply(reply) if reply.status == 401 => Err("its web server wants a login".into()),
        Incoming::Reply(reply) => Err(format!("its web server answers {}", reply.status)),
        Incoming::Incomplete | Incoming::NotHttp(_) | Incoming::Malformed => {
            Err("it speaks no HTTP there".into())
        }
    }
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    match &address.host {
        Host::Ip(ip) => TcpStream::connect((*ip, address.port)).await,
        Host::Name(name) => TcpStream::connect((name.as_str(), address.port)).await,
    }
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "it broke the connection".into(),
        _ => error.to_string(),
    }
}

const ROOM: usize = 16 * 1024;

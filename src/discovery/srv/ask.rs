//! Asks name servers in turn, over UDP, and over TCP where an answer is too long for that.
//!
//! The socket is connected and its port is a new one each time; the question's number comes from the same source as keys
//! do. Who wants to forge an answer has to guess both, and what does not fit is passed over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustls::crypto::aws_lc_rs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::resolver::Resolver;
use crate::wire::dns::{self, Answer};

/// The first answer that settles the matter: records, or that there are none.
///
/// # Errors
/// What came of the last try, in words.
pub(super) async fn services(resolver: &Resolver, name: &str) -> Result<Answer, String> {
    let mut why = String::new();
    for _ in 0..resolver.rounds {
        for server in &resolver.servers {
            let asked = timeout(resolver.patience, one(*server, name)).await;
            why = match asked {
                Ok(Ok(answer)) if matches!(answer.code, GOOD | NO_SUCH_NAME) => return Ok(answer),
                Ok(Ok(answer)) => format!("{server} answers {}", code(answer.code)),
                Ok(Err(error)) => format!("{server}: {error}"),
                Err(_) => format!("{server} does not answer"),
            };
        }
    }
    Err(why)
}

async fn one(server: SocketAddr, name: &str) -> io::Result<Answer> {
    let answer = by_udp(server, name).await?;
    match answer.truncated {
        true => by_tcp(server, name).await,
        false => Ok(answer),
    }
}

async fn by_udp(server: SocketAddr, name: &str) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let id = number()?;
    socket.send(&dns::question(id, name)).await?;
    let mut room = [0; LARGEST];
    loop {
        let length = socket.recv(&mut room).await?;
        if let Ok(answer) = dns::answer(&room[..length], id, name) {
            return Ok(answer);
        }
    }
}

/// A length of two bytes goes before each message (RFC 1035 §4.2.2).
async fn by_tcp(server: SocketAddr, name: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let id = number()?;
    let question = dns::question(id, name);
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream
        .write_all(&[&length.to_be_bytes()[..], &question].concat())
        .await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    dns::answer(&answer, id, name).map_err(io::Error::other)
}

fn number() -> io::Result<u16> {
    let mut bytes = [0; 2];
    let random = aws_lc_rs::default_provider().secure_random;
    let filled = random.fill(&mut bytes);
    filled.map_err(|_| io::Error::other("no random number"))?;
    Ok(u16::from_be_bytes(bytes))
}

/// RFC 1035 §4.1.1.
fn code(code: u8) -> String {
    match code {
        1 => "that it does not understand the question".into(),
        2 => "SERVFAIL: it could not find out".into(),
        5 => "REFUSED".into(),
        other => format!("code {other}"),
    }
}

const GOOD: u8 = 0;
const NO_SUCH_NAME: u8 = 3;
/// Without EDNS no answer over UDP is longer than 512 bytes; some are.
const LARGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    /// Repeats the question with these flags and this many records of `target`.
    fn reply(question: &[u8], flags: u16, records: u16) -> Vec<u8> {
        let mut bytes = question.to_vec();
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&records.to_be_bytes());
        for port in 0..records {
            bytes.extend_from_slice(b"\xc0\x0c\0\x21\0\x01\0\0\0\x05\0\x0a\0\0\0\x01");
            bytes.extend_from_slice(&port.to_be_bytes());
            bytes.extend_from_slice(b"\x02s1\0");
        }
        bytes
    }

    fn resolver(servers: &[SocketAddr]) -> Resolver {
        Resolver {
            servers: servers.to_vec(),
            patience: Duration::from_secs(3),
            rounds: 1,
        }
    }

    const NAME: &str = "_a._tcp.example.com";

    #[tokio::test]
    async fn a_long_answer_is_asked_for_by_tcp_and_a_forged_one_is_passed_over() {
        // An address of its own: nobody else has the number over UDP.
        let tcp = TcpListener::bind("127.0.53.19:0").await.expect("a port");
        let here = tcp.local_addr().expect("bound");
        let udp = UdpSocket::bind(here).await.expect("the same port");
        tokio::spawn(async move {
            let mut room = [0; 512];
            let (length, peer) = udp.recv_from(&mut room).await.expect("a question");
            let mut forged = reply(&room[..length], 0x8180, 1);
            forged[0] ^= 1;
            for answer in [forged, vec![0; 3], reply(&room[..length], 0x8380, 0)] {
                udp.send_to(&answer, peer).await.expect("sends");
            }
            let (mut stream, _) = tcp.accept().await.expect("a client");
            let length = stream.read_u16().await.expect("a length");
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await.expect("a question");
            let answer = reply(&question, 0x8180, 300);
            stream.write_u16(answer.len() as u16).await.expect("sends");
            stream.write_all(&answer).await.expect("sends");
        });
        let answer = services(&resolver(&[here]), NAME).await.expect("an answer");
        assert_eq!(answer.records.len(), 300);
        assert_eq!(answer.ttl, Some(5));
    }

    #[tokio::test]
    async fn who_refuses_or_is_not_there_is_passed_over_and_named() {
        let gone = UdpSocket::bind("127.0.53.20:0").await.expect("a port");
        let nobody = gone.local_addr().expect("bound");
        drop(gone);
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let here = udp.local_addr().expect("bound");
        tokio::spawn(async move {
            let mut room = [0; 512];
            for flags in [0x8183, 0x8185] {
                let (length, peer) = udp.recv_from(&mut room).await.expect("a question");
                let answer = reply(&room[..length], flags, 0);
                udp.send_to(&answer, peer).await.expect("sends");
            }
        });
        let found = services(&resolver(&[nobody, here]), NAME).await;
        assert_eq!(found.map(|one| one.code), Ok(NO_SUCH_NAME));
        let refused = services(&resolver(&[nobody, here]), NAME).await;
        assert_eq!(refused, Err(format!("{here} answers REFUSED")));
    }
}

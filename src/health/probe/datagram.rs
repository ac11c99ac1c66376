//! One datagram out, and the answer to it: the exchange of every service that is asked over UDP.
//!
//! The socket is connected, so that the kernel drops what others than the server send, and its port is a new one each time;
//! beside that, a question carries a number that nobody else can know, and what does not repeat it is passed over. Who
//! wants to forge an answer has to guess both.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// No answer that a probe reads is longer; what is, is cut.
const LARGEST: usize = 4096;

/// Sends what `question` makes of a number drawn for it, and returns the first datagram that `answers` takes for an answer
/// to that number. Nothing is sent twice: a datagram that was lost is a probe that was not answered.
///
/// # Errors
/// Those of the socket, a refusal by the server's machine among them; [`io::ErrorKind::TimedOut`] at `until`. Dropping
/// the future ends the question.
pub async fn ask<Q: AsRef<[u8]>>(
    address: SocketAddr,
    until: Instant,
    question: impl FnOnce(u64) -> Q,
    answers: impl Fn(u64, &[u8]) -> bool,
) -> io::Result<Vec<u8>> {
    let number = fastrand::u64(..);
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let exchange = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(address).await?;
        socket.send(question(number).as_ref()).await?;
        let mut room = vec![0; LARGEST];
        loop {
            let length = socket.recv(&mut room).await?;
            if answers(number, &room[..length]) {
                room.truncate(length);
                return Ok(room);
            }
        }
    };
    match timeout_at(until, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(3)
    }

    fn repeats(number: u64, bytes: &[u8]) -> bool {
        bytes.starts_with(&number.to_be_bytes())
    }

    #[tokio::test]
    async fn the_answer_to_another_question_is_passed_over() {
        let server = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let address = server.local_addr().expect("bound");
        let serve = async {
            let mut room = [0; 64];
            let (length, from) = server.recv_from(&mut room).await.expect("asked");
            let forger = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
            let right = [&room[..length], b"!"].concat();
            forger.send_to(&right, from).await.expect("sent");
            for answer in [&b""[..], b"none of it", &right] {
                server.send_to(answer, from).await.expect("sent");
            }
            right
        };
        let asked = ask(address, soon(), u64::to_be_bytes, repeats);
        let (answer, right) = tokio::join!(asked, serve);
        assert_eq!(answer.expect("answered"), right);
    }

    #[tokio::test]
    async fn nobody_there_is_told_and_silence_ends() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let address = silent.local_addr().expect("bound");
        let until = Instant::now() + Duration::from_millis(50);
        let error = ask(address, until, u64::to_be_bytes, repeats).await;
        let kind = error.expect_err("silence").kind();
        assert_eq!(kind, io::ErrorKind::TimedOut);
        drop(silent);
        let error = ask(address, soon(), u64::to_be_bytes, repeats).await;
        let kind = error.expect_err("nobody").kind();
        assert_eq!(kind, io::ErrorKind::ConnectionRefused);
    }
}

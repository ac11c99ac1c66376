//! A script's steps over UDP: a datagram out, and the datagram that answers it.
//!
//! The socket is connected, so that the kernel drops what others than the server send, and its port is a new one each time;
//! beside that, a question may carry a number that nobody else can know, and what does not repeat it is passed over. Who
//! wants to forge an answer has to guess both. Nothing is sent twice: a datagram that was lost is a probe that was not
//! answered.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

use super::fault;
use super::link::Target;
use super::talk::{Heard, Talk, Turn};
use super::trace::{Answer, Asked, Trace};
use crate::health::Reason;
use crate::plan::{Number, Script};

/// The first address alone is asked: over UDP nobody says at once that he is not there.
pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    script: &Script,
) -> Asked<Answer> {
    let Some(address) = target.addresses().next() else {
        let text = "the name has no address";
        return Err(Answer::down(Reason::ResolveFailed, text));
    };
    let refused = |error: &io::Error| fault::of_connect(error, address);
    let socket = open(address).await.map_err(|error| refused(&error))?;
    let mut talk = Talk::datagrams(script);
    let (mut drawn, mut asked) = (None, Cow::Borrowed(&[][..]));
    loop {
        match talk.turn() {
            Turn::Send(bytes) => {
                trace.step(talk.name());
                drawn = talk.number().map(|number| (number, fastrand::u64(..)));
                asked.clone_from(&bytes);
                if !bytes.is_empty() {
                    let sent = socket.send(&numbered(bytes, drawn)).await;
                    sent.map_err(|error| refused(&error))?;
                }
            }
            Turn::Hear => {
                let heard = receive(&socket, drawn).await;
                let mut heard = heard.map_err(|error| refused(&error))?;
                restore(&mut heard, drawn, &asked);
                if let Heard::Verdict(answer) = talk.datagram(&heard) {
                    return Ok(answer);
                }
            }
            // The plan has none over UDP.
            Turn::Secure => {}
            Turn::Done(answer) => return Ok(answer),
        }
    }
}

async fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// The next datagram that answers; those that answer something else are passed over, for as long as the probe has time.
async fn receive(socket: &UdpSocket, drawn: Option<(Number, u64)>) -> io::Result<Vec<u8>> {
    let mut room = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut room).await?;
        if drawn.is_none_or(|(number, value)| repeats(&room[..length], number, value)) {
            room.truncate(length);
            return Ok(room);
        }
    }
}

/// The question with its number.
fn numbered(question: Cow<'_, [u8]>, drawn: Option<(Number, u64)>) -> Cow<'_, [u8]> {
    let Some((number, value)) = drawn else {
        return question;
    };
    let mut question = question.into_owned();
    let place = question.get_mut(number.at..number.at + number.length);
    for (byte, drawn) in place.into_iter().flatten().zip(value.to_be_bytes()) {
        *byte = drawn;
    }
    Cow::Owned(question)
}

/// In the place of the number, what the step has there: that is what its rules know.
fn restore(answer: &mut [u8], drawn: Option<(Number, u64)>, step: &[u8]) {
    let Some((number, _)) = drawn else { return };
    let own = step.get(number.at..number.at + number.length);
    let is = answer.get_mut(number.echo..number.echo + number.length);
    if let (Some(own), Some(is)) = (own, is) {
        is.copy_from_slice(own);
    }
}

fn repeats(answer: &[u8], number: Number, value: u64) -> bool {
    let value = value.to_be_bytes();
    let is = answer.get(number.echo..number.echo + number.length);
    is.is_some_and(|is| Some(is) == value.get(..number.length))
}

/// No answer that a probe reads is longer; what is, is cut.
const LARGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::plan_of;
    use super::*;
    use crate::health::{Endpoint, Finding, Verdict};
    use crate::plan::{AnswerEnd, Ask, Meaning, Rule, Step};

    const ANSWERS: &[Rule] = &[
        Rule::new("^pong-{8}$", Meaning::UP),
        Rule::new("^busy-{8}$", Meaning::ALIVE),
    ];
    const NUMBER: Number = Number {
        at: 4,
        echo: 4,
        length: 8,
    };
    const PING: &[Step] = &[Step::new(b"ping--------", AnswerEnd::Line, ANSWERS).numbered(NUMBER)];

    async fn asked(address: SocketAddr, timeout: Duration) -> Finding {
        let script = Script::new(PING).expect("steps");
        let plan = plan_of(Ask::Datagrams(script.into()), timeout);
        let endpoint = Endpoint {
            addresses: &[address],
            host: "ping",
            send_proxy: None,
        };
        let effort = crate::health::Effort::Full;
        super::super::ask(
            &endpoint,
            &plan,
            effort,
            &Default::default(),
            &mut Default::default(),
        )
        .await
    }

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn the_answer_to_another_question_is_passed_over() {
        let server = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let address = server.local_addr().expect("bound");
        let serve = async {
            let mut room = [0; 64];
            let (length, from) = server.recv_from(&mut room).await.expect("asked");
            assert_eq!((length, &room[..4]), (12, &b"ping"[..]));
            let forger = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
            let with = |word: &[u8]| [word, &room[4..12]].concat();
            forger.send_to(&with(b"pong"), from).await.expect("sent");
            let wrong = [&b"pong"[..], b"\x00\x01\x02\x03\x04\x05\x06\x07"].concat();
            for answer in [&b""[..], b"pong", &wrong, &with(b"busy")] {
                server.send_to(answer, from).await.expect("sent");
            }
        };
        let (finding, ()) = tokio::join!(asked(address, SOON), serve);
        assert_eq!(finding.verdict, Verdict::Alive, "{finding:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_told_and_silence_ends() {
        let silent = UdpSocket::bind("127.0.53.22:0").await.expect("a socket");
        let address = silent.local_addr().expect("bound");
        let finding = asked(address, Duration::from_millis(50)).await;
        assert_eq!(
            (finding.verdict, finding.reason),
            (Verdict::Down, Reason::Timeout)
        );
        drop(silent);
        let finding = asked(address, SOON).await;
        assert_eq!(
            (finding.verdict, finding.reason),
            (Verdict::Down, Reason::ConnectRefused)
        );
    }

    #[test]
    fn numbers_that_do_not_fit_change_nothing() {
        let number = Number {
            at: 3,
            echo: 3,
            length: 8,
        };
        assert_eq!(
            &*numbered(Cow::Borrowed(b"short"), Some((number, 7))),
            b"short"
        );
        assert!(!repeats(b"short", number, 7));
    }
}

//! Servers of bytes: it takes exactly the question that it was promised, and answers as it was told.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// See the module.
pub(super) struct Wire {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Answers each connection that asks so; an empty answer, and another question, is the end.
    pub(super) async fn start(asked: &[u8], answer: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (own, asked, answer) = (heard.clone(), asked.to_vec(), answer.to_vec());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = serve(stream, &asked, &answer, &own).await;
            }
        });
        Self { address, heard }
    }

    /// All that the last connection sent.
    pub(super) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    asked: &[u8],
    answer: &[u8],
    heard: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    let mut question = vec![0; asked.len()];
    stream.read_exact(&mut question).await?;
    if question != asked || answer.is_empty() {
        return Ok(());
    }
    stream.write_all(answer).await?;
    stream.read_to_end(&mut question).await?;
    *heard.lock().unwrap() = question;
    Ok(())
}

/// From digits, which spaces may part.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

/// A server of datagrams: it takes exactly the question that it was promised, but for a number, and repeats that.
pub(super) struct Datagrams {
    pub(super) address: SocketAddr,
    numbers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Datagrams {
    /// The number stands at `place` of the question, whose other bytes are `asked`; an answer is `before`, the number, and
    /// `after`.
    pub(super) async fn start(
        asked: &[u8],
        place: Range<usize>,
        [before, after]: [&[u8]; 2],
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let numbers: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (own, asked) = (numbers.clone(), asked.to_vec());
        let (before, after) = (before.to_vec(), after.to_vec());
        tokio::spawn(async move {
            let mut room = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut room).await {
                let question = &room[..length];
                let Some(number) = question.get(place.clone()) else {
                    continue;
                };
                if [&question[..place.start], &question[place.end..]].concat() == asked {
                    own.lock().unwrap().push(number.to_vec());
                    let answer = [&before[..], number, &after].concat();
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, numbers }
    }

    /// Those that came, in order.
    pub(super) fn numbers(&self) -> Vec<Vec<u8>> {
        self.numbers.lock().unwrap().clone()
    }
}

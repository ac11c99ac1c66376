//! A server of bytes: it takes exactly the question that it was promised, and answers as it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

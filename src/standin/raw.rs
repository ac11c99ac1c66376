//! Stand-ins that speak no protocol: they carry, count and compare bytes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

use super::digest::{Digest, Pattern, Sum};
use super::fault::Switch;
use super::listener::{Bytes, Frame, Serve, StandInListener, Visit};

/// Sends back what it gets, and ends when the peer does.
///
/// # Errors
/// As [`StandInListener::open`]; so for all here.
pub fn echo(frame: &Frame) -> io::Result<StandInListener> {
    open(frame, |visit| async move {
        let (mut reader, mut writer) = split(visit.stream);
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
        let _ = writer.shutdown().await;
    })
}

/// Waits for a byte, answers its name and a line end, then echoes: who answered is what the client reads first.
pub fn named(frame: &Frame, name: &str) -> io::Result<StandInListener> {
    let line: Arc<str> = format!("{name}\n").into();
    open(frame, move |mut visit| {
        let line = Arc::clone(&line);
        async move {
            if visit.stream.read_u8().await.is_err() {
                return;
            }
            let _ = visit.stream.write_all(line.as_bytes()).await;
            let (mut reader, mut writer) = split(visit.stream);
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = writer.shutdown().await;
        }
    })
}

/// Speaks first, as a mail server does, then echoes.
pub fn banner(frame: &Frame, text: &str) -> io::Result<StandInListener> {
    let text: Arc<str> = text.into();
    open(frame, move |mut visit| {
        let text = Arc::clone(&text);
        async move {
            let _ = visit.stream.write_all(text.as_bytes()).await;
            let (mut reader, mut writer) = split(visit.stream);
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
            let _ = writer.shutdown().await;
        }
    })
}

/// Reads all, then answers the sum of it as a line, `LENGTH SHA256`.
pub fn sink(frame: &Frame) -> io::Result<StandInListener> {
    open(frame, |visit| async move {
        let (mut reader, mut writer) = split(visit.stream);
        let Ok(sum) = receive(&mut reader, &Pace::default(), 0).await else {
            return;
        };
        let line = format!("{} {}\n", sum.length, sum.sha256);
        let _ = writer.write_all(line.as_bytes()).await;
        let _ = writer.shutdown().await;
    })
}

/// Passes on what each connection said until it ended, or how it broke: for PROXY headers, and for manners.
pub fn recorder(
    frame: &Frame,
) -> io::Result<(StandInListener, mpsc::Receiver<io::Result<Vec<u8>>>)> {
    let (tell, told) = mpsc::channel(64);
    let listener = open(frame, move |mut visit| {
        let tell = tell.clone();
        async move {
            let mut seen = Vec::new();
            let end = visit.stream.read_to_end(&mut seen).await;
            let _ = tell.send(end.map(|_| seen)).await;
        }
    })?;
    Ok((listener, told))
}

/// Who ends its direction first in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The client; the server waits for that before it ends.
    Client,
    /// The server; the client waits.
    Server,
}

/// How fast one side reads and writes, and in what pieces.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// The largest piece written or read at once; pieces have random sizes up to it. 0 stands for 64 KiB.
    pub chunk: usize,
    /// Rest for [`REST`] after every so many bytes read; 0 for never.
    pub rest_every: u64,
}

/// Both directions at once: `bytes` of the pattern out, a sum of whatever comes in.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What to send.
    pub seed: u64,
    /// How much of it.
    pub bytes: u64,
    /// Who ends first.
    pub first: First,
    /// Speed and pieces.
    pub pace: Pace,
}

/// A server of exchanges; the sum of what each connection brought comes out of the receiver.
pub fn exchange(
    frame: &Frame,
    plan: Exchange,
) -> io::Result<(StandInListener, mpsc::Receiver<io::Result<Sum>>)> {
    let (tell, told) = mpsc::channel(64);
    let listener = open(frame, move |visit| {
        let (tell, plan) = (tell.clone(), plan.clone());
        async move {
            let ends_first = plan.first == First::Server;
            let _ = tell.send(plan.run(visit.stream, ends_first).await).await;
        }
    })?;
    Ok((listener, told))
}

impl Exchange {
    /// Sends and receives at once. The side that does not end first holds its end back until the other's is there.
    ///
    /// # Errors
    /// Whatever the connection says.
    pub async fn run(&self, stream: impl Bytes + 'static, ends_first: bool) -> io::Result<Sum> {
        let (mut reader, mut writer) = split(stream);
        let heard = Arc::new(Mutex::new(()));
        let held = Arc::clone(&heard).lock_owned().await;
        let send = async {
            self.send(&mut writer).await?;
            if !ends_first {
                drop(heard.lock().await);
            }
            writer.shutdown().await
        };
        let hear = async {
            let sum = receive(&mut reader, &self.pace, self.seed).await;
            drop(held);
            sum
        };
        let (sent, sum) = tokio::join!(send, hear);
        sent.and(sum)
    }

    async fn send<S: Bytes>(&self, writer: &mut WriteHalf<S>) -> io::Result<()> {
        let mut pattern = Pattern::new(self.seed);
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut left = self.bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let size = random.usize(1..=self.pace.largest()).min(most);
            let used = writer.write(pattern.next(size)).await?;
            if used == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            pattern.advance(used);
            left -= used as u64;
        }
        writer.flush().await
    }
}

impl Pace {
    fn largest(&self) -> usize {
        if self.chunk == 0 {
            64 * 1024
        } else {
            self.chunk
        }
    }
}

/// Reads to the end, in pieces of random size.
async fn receive<S: Bytes>(reader: &mut ReadHalf<S>, pace: &Pace, seed: u64) -> io::Result<Sum> {
    let mut random = fastrand::Rng::with_seed(!seed);
    let mut buffer = vec![0; pace.largest()];
    let mut digest = Digest::new();
    let mut since_rest = 0;
    loop {
        let size = random.usize(1..=buffer.len());
        let piece = buffer.get_mut(..size).unwrap_or_default();
        let got = reader.read(piece).await?;
        if got == 0 {
            return Ok(digest.sum());
        }
        digest.update(piece.get(..got).unwrap_or_default());
        since_rest += got as u64;
        if pace.rest_every > 0 && since_rest >= pace.rest_every {
            since_rest = 0;
            sleep(REST).await;
        }
    }
}

/// A listener with a plain async function behind it.
pub fn open<F, R>(frame: &Frame, serve: F) -> io::Result<StandInListener>
where
    F: Fn(Visit) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    open_with(frame, Switch::new(), serve)
}

/// The same, under a switch that another listener has as well.
pub fn open_with<F, R>(frame: &Frame, switch: Switch, serve: F) -> io::Result<StandInListener>
where
    F: Fn(Visit) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let serve: Serve = Arc::new(move |visit| Box::pin(serve(visit)));
    StandInListener::open(frame, switch, serve)
}

/// What a slow reader rests for.
pub const REST: Duration = Duration::from_millis(1);

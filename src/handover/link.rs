//! A connection of the control socket: frames of bounded length, with descriptors beside them.
//!
//! A frame is its length (four bytes, the most significant first), its kind (one byte: a message or bytes), and its body.
//! Descriptors ride on the first byte of a frame; a reader never reads beyond the frame that it is at, so that they cannot be
//! taken for another's. `receive` is cancel-safe: what has come stays here.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as Stream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::message::Message;

/// See the module.
#[derive(Debug)]
pub struct Link {
    stream: UnixStream,
    frame: Vec<u8>,
    rights: Vec<OwnedFd>,
}

/// Why a conversation is over.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other side has closed, or died.
    #[error("the other one is gone")]
    Gone,
    /// Nothing within the deadline.
    #[error("the other one said nothing for {0:?}")]
    Silent(Duration),
    /// It says no.
    #[error("{0}")]
    Refused(String),
    /// Not what this step wants, or not of this protocol.
    #[error("the other one spoke out of turn: {0}")]
    Nonsense(String),
    /// The system says no.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A frame that has come.
enum Frame {
    Message(Message),
    Bytes(Vec<u8>),
}

impl Link {
    /// Of a connection that is there.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn of(stream: Stream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::watched(UnixStream::from_std(stream)?))
    }

    pub(super) fn watched(stream: UnixStream) -> Self {
        Self {
            stream,
            frame: Vec::new(),
            rights: Vec::new(),
        }
    }

    /// Says `message`, with `rights` beside it: at most [`BATCH`].
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn send(
        &mut self,
        message: &Message,
        rights: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<(), LinkError> {
        let body = serde_json::to_vec(message).map_err(io::Error::from)?;
        self.write(MESSAGE, &body, rights, patience).await
    }

    /// Sends bytes that nobody here reads.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn send_bytes(&mut self, bytes: &[u8], patience: Duration) -> Result<(), LinkError> {
        self.write(BYTES, bytes, &[], patience).await
    }

    /// The next message, and the descriptors that came with it.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn receive(
        &mut self,
        patience: Duration,
    ) -> Result<(Message, Vec<OwnedFd>), LinkError> {
        let (frame, rights) = self.frame_within(patience).await?;
        match frame {
            Frame::Message(Message::Refused { why }) => Err(LinkError::Refused(why)),
            Frame::Message(message) => Ok((message, rights)),
            Frame::Bytes(_) => Err(LinkError::Nonsense("bytes amid messages".into())),
        }
    }

    /// The bytes that come next.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn receive_bytes(&mut self, patience: Duration) -> Result<Vec<u8>, LinkError> {
        match self.frame_within(patience).await?.0 {
            Frame::Bytes(bytes) => Ok(bytes),
            Frame::Message(message) => Err(unexpected(&message)),
        }
    }

    /// The user of the other side, as the kernel knows it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn peer(&self) -> io::Result<u32> {
        Ok(self.stream.peer_cred()?.uid())
    }

    async fn frame_within(
        &mut self,
        patience: Duration,
    ) -> Result<(Frame, Vec<OwnedFd>), LinkError> {
        let frame = timeout(patience, self.next());
        frame.await.map_err(|_| LinkError::Silent(patience))?
    }

    async fn next(&mut self) -> Result<(Frame, Vec<OwnedFd>), LinkError> {
        loop {
            let missing = missing(&self.frame)?;
            if missing == 0 {
                let frame = read(&std::mem::take(&mut self.frame))?;
                return Ok((frame, std::mem::take(&mut self.rights)));
            }
            self.stream.readable().await?;
            let Self {
                stream,
                frame,
                rights,
            } = self;
            let taken = stream.try_io(Interest::READABLE, || fill(stream, missing, frame, rights));
            match taken {
                Ok(0) => return Err(LinkError::Gone),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if is_end(&error) => return Err(LinkError::Gone),
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn write(
        &mut self,
        kind: u8,
        body: &[u8],
        rights: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> Result<(), LinkError> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut frame = Vec::with_capacity(HEAD + body.len());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.push(kind);
        frame.extend_from_slice(body);
        let whole = async {
            let mut sent = 0;
            while sent < frame.len() {
                self.stream.writable().await?;
                let beside = if sent == 0 { rights } else { &[] };
                let rest = &frame[sent..];
                let stream = &self.stream;
                match stream.try_io(Interest::WRITABLE, || put(stream, rest, beside)) {
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if is_end(&error) => return Err(LinkError::Gone),
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        };
        let sent = timeout(patience, whole).await;
        sent.map_err(|_| LinkError::Silent(patience))?
    }
}

/// What a step did not want.
pub fn unexpected(message: &Message) -> LinkError {
    let text = serde_json::to_string(message).unwrap_or_default();
    let text: String = text.chars().take(SHOWN).collect();
    LinkError::Nonsense(text)
}

/// Bytes until the frame is whole; first until its length is known.
fn missing(frame: &[u8]) -> Result<usize, LinkError> {
    let Some((length, rest)) = frame.split_first_chunk::<4>() else {
        return Ok(HEAD - frame.len());
    };
    let Some(kind) = rest.first() else {
        return Ok(1);
    };
    let most = match *kind {
        MESSAGE => LONGEST_MESSAGE,
        BYTES => MOST_BYTES,
        other => return Err(LinkError::Nonsense(format!("a frame of kind {other}"))),
    };
    match usize::try_from(u32::from_be_bytes(*length)) {
        Ok(length) if length <= most => Ok(HEAD + length - frame.len()),
        _ => Err(LinkError::Nonsense("a frame that is too long".into())),
    }
}

fn read(frame: &[u8]) -> Result<Frame, LinkError> {
    let body = frame.get(HEAD..).unwrap_or_default();
    if frame.get(4) == Some(&BYTES) {
        return Ok(Frame::Bytes(body.to_vec()));
    }
    let message = serde_json::from_slice(body);
    message
        .map(Frame::Message)
        .map_err(|error| LinkError::Nonsense(error.to_string()))
}

/// Takes what is there, not beyond the frame.
fn fill(
    stream: &UnixStream,
    missing: usize,
    frame: &mut Vec<u8>,
    rights: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut room = [0; CHUNK];
    let mut parts = [IoSliceMut::new(&mut room[..missing.min(CHUNK)])];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_RIGHTS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let taken = recvmsg(stream, &mut parts, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(come) = message {
            rights.extend(come);
        }
    }
    if rights.len() > BATCH || taken.flags.contains(ReturnFlags::CTRUNC) {
        let text = "descriptors are missing: raise the limit of open files (LimitNOFILE)";
        return Err(io::Error::other(text));
    }
    frame.extend_from_slice(&room[..taken.bytes]);
    Ok(taken.bytes)
}

fn put(stream: &UnixStream, bytes: &[u8], rights: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_RIGHTS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !rights.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(rights)) {
        return Err(io::Error::other("too many descriptors at once"));
    }
    let parts = [IoSlice::new(bytes)];
    Ok(sendmsg(
        stream.as_fd(),
        &parts,
        &mut beside,
        SendFlags::NOSIGNAL,
    )?)
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

/// Descriptors beside one message; the kernel takes 253.
pub const BATCH: usize = 128;
/// What the kernel might bring.
const MOST_RIGHTS: usize = 253;
/// Length and kind.
const HEAD: usize = 5;
const MESSAGE: u8 = 0;
const BYTES: u8 = 1;
/// A report about every server of a large platform takes a tenth of it.
pub(super) const LONGEST_MESSAGE: usize = 512 << 10;
/// What pools remember: sticky tables are the most of it.
const MOST_BYTES: usize = 64 << 20;
const CHUNK: usize = 16 << 10;
/// Of a message that was not expected.
const SHOWN: usize = 120;

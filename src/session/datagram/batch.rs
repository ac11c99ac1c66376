//! Many datagrams by one system call: those that came, and those that go back.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::libc::in6_pktinfo;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg,
};

use rustix::io::Errno;

use super::address::{Asked, Ends, client};

/// Datagrams of one round.
pub(super) const BATCH: usize = 32;
/// No datagram is larger.
const LARGEST: usize = 65_535;

/// Room for a round of datagrams of any size. Memory that none of them reaches is never touched.
pub(super) struct Room(Box<[u8]>);

/// One on its way to a client; its bytes are those of the piece of room with the same number.
pub(super) struct Answer {
    pub(super) piece: usize,
    pub(super) length: usize,
    pub(super) to: Ends,
}

impl Room {
    pub(super) fn new() -> Self {
        Self(vec![0; BATCH * LARGEST].into_boxed_slice())
    }

    /// For one datagram.
    pub(super) fn piece(&mut self, index: usize) -> &mut [u8] {
        &mut self.0[index * LARGEST..][..LARGEST]
    }

    fn bytes(&self, answer: &Answer) -> &[u8] {
        &self.0[answer.piece * LARGEST..][..answer.length]
    }

    /// Takes what waits, at most `most`, and shows each to `take`. Returns how many there were.
    /// `told`: the kernel says which address was asked.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        most: usize,
        told: bool,
        mut take: impl FnMut(Ends, &[u8]),
    ) -> Result<usize, Errno> {
        let beside = told.then(|| nix::cmsg_space!(in6_pktinfo));
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(most, beside);
        let mut pieces: Vec<[IoSliceMut<'_>; 1]> = (self.0.chunks_exact_mut(LARGEST))
            .take(most)
            .map(|piece| [IoSliceMut::new(piece)])
            .collect();
        let now = MsgFlags::MSG_DONTWAIT;
        let messages = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            pieces.iter_mut(),
            now,
            None,
        )
        .map_err(own)?;
        let mut count = 0;
        for message in messages {
            count += 1;
            let Some(client) = message.address.as_ref().and_then(client) else {
                continue;
            };
            let said = message.cmsgs().into_iter().flatten();
            let asked = said.filter_map(|said| Asked::of(&said)).next();
            let bytes = message.iovs().next().unwrap_or_default();
            take(Ends { client, asked }, bytes);
        }
        Ok(count)
    }

    /// Sends them all; `failed` hears of each that could not be.
    pub(super) fn send(
        &self,
        socket: &UdpSocket,
        answers: &[Answer],
        mut failed: impl FnMut(&Answer, Errno),
    ) {
        let mut left = answers;
        while let Some(first) = left.first() {
            // Those that leave from one address go together.
            let alike = |answer: &Answer| answer.to.asked == first.to.asked;
            let run = left.iter().take_while(|answer| alike(answer)).count();
            match self.send_run(socket, &left[..run], first.to.asked) {
                Ok(0) => return,
                Ok(sent) => left = &left[sent.min(run)..],
                Err(error) => {
                    failed(first, error);
                    left = &left[1..];
                }
            }
        }
    }

    fn send_run(
        &self,
        socket: &UdpSocket,
        run: &[Answer],
        from: Option<Asked>,
    ) -> Result<usize, Errno> {
        let info = from.map(Asked::info);
        let beside = info.as_ref().map(|info| info.room());
        let said: Vec<ControlMessage<'_>> = info.iter().map(|info| info.message()).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(run.len(), beside);
        let pieces: Vec<[IoSlice<'_>; 1]> = run
            .iter()
            .map(|answer| [IoSlice::new(self.bytes(answer))])
            .collect();
        let to: Vec<Option<SockaddrStorage>> = run
            .iter()
            .map(|answer| Some(answer.to.client.into()))
            .collect();
        let now = MsgFlags::MSG_DONTWAIT;
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            pieces.iter(),
            to,
            said,
            now,
        )
        .map_err(own)?;
        Ok(sent.count())
    }
}

fn own(error: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(error as i32)
}

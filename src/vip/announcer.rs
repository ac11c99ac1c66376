//! Tells a network where an address is now, so that nobody goes on sending to who had it before.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};

use crate::wire::announce::announcement;

/// A socket for whole frames. It hears nothing: it is of no protocol.
pub(super) struct Announcer(OwnedFd);

impl Announcer {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        Ok(Self(socket))
    }

    /// At `hardware`, as the interface has it.
    pub(super) fn announce(&self, address: IpAddr, hardware: &LinkAddr) -> io::Result<()> {
        let Some(mac) = hardware.addr() else {
            return Ok(());
        };
        let frame = announcement(mac, address);
        sendto(self.0.as_raw_fd(), &frame, hardware, MsgFlags::empty())?;
        Ok(())
    }
}

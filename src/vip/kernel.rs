//! Addresses on interfaces, as the kernel keeps them.
//!
//! Each order is answered before the call returns: netlink works in the context of who asks, within microseconds.

use std::io;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use crate::wire::netlink::{self, Place, Reply};

/// How long the kernel keeps an address that is not given anew: it counts in whole seconds.
pub(super) const LEASE: Duration = Duration::from_secs(3);
/// How often it is given anew.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(1);

/// By whose doing an address is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It is not.
    ByNobody,
    /// Ours, or that of the howdah before.
    OnLease,
    /// Somebody else's: for good, or on another interface.
    ByOthers,
}

/// A conversation with the kernel.
pub(super) struct Kernel {
    socket: OwnedFd,
    sequence: u32,
}

impl Kernel {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        let sequence = 0;
        Ok(Self { socket, sequence })
    }

    /// Puts an address on an interface for the time of a lease; one that is there has its lease renewed.
    pub(super) fn hold(&mut self, place: Place) -> io::Result<()> {
        let seconds = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX);
        let sequence = self.next();
        self.order(&netlink::add(place, seconds, sequence))
    }

    /// Takes it away. That it was gone is no error.
    pub(super) fn release(&mut self, place: Place) -> io::Result<()> {
        let sequence = self.next();
        match self.order(&netlink::remove(place, sequence)) {
            Err(error) if GONE.contains(&error.raw_os_error().unwrap_or(0)) => Ok(()),
            other => other,
        }
    }

    /// Whether the machine has the address already.
    pub(super) fn look(&mut self, place: Place) -> io::Result<Held> {
        let sequence = self.next();
        self.say(&netlink::list(place.address, sequence))?;
        let mut held = Held::ByNobody;
        self.hear(|reply| match reply {
            Reply::Address {
                place: one,
                permanent,
            } => {
                if one.address == place.address {
                    let ours = one.interface == place.interface && !permanent;
                    held = if ours { Held::OnLease } else { Held::ByOthers };
                }
                None
            }
            Reply::End { sequence: of } if of == sequence => Some(Ok(())),
            Reply::Done {
                sequence: of,
                error,
            } if of == sequence => Some(result(error)),
            _ => None,
        })?;
        Ok(held)
    }

    fn order(&mut self, message: &[u8]) -> io::Result<()> {
        let sequence = self.sequence;
        self.say(message)?;
        self.hear(|reply| match reply {
            Reply::Done {
                sequence: of,
                error,
            } if of == sequence => Some(result(error)),
            _ => None,
        })
    }

    fn say(&self, message: &[u8]) -> io::Result<()> {
        send(&self.socket, message, SendFlags::empty())?;
        Ok(())
    }

    fn hear(&self, mut each: impl FnMut(Reply) -> Option<io::Result<()>>) -> io::Result<()> {
        let mut bytes = vec![0; 32 * 1024];
        loop {
            let (read, _) = recv(&self.socket, &mut bytes, RecvFlags::empty())?;
            let mut replies = netlink::replies(&bytes[..read]);
            if let Some(end) = replies.find_map(&mut each) {
                return end;
            }
        }
    }

    fn next(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

fn result(error: i32) -> io::Result<()> {
    match error {
        0 => Ok(()),
        other => Err(io::Error::from_raw_os_error(other)),
    }
}

/// The address, or its interface.
const GONE: [i32; 2] = [libc::EADDRNOTAVAIL, libc::ENODEV];

//! Who asked, and which of this machine's addresses was asked: an answer leaves from there.
//!
//! Only a socket that listens on every address needs to be told (`IP_PKTINFO`); on one of its own the kernel has no choice.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, SockaddrStorage, setsockopt, sockopt};

/// A session's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    /// Where it is known and can matter.
    pub(super) asked: Option<Asked>,
}

/// One of this machine's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    ip: IpAddr,
    /// For an address that is one only together with its link; 0 for all others.
    link: u32,
}

/// Lets the kernel say which address each datagram was sent to, where `bind` leaves that open.
///
/// # Errors
/// Those of `setsockopt`.
pub fn tell_destinations(socket: &impl AsFd, bind: SocketAddr) -> io::Result<()> {
    if !bind.ip().is_unspecified() {
        return Ok(());
    }
    match bind {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// The sender of a datagram.
pub(super) fn client(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6((*v6).into()))
}

impl Asked {
    /// From what the kernel says beside a datagram. Nothing for a group of many: none can answer in its name.
    pub(super) fn of(said: &ControlMessageOwned) -> Option<Self> {
        let (ip, link) = match said {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let ip = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                (IpAddr::V4(ip), 0)
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                let link = if ip.is_unicast_link_local() {
                    info.ipi6_ifindex
                } else {
                    0
                };
                (IpAddr::V6(ip), link)
            }
            _ => return None,
        };
        (!ip.is_multicast() && !ip.is_unspecified()).then_some(Self { ip, link })
    }

    /// The same for the way out.
    pub(super) fn info(self) -> Info {
        match self.ip {
            IpAddr::V4(ip) => Info::V4(in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr {
                    s_addr: u32::from_ne_bytes(ip.octets()),
                },
                ipi_addr: in_addr { s_addr: 0 },
            }),
            IpAddr::V6(ip) => Info::V6(in6_pktinfo {
                ipi6_addr: in6_addr {
                    s6_addr: ip.octets(),
                },
                ipi6_ifindex: self.link,
            }),
        }
    }
}

/// What the kernel is told beside a datagram.
pub(super) enum Info {
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

impl Info {
    pub(super) fn message(&self) -> ControlMessage<'_> {
        match self {
            Self::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            Self::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }

    /// Room for exactly one.
    pub(super) fn room(&self) -> Vec<u8> {
        match self {
            Self::V4(_) => nix::cmsg_space!(in_pktinfo),
            Self::V6(_) => nix::cmsg_space!(in6_pktinfo),
        }
    }
}

//! The sockets of one virtual address: advertisements in and out, on one interface.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::link::{Link, heard, is_of_the_link};
use crate::wire::vrrp::{self, Fault, GROUP_V4, GROUP_V6, HOPS, Packet};

/// One to hear and one to speak: whoever is bound to an address hears no group.
pub(super) struct Packets {
    hears: AsyncFd<Socket>,
    speaks: Socket,
    own: IpAddr,
}

impl Packets {
    /// On the interface of that name; `group`: to everybody, else to partners one by one.
    pub(super) fn open(interface: &str, link: &Link, group: bool) -> io::Result<Self> {
        let hears = raw(interface, link.own)?;
        let speaks = raw(interface, link.own)?;
        match link.own {
            IpAddr::V4(_) if group => {
                let index = InterfaceIndexOrAddress::Index(link.index);
                hears.join_multicast_v4_n(&GROUP_V4, &index)?;
            }
            IpAddr::V6(_) if group => hears.join_multicast_v6(&GROUP_V6, link.index)?,
            _ => {}
        }
        if link.own.is_ipv6() {
            hears.set_recv_hoplimit_v6(true)?;
            setsockopt(&hears, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        speak_as(&speaks, link)?;
        let hears = heard(hears)?;
        let own = link.own;
        Ok(Self { hears, speaks, own })
    }

    /// The next packet, whatever it is worth.
    ///
    /// Cancel-safe.
    pub(super) async fn next<'b>(
        &self,
        bytes: &'b mut [u8],
    ) -> io::Result<Result<Packet<'b>, Fault>> {
        let read = self
            .hears
            .async_io(tokio::io::Interest::READABLE, |socket| {
                read(socket, self.own, bytes)
            });
        let (length, around) = read.await?;
        Ok(packet(&bytes[..length], around))
    }

    /// One that has come already; `None`: there is none.
    pub(super) fn waiting<'b>(
        &self,
        bytes: &'b mut [u8],
    ) -> Option<io::Result<Result<Packet<'b>, Fault>>> {
        match read(self.hears.get_ref(), self.own, bytes) {
            Ok((length, around)) => Some(Ok(packet(&bytes[..length], around))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Never waits: what does not leave at once is lost, as on any network.
    pub(super) fn send(&self, message: &[u8], to: IpAddr, link: &Link) -> io::Result<()> {
        let scope = match to {
            IpAddr::V6(to) if is_of_the_link(to) || to.is_multicast() => link.index,
            _ => 0,
        };
        let to = match to {
            IpAddr::V4(to) => SocketAddr::from((to, 0)),
            IpAddr::V6(to) => std::net::SocketAddrV6::new(to, 0, 0, scope).into(),
        };
        self.speaks.send_to(message, &to.into())?;
        Ok(())
    }
}

/// Where packets for everybody go.
pub(super) fn group(own: IpAddr) -> IpAddr {
    match own {
        IpAddr::V4(_) => GROUP_V4.into(),
        IpAddr::V6(_) => GROUP_V6.into(),
    }
}

fn raw(interface: &str, own: IpAddr) -> io::Result<Socket> {
    let domain = match own {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let protocol = Protocol::from(i32::from(vrrp::PROTOCOL));
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(protocol))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    Ok(socket)
}

fn speak_as(socket: &Socket, link: &Link) -> io::Result<()> {
    let hops = u32::from(HOPS);
    let scope = match link.own {
        IpAddr::V6(own) if is_of_the_link(own) => link.index,
        _ => 0,
    };
    let own = match link.own {
        IpAddr::V4(own) => {
            socket.set_ttl_v4(hops)?;
            socket.set_multicast_ttl_v4(hops)?;
            socket.set_multicast_loop_v4(false)?;
            socket.set_tos_v4(NETWORK_CONTROL)?;
            SocketAddr::from((own, 0))
        }
        IpAddr::V6(own) => {
            socket.set_unicast_hops_v6(hops)?;
            socket.set_multicast_hops_v6(hops)?;
            socket.set_multicast_loop_v6(false)?;
            socket.set_multicast_if_v6(link.index)?;
            std::net::SocketAddrV6::new(own, 0, 0, scope).into()
        }
    };
    // It hears as well, and nobody listens.
    let _ = socket.set_recv_buffer_size(1);
    socket.bind(&own.into())
}

/// Over IPv6 what the header would have said.
type Around = Option<(Ipv6Addr, Ipv6Addr, u8)>;

fn packet(bytes: &[u8], around: Around) -> Result<Packet<'_>, Fault> {
    match around {
        None => vrrp::packet_v4(bytes),
        Some((source, destination, hops)) => Ok(Packet {
            source: source.into(),
            destination: destination.into(),
            hops,
            message: bytes,
        }),
    }
}

fn read(socket: &Socket, own: IpAddr, bytes: &mut [u8]) -> io::Result<(usize, Around)> {
    if own.is_ipv4() {
        return Ok((io::Read::read(&mut &*socket, bytes)?, None));
    }
    let mut beside = nix::cmsg_space!(libc::in6_pktinfo, i32);
    let mut parts = [IoSliceMut::new(bytes)];
    let read = recvmsg::<SockaddrIn6>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut beside),
        MsgFlags::empty(),
    )?;
    let source = read.address.map_or(Ipv6Addr::UNSPECIFIED, |from| from.ip());
    let (mut destination, mut hops) = (Ipv6Addr::UNSPECIFIED, 0);
    for one in read.cmsgs()? {
        match one {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                destination = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            }
            ControlMessageOwned::Ipv6HopLimit(limit) => hops = u8::try_from(limit).unwrap_or(0),
            _ => {}
        }
    }
    Ok((read.bytes, Some((source, destination, hops))))
}

/// Of a class that queues serve first (CS6), as routers send it.
const NETWORK_CONTROL: u32 = 0xc0;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_family_has_its_group() {
        assert_eq!(group(Ipv4Addr::LOCALHOST.into()), IpAddr::V4(GROUP_V4));
        assert_eq!(group(Ipv6Addr::LOCALHOST.into()), IpAddr::V6(GROUP_V6));
    }
}

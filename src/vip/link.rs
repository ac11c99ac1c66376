//! What an interface is just now: whether it works, who we are on it, and its hardware's address.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;

use ipnet::IpNet;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::LinkAddr;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use crate::wire::netlink::Place;

/// An interface that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its place in the kernel's table; another one when it has gone and come back.
    pub(super) index: u32,
    /// What its packets come from; `None` where it has none, as a tunnel.
    pub(super) hardware: Option<LinkAddr>,
    /// Where our advertisements come from.
    pub(super) own: IpAddr,
}

impl Link {
    /// Where those addresses are, or would be.
    pub(super) fn places(&self, addresses: &[IpNet]) -> Vec<Place> {
        let place = |address: &IpNet| Place {
            interface: self.index,
            address: address.addr(),
            prefix: address.prefix_len(),
        };
        addresses.iter().map(place).collect()
    }
}

/// Which address of an interface is ours.
pub(super) struct Wanted<'a> {
    pub(super) interface: &'a str,
    /// Those that are not: virtual ones.
    pub(super) others: &'a [IpAddr],
    /// Over IPv6 to partners beyond this link.
    pub(super) global: bool,
}

/// Looks at it, or says what is wrong in one sentence.
pub(super) fn look(wanted: &Wanted<'_>) -> Result<Link, String> {
    let name = wanted.interface;
    let all = getifaddrs().map_err(|error| format!("interfaces cannot be listed: {error}"))?;
    let mine: Vec<InterfaceAddress> = all.filter(|one| one.interface_name == name).collect();
    let Some(first) = mine.first() else {
        return Err(format!("there is no interface {name:?}"));
    };
    if !first.flags.contains(InterfaceFlags::IFF_UP) {
        return Err(format!("the interface {name:?} is down"));
    }
    if !first.flags.contains(InterfaceFlags::IFF_RUNNING) {
        return Err(format!("the interface {name:?} has no carrier"));
    }
    let hardware = mine
        .iter()
        .find_map(|one| one.address.as_ref()?.as_link_addr().copied());
    let own = mine.iter().find_map(|one| own(one, wanted));
    let Some(own) = own else {
        let family = if wanted.is_v6() { "IPv6" } else { "IPv4" };
        return Err(format!(
            "the interface {name:?} has no {family} address of its own to advertise from"
        ));
    };
    let index = nix::net::if_::if_nametoindex(name);
    let index = index.map_err(|_| format!("there is no interface {name:?} any more"))?;
    Ok(Link {
        index,
        hardware,
        own,
    })
}

fn own(one: &InterfaceAddress, wanted: &Wanted<'_>) -> Option<IpAddr> {
    let address = one.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    let v6 = address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
    let address = v4.or(v6)?;
    let fits = match address {
        IpAddr::V4(_) => !wanted.is_v6(),
        IpAddr::V6(address) => wanted.is_v6() && is_of_the_link(address) != wanted.global,
    };
    (fits && !wanted.others.contains(&address)).then_some(address)
}

impl Wanted<'_> {
    fn is_v6(&self) -> bool {
        self.others.iter().any(IpAddr::is_ipv6)
    }
}

/// Of `fe80::/10`.
pub(super) fn is_of_the_link(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

/// Turns `changed` whenever the kernel says that interfaces or addresses are others; it ends with its receivers.
pub(super) async fn watch(changed: watch::Sender<()>) {
    let Ok(socket) = listen() else {
        // Nodes look by themselves, too, if less often.
        tracing::warn!(
            "the kernel's news of interfaces cannot be had: they are looked at each second"
        );
        return;
    };
    let mut news = vec![0; 16 * 1024];
    while !changed.is_closed() {
        let Ok(mut ready) = socket.readable().await else {
            return;
        };
        // A socket that was overrun has news, too.
        while let Err(rustix::io::Errno::NOBUFS) | Ok(_) =
            recv(socket.get_ref(), &mut news, RecvFlags::DONTWAIT)
        {}
        ready.clear_ready();
        let _ = changed.send(());
        // A machine that starts a hundred containers has thousands of news.
        sleep(PAUSE).await;
    }
}

fn listen() -> io::Result<AsyncFd<rustix::fd::OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(
        &socket,
        &SocketAddrNetlink::new(0, LINKS | ADDRESSES_V4 | ADDRESSES_V6),
    )?;
    heard(socket)
}

/// A descriptor that is waited for.
///
/// # Errors
/// When the runtime is full.
#[expect(
    deprecated,
    reason = "its successor is unsafe; what is given here owns its descriptor and never gives it away"
)]
pub(super) fn heard<T: AsRawFd>(socket: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

const LINKS: u32 = 0x1;
const ADDRESSES_V4: u32 = 0x10;
const ADDRESSES_V6: u32 = 0x100;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_interface_is_said() {
        let look = |interface| {
            let others = &["192.0.2.10".parse().unwrap()];
            look(&Wanted {
                interface,
                others,
                global: false,
            })
        };
        assert_eq!(
            look("howdah-none").unwrap_err(),
            "there is no interface \"howdah-none\""
        );
        let loopback = look("lo").unwrap();
        assert_eq!(loopback.own, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(loopback.index, 1);
    }
}

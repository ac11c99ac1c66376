//! Sockets that came from elsewhere: from a predecessor, or from the service manager. A plan takes what it has an address for.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::link::LinkError;
use super::message::Described;
use crate::plan::{ListenerName, Protocol};

/// See the module. What nobody took closes with it.
#[derive(Debug, Default)]
pub struct Inherited {
    all: Vec<Option<(Described, OwnedFd)>>,
    /// Of those that the service manager named.
    names: Vec<(usize, String)>,
}

impl Inherited {
    /// One more.
    pub fn add(&mut self, described: Described, socket: OwnedFd) {
        self.all.push(Some((described, socket)));
    }

    /// One more, as the service manager calls it.
    pub(super) fn add_named(&mut self, described: Described, socket: OwnedFd, name: Option<&str>) {
        let place = self.all.len();
        self.names.extend(name.map(|name| (place, name.to_owned())));
        self.add(described, socket);
    }

    /// What nobody took: each by its address, and its name where it has one.
    pub fn left(&self) -> Vec<String> {
        let all = self.all.iter().enumerate();
        let left = all.filter_map(|(place, one)| Some((place, &one.as_ref()?.0)));
        let named = |(place, described): (usize, &Described)| {
            let name = self.names.iter().find(|(of, _)| *of == place);
            name.map_or_else(
                || described.to_string(),
                |(_, name)| format!("{name} at {described}"),
            )
        };
        left.map(named).collect()
    }

    /// Those of one message.
    pub(super) fn extend(
        &mut self,
        described: Vec<Described>,
        sockets: Vec<OwnedFd>,
    ) -> Result<(), LinkError> {
        if described.len() != sockets.len() {
            let text = format!("{} sockets, {} descriptors", described.len(), sockets.len());
            return Err(LinkError::Nonsense(text));
        }
        if self.all.len() + sockets.len() > MOST {
            return Err(LinkError::Nonsense("too many sockets".into()));
        }
        let pairs = described.into_iter().zip(sockets);
        self.all.extend(pairs.map(Some));
        Ok(())
    }

    /// The sockets of that address. Port 0 is another one for each listener, so it goes by its name.
    pub fn take(
        &mut self,
        name: &ListenerName,
        address: SocketAddr,
        spoken: Protocol,
    ) -> Vec<OwnedFd> {
        self.take_where(|described| match described {
            Described::Listener {
                listener,
                wanted,
                udp,
                ..
            } => {
                let whose = address.port() != 0 || listener == name.as_str();
                whose && *wanted == address && *udp == (spoken == Protocol::Udp)
            }
            _ => false,
        })
    }

    /// The admin server's.
    pub fn take_admin(&mut self, address: SocketAddr) -> Option<OwnedFd> {
        let wanted = |described: &Described| {
            let by_the_manager = Described::listener("", address, address, Protocol::Tcp);
            *described == by_the_manager || *described == Described::Admin { wanted: address }
        };
        self.take_where(wanted).into_iter().next()
    }

    /// The admin server's in the file system.
    pub fn take_admin_socket(&mut self, place: &Path) -> Option<OwnedFd> {
        let wanted = |described: &Described| matches!(described, Described::AdminSocket { path } if path == place);
        self.take_where(wanted).into_iter().next()
    }

    /// Standard output and standard error of the predecessor.
    pub fn take_outputs(&mut self) -> (Option<OwnedFd>, Option<OwnedFd>) {
        let output = self.take_where(|one| *one == Described::Output);
        let errors = self.take_where(|one| *one == Described::Errors);
        (output.into_iter().next(), errors.into_iter().next())
    }

    /// Addresses of listeners that nobody took yet.
    pub fn bound(&self) -> impl Iterator<Item = (SocketAddr, Protocol)> {
        let left = self.all.iter().flatten();
        left.filter_map(|(described, _)| match described {
            Described::Listener { bound, udp, .. } => {
                let spoken = if *udp { Protocol::Udp } else { Protocol::Tcp };
                Some((*bound, spoken))
            }
            _ => None,
        })
    }

    /// The places of those that were taken. What is left closes now: whoever has it too says what becomes of it.
    pub fn settle(self) -> Vec<usize> {
        let taken = self.all.iter().enumerate();
        let taken = taken.filter(|(_, one)| one.is_none());
        taken.map(|(place, _)| place).collect()
    }

    fn take_where(&mut self, wanted: impl Fn(&Described) -> bool) -> Vec<OwnedFd> {
        let all = self.all.iter_mut();
        let all = all.filter(|one| one.as_ref().is_some_and(|(described, _)| wanted(described)));
        all.filter_map(Option::take)
            .map(|(_, socket)| socket)
            .collect()
    }
}

/// A socket for each of 64 workers at a thousand addresses.
const MOST: usize = 1 << 16;

//! Where a node takes part: its interface with the sockets there, found, lost and found again.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::thread::{CapabilitySet, capabilities};
use tokio::time::Instant;

use super::Node;
use crate::vip::alarm::Alarm;
use crate::vip::announcer::Announcer;
use crate::vip::kernel::Kernel;
use crate::vip::link::{Link, Wanted, look};
use crate::vip::machine::Event;
use crate::vip::packets::Packets;

impl Node {
    /// Whether there is a place to take part from, and which.
    pub(super) fn look(&mut self) {
        self.look_at = Instant::now() + LOOK_EVERY;
        let found = match self.named.known() {
            // Names are being asked for.
            None => return,
            Some(Ok(peers)) => self.find(peers),
            Some(Err(why)) => Err(why),
        };
        match found {
            Ok(link) if self.place.as_ref().is_some_and(|(old, _)| *old == link) => {}
            Ok(link) => self.settle(link),
            Err(why) => self.lose(why),
        }
        self.has_looked = true;
        if let Some(holding) = self.begins.take() {
            self.begin(holding);
        }
    }

    fn find(&mut self, peers: Arc<[IpAddr]>) -> Result<Link, String> {
        may_do_it()?;
        let beyond =
            |peer: &IpAddr| matches!(peer, IpAddr::V6(peer) if !peer.is_unicast_link_local());
        let global = peers.iter().any(beyond);
        self.peers = Some(peers);
        look(&Wanted {
            interface: &self.plan.interface,
            others: &self.plan.hosts(),
            global,
        })
    }

    fn settle(&mut self, link: Link) {
        // Another address, or another interface of the same name: whoever held there holds there no more.
        if self.place.is_some() {
            self.lose(format!(
                "the interface {:?} is another one",
                self.plan.interface
            ));
        }
        match self.open(link) {
            Ok(packets) => {
                self.hindrance = None;
                self.place = Some((link, packets));
                self.on(Event::Link(Some(link.own)));
            }
            Err(error) => self.lose(self.no_sockets(&error)),
        }
    }

    fn open(&mut self, link: Link) -> io::Result<Packets> {
        if self.kernel.is_none() {
            self.kernel = Some(Kernel::open()?);
        }
        if self.announcer.is_none() {
            self.announcer = Some(Announcer::open()?);
        }
        if self.alarm.is_none() {
            self.alarm = Some(Alarm::open()?);
        }
        let to_all = self.plan.unicast_peers.is_empty();
        Packets::open(&self.plan.interface, &link, to_all)
    }

    pub(super) fn lose(&mut self, why: String) {
        let new = self.hindrance.as_ref() != Some(&why);
        self.hindrance = Some(why.clone());
        let was = self.machine.state();
        self.on(Event::Link(None));
        self.place = None;
        if new && self.machine.state() == was {
            self.speaker.hindered(&why);
        }
    }

    /// A socket that fails is replaced at once, at the same place; one that goes on failing is no place to take part from.
    pub(super) fn replace(&mut self, error: &io::Error) {
        // The interface may be gone: looking at it says more.
        self.look_at = Instant::now();
        let Some((link, _)) = self.place.take() else {
            return;
        };
        let before = self.failed_at.replace(Instant::now());
        if before.is_some_and(|before| before.elapsed() < LOOK_EVERY) {
            self.look_at = Instant::now() + LOOK_EVERY;
            let interface = &self.plan.interface;
            return self.lose(format!("sockets for VRRP fail on {interface:?}: {error}"));
        }
        match self.open(link) {
            Ok(packets) => self.place = Some((link, packets)),
            Err(error) => self.lose(self.no_sockets(&error)),
        }
    }

    fn no_sockets(&self, error: &io::Error) -> String {
        let interface = &self.plan.interface;
        format!("sockets for VRRP cannot be had on {interface:?}: {error}")
    }
}

/// Before anything is tried, so that one sentence says all that is missing.
fn may_do_it() -> Result<(), String> {
    let has = capabilities(None).map_or(CapabilitySet::all(), |sets| sets.effective);
    if has.contains(CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW) {
        return Ok(());
    }
    Err("a virtual address needs CAP_NET_ADMIN and CAP_NET_RAW: start howdah as root with [global] user, grant them with \
         AmbientCapabilities in its systemd unit, or with `setcap cap_net_admin,cap_net_raw+ep howdah`"
        .to_owned())
}

/// Also without news of the kernel.
const LOOK_EVERY: Duration = Duration::from_secs(1);

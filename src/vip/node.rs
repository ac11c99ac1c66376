//! One virtual address as this machine lives it: what comes in becomes an event, and what the machine answers is done.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rustix::thread::{CapabilitySet, capabilities};
use tokio::net::lookup_host;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::announcer::Announcer;
use super::kernel::{Held, Kernel, RENEW_EVERY};
use super::link::{Link, Wanted, look};
use super::machine::{Action, Event, Heard, Machine, Rule, State};
use super::packets::{Packets, group};
use super::said::Speaker;
use crate::plan::{Host, ListenerName, VipPlan};
use crate::wire::netlink::Place;
use crate::wire::vrrp::{self, Advert, Fault, HOPS, OWNER, Packet};

/// What others tell a node.
#[derive(Debug)]
pub(super) enum Order {
    /// Its listeners have their first verdicts; `holding`: the howdah before it holds the addresses.
    Begin {
        /// See above.
        holding: bool,
    },
    /// The configuration is another, at the same place.
    Follow(Arc<VipPlan>),
    /// It ends; `kept`: the howdah after it holds the addresses.
    End {
        /// See above.
        kept: bool,
    },
}

/// What every node listens to.
#[derive(Clone)]
pub(super) struct News {
    pub(super) links: watch::Receiver<()>,
    pub(super) not_ready: watch::Receiver<Arc<[ListenerName]>>,
}

/// Whether an address may be held: what the cluster says of it, and what it is told.
pub struct Permission {
    /// False: not, or not any more.
    pub may_hold: watch::Receiver<bool>,
    /// Whether it would be held.
    pub wants: watch::Sender<bool>,
}

impl Permission {
    /// Where nobody forbids it.
    pub fn always() -> Self {
        Self {
            may_hold: watch::channel(true).1,
            wants: watch::channel(false).0,
        }
    }
}

pub(super) struct Node {
    plan: Arc<VipPlan>,
    machine: Machine,
    /// The machine's time is counted from here.
    origin: Instant,
    news: News,
    permission: Permission,
    speaker: Speaker,
    kernel: Option<Kernel>,
    announcer: Option<Announcer>,
    /// Both or neither.
    place: Option<(Link, Packets)>,
    /// Those of `unicast_peers`, when they are known.
    peers: Option<Vec<IpAddr>>,
    held: Vec<Place>,
    renew_at: Instant,
    look_at: Instant,
    /// Why it has no place; said once each.
    hindrance: Option<String>,
}

impl Node {
    pub(super) fn new(
        plan: Arc<VipPlan>,
        news: News,
        permission: Permission,
        speaker: Speaker,
    ) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(rule(&plan)),
            origin: now,
            news,
            permission,
            speaker,
            kernel: None,
            announcer: None,
            place: None,
            peers: None,
            held: Vec::new(),
            renew_at: now,
            look_at: now,
            hindrance: None,
            plan,
        }
    }

    /// Lives until it is told to end.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut bytes = [0; 2048];
        self.judge_readiness();
        self.judge_permission();
        loop {
            if self.look_at <= Instant::now() {
                self.look().await;
            }
            let wake_at = self.wake_at();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Begin { holding }) => self.begin(holding),
                    Some(Order::Follow(plan)) => self.follow(plan),
                    Some(Order::End { kept: true }) => return self.on(Event::HandOver),
                    Some(Order::End { kept: false }) | None => return self.on(Event::Stop),
                },
                packet = next(self.place.as_ref(), &mut bytes) => self.take(packet),
                Ok(()) = self.news.links.changed() => self.look_at = Instant::now(),
                Ok(()) = self.news.not_ready.changed() => self.judge_readiness(),
                Ok(()) = self.permission.may_hold.changed() => self.judge_permission(),
                () = sleep_until(wake_at) => {}
            }
            self.catch_up();
        }
    }

    fn wake_at(&self) -> Instant {
        let due = self.machine.due().map(|due| self.origin + due);
        let renew = (!self.held.is_empty()).then_some(self.renew_at);
        let all = [due, renew, Some(self.look_at)];
        all.into_iter().flatten().min().unwrap_or(self.look_at)
    }

    /// After every event, so that a flood of packets holds up nothing.
    fn catch_up(&mut self) {
        let now = Instant::now();
        if self
            .machine
            .due()
            .is_some_and(|due| self.origin + due <= now)
        {
            self.on(Event::Due);
        }
        if !self.held.is_empty() && self.renew_at <= now {
            self.renew();
        }
    }

    /// The howdah before may have been no master: what it held, the kernel still has on its lease.
    fn begin(&mut self, holding: bool) {
        let holding = holding && self.is_leased();
        self.on(Event::Start { holding });
    }

    fn is_leased(&mut self) -> bool {
        let Some(link) = self.place.as_ref().map(|(link, _)| *link) else {
            return false;
        };
        let places = self.places(&link);
        let Some(kernel) = &mut self.kernel else {
            return false;
        };
        let had = |place: &Place| matches!(kernel.look(*place), Ok(Held::OnLease));
        places.iter().all(had)
    }

    fn places(&self, link: &Link) -> Vec<Place> {
        let place = |address: &IpNet| Place {
            interface: link.index,
            address: address.addr(),
            prefix: address.prefix_len(),
        };
        self.plan.addresses.iter().map(place).collect()
    }

    fn follow(&mut self, plan: Arc<VipPlan>) {
        self.plan = plan;
        self.on(Event::Rule(rule(&self.plan)));
        self.judge_readiness();
    }

    fn judge_readiness(&mut self) {
        let not_ready = Arc::clone(&self.news.not_ready.borrow_and_update());
        let ready = !self.plan.track.iter().any(|one| not_ready.contains(one));
        self.on(Event::Ready(ready));
        self.speaker.priority(self.machine.priority());
    }

    fn judge_permission(&mut self) {
        let may = *self.permission.may_hold.borrow_and_update();
        self.on(Event::MayHold(may));
    }

    /// Whether there is a place to take part from, and which.
    async fn look(&mut self) {
        self.look_at = Instant::now() + LOOK_EVERY;
        if self.peers.is_none() {
            self.resolve().await;
        }
        match self.find() {
            Ok(link) if self.place.as_ref().is_some_and(|(old, _)| *old == link) => {}
            Ok(link) => self.settle(link),
            Err(why) => self.lose(why),
        }
    }

    fn find(&mut self) -> Result<Link, String> {
        may_do_it()?;
        let Some(peers) = &self.peers else {
            return Err(self.hindrance.clone().unwrap_or_default());
        };
        let beyond =
            |peer: &IpAddr| matches!(peer, IpAddr::V6(peer) if !peer.is_unicast_link_local());
        look(&Wanted {
            interface: &self.plan.interface,
            others: &self.plan.hosts(),
            global: peers.iter().any(beyond),
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
            Err(error) => self.lose(format!(
                "sockets for VRRP cannot be had on {:?}: {error}",
                self.plan.interface
            )),
        }
    }

    fn open(&mut self, link: Link) -> std::io::Result<Packets> {
        if self.kernel.is_none() {
            self.kernel = Some(Kernel::open()?);
        }
        if self.announcer.is_none() {
            self.announcer = Some(Announcer::open()?);
        }
        let to_all = self.plan.unicast_peers.is_empty();
        Packets::open(&self.plan.interface, &link, to_all)
    }

    fn lose(&mut self, why: String) {
        let new = self.hindrance.as_ref() != Some(&why);
        self.hindrance = Some(why.clone());
        let was = self.machine.state();
        self.on(Event::Link(None));
        self.place = None;
        if new && self.machine.state() == was {
            self.speaker.hindered(&why);
        }
    }

    async fn resolve(&mut self) {
        let mut peers = Vec::new();
        let plan = Arc::clone(&self.plan);
        for host in &plan.unicast_peers {
            match host {
                Host::Ip(ip) => peers.push(*ip),
                Host::Name(name) => {
                    let found = timeout(RESOLVE, lookup_host((name.as_str(), 0))).await;
                    let Ok(Ok(found)) = found else {
                        let why = format!("the name {name:?} of unicast_peers does not resolve");
                        return self.lose(why);
                    };
                    let v6 = plan.hosts().iter().any(IpAddr::is_ipv6);
                    let found = found.map(|one: SocketAddr| one.ip());
                    peers.extend(found.filter(|one| one.is_ipv6() == v6));
                }
            }
        }
        self.peers = Some(peers);
    }

    fn take(&mut self, packet: std::io::Result<Result<Packet<'_>, Fault>>) {
        match packet {
            Ok(Ok(packet)) => self.judge(&packet),
            Ok(Err(fault)) => self.speaker.fault(fault, None),
            // The interface goes: looking at it says more.
            Err(_) => {
                self.place = None;
                self.look_at = Instant::now();
            }
        }
    }

    fn judge(&mut self, packet: &Packet<'_>) {
        let Some((link, _)) = &self.place else { return };
        if packet.source == link.own {
            return;
        }
        let source = packet.source;
        let (advert, notes) = match judge(packet, &self.plan, self.peers.as_deref(), link.own) {
            Ok(judged) => judged,
            Err(fault) => return self.speaker.fault(fault, Some(source)),
        };
        for fault in notes {
            self.speaker.fault(fault, Some(source));
        }
        let heard = Heard {
            source,
            priority: advert.priority,
            interval: Duration::from_millis(u64::from(advert.interval.max(1)) * 10),
        };
        self.speaker.heard(heard);
        self.on(Event::Heard(heard));
    }

    fn on(&mut self, event: Event) {
        let mut actions = Vec::new();
        let now = Instant::now() - self.origin;
        self.machine.on(event, now, &mut actions);
        let mut held = Ok(());
        for action in actions {
            match action {
                Action::Advertise(priority) => self.advertise(priority),
                Action::Hold => held = self.hold(),
                Action::Release => self.release(),
                Action::Announce => self.announce(),
                Action::Became(was, is, why) => {
                    let more = self.hindrance.as_deref().filter(|_| is == State::Fault);
                    self.speaker.became(was, is, why, more);
                }
            }
        }
        let wants = self.machine.wants();
        let wanted = &self.permission.wants;
        wanted.send_if_modified(|told| std::mem::replace(told, wants) != wants);
        if let Err(why) = held {
            self.lose(why);
        }
    }

    fn advertise(&self, priority: u8) {
        let Some((link, packets)) = &self.place else {
            return;
        };
        let interval = self.plan.advert_interval.as_millis() / 10;
        let advert = Advert {
            router_id: self.plan.router_id,
            priority,
            interval: u16::try_from(interval).unwrap_or(vrrp::INTERVAL_MAX),
            addresses: self.plan.hosts(),
        };
        let all = [group(link.own)];
        let peers = self.peers.as_deref().filter(|peers| !peers.is_empty());
        for to in peers.unwrap_or(&all) {
            let message = vrrp::emit(&advert, link.own, *to);
            // What cannot be sent is lost as on any network; that the interface is gone is heard elsewhere.
            if packets.send(&message, *to, link).is_ok() {
                self.speaker.sent();
            }
        }
    }

    fn hold(&mut self) -> Result<(), String> {
        let Some(link) = self.place.as_ref().map(|(link, _)| *link) else {
            return Ok(());
        };
        let places = self.places(&link);
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        for place in places {
            if matches!(kernel.look(place), Ok(Held::ByOthers)) {
                self.speaker.warn(&format!(
                    "this machine carries {} already, by somebody else's doing: howdah leaves it as it is, and it \
                     stays here when another one is master",
                    place.address
                ));
                continue;
            }
            let held = kernel.hold(place);
            held.map_err(|error| {
                format!("{} cannot be put on the interface: {error}", place.address)
            })?;
            self.held.push(place);
        }
        self.renew_at = Instant::now() + RENEW_EVERY;
        Ok(())
    }

    fn renew(&mut self) {
        self.renew_at = Instant::now() + RENEW_EVERY;
        let Some(kernel) = &mut self.kernel else {
            return;
        };
        let failed = self.held.iter().find_map(|place| {
            let error = kernel.hold(*place).err()?;
            Some(format!(
                "{} cannot be kept on the interface: {error}",
                place.address
            ))
        });
        if let Some(why) = failed {
            self.lose(why);
        }
    }

    fn release(&mut self) {
        for place in std::mem::take(&mut self.held) {
            let released = self.kernel.as_mut().map(|kernel| kernel.release(place));
            if let Some(Err(error)) = released {
                let address = place.address;
                self.speaker.warn(&format!(
                    "{address} cannot be taken away: {error}; the kernel does it in 3 s"
                ));
            }
        }
    }

    fn announce(&self) {
        let (Some((link, _)), Some(announcer)) = (&self.place, &self.announcer) else {
            return;
        };
        let Some(hardware) = &link.hardware else {
            return;
        };
        for address in self.plan.hosts() {
            if let Err(error) = announcer.announce(address, hardware) {
                tracing::debug!(vip = %self.plan.name, %address, %error, "not announced");
            }
        }
    }
}

/// An advertisement of this virtual router, and what is odd about it though it counts.
///
/// Addresses that differ are obeyed, as keepalived does: machines are configured one after the other, and both holding the
/// address meanwhile would be worse.
fn judge(
    packet: &Packet<'_>,
    plan: &VipPlan,
    peers: Option<&[IpAddr]>,
    own: IpAddr,
) -> Result<(Advert, Vec<Fault>), Fault> {
    let to_all = plan.unicast_peers.is_empty();
    let advert = vrrp::parse(packet)?;
    if advert.router_id != plan.router_id {
        return Err(Fault::RouterId);
    }
    // Partners that are named may be behind a router.
    if to_all && packet.hops != HOPS {
        return Err(Fault::Hops);
    }
    let known = || peers.is_some_and(|peers| peers.contains(&packet.source));
    let fits = match to_all {
        true => packet.destination == group(own),
        false => !packet.destination.is_multicast() && known(),
    };
    if !fits {
        return Err(Fault::Peer);
    }
    let mut notes = Vec::new();
    let (mut theirs, mut ours) = (advert.addresses.clone(), plan.hosts());
    theirs.sort_unstable();
    ours.sort_unstable();
    if theirs != ours {
        notes.push(Fault::Addresses);
    }
    if advert.priority == OWNER {
        notes.push(Fault::Owner);
    }
    Ok((advert, notes))
}

/// Waits for ever where there is no place to hear at.
async fn next<'b>(
    place: Option<&(Link, Packets)>,
    bytes: &'b mut [u8],
) -> std::io::Result<Result<Packet<'b>, Fault>> {
    match place {
        Some((_, packets)) => packets.next(bytes).await,
        None => std::future::pending().await,
    }
}

fn rule(plan: &VipPlan) -> Rule {
    Rule {
        priority: plan.priority,
        interval: plan.advert_interval,
        preempt: plan.preempt,
        preempt_delay: plan.preempt_delay,
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

/// Also without news of the kernel, and for names that do not resolve yet.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For one name.
const RESOLVE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;

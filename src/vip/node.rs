//! One virtual address as this machine lives it: what comes in becomes an event, and what the machine answers is done.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rustix::thread::{CapabilitySet, capabilities};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::alarm::{self, Alarm};
use super::announcer::Announcer;
use super::kernel::{Held, Kernel, RENEW_EVERY};
use super::link::{Link, Wanted, look};
use super::machine::{Action, Event, Heard, Machine, Rule, State};
use super::packets::{Packets, group};
use super::peers::Peers;
use super::said::Speaker;
use crate::plan::{ListenerName, VipPlan};
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
    /// The machine's time.
    clock: fn() -> Duration,
    /// Rings when something is due.
    alarm: Option<Alarm>,
    news: News,
    permission: Permission,
    speaker: Speaker,
    kernel: Option<Kernel>,
    announcer: Option<Announcer>,
    /// Both or neither.
    place: Option<(Link, Packets)>,
    /// When a socket of it failed last.
    failed_at: Option<Instant>,
    named: Peers,
    /// Those of `unicast_peers`, when they are known; none: everybody.
    peers: Option<Arc<[IpAddr]>>,
    /// Whether partners are known, and it was seen if there is a place.
    has_looked: bool,
    /// To begin so when it has looked: whether the howdah before holds the addresses.
    begins: Option<bool>,
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
            clock: alarm::now,
            alarm: None,
            news,
            permission,
            speaker,
            kernel: None,
            announcer: None,
            place: None,
            failed_at: None,
            named: Peers::of(&plan),
            peers: None,
            has_looked: false,
            begins: None,
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
            // A place that is gone is known before anything is done there.
            if self.look_at <= Instant::now() {
                self.look();
            }
            self.catch_up(&mut bytes);
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
                () = self.named.changed() => self.look_at = Instant::now(),
                () = rings(self.alarm.as_mut()) => {}
                () = sleep_until(wake_at) => {}
            }
        }
    }

    /// What may be some milliseconds late.
    fn wake_at(&self) -> Instant {
        match self.held.is_empty() {
            true => self.look_at,
            false => self.look_at.min(self.renew_at),
        }
    }

    /// After every event, so that a flood of packets holds up nothing.
    fn catch_up(&mut self, bytes: &mut [u8]) {
        if self.is_due() && self.machine.state() == State::Backup {
            self.hear_what_waits(bytes);
        }
        if self.is_due() {
            self.on(Event::Due);
        }
        if !self.held.is_empty() && self.renew_at <= Instant::now() {
            self.renew();
        }
        let due = self.machine.due();
        if let Some(alarm) = &mut self.alarm {
            alarm.set(due);
        }
    }

    fn is_due(&self) -> bool {
        self.machine.due().is_some_and(|due| due <= (self.clock)())
    }

    /// A node that was frozen itself has not heard the master: that is no silence.
    fn hear_what_waits(&mut self, bytes: &mut [u8]) {
        for _ in 0..WAITING {
            let waits = self.place.as_ref();
            let Some(packet) = waits.and_then(|(_, packets)| packets.waiting(bytes)) else {
                return;
            };
            self.take(packet);
        }
    }

    /// The howdah before may have been no master: what it held, the kernel still has on its lease.
    fn begin(&mut self, holding: bool) {
        if !self.has_looked {
            self.begins = Some(holding);
            return;
        }
        // What is allowed by now, also where nobody looked yet.
        self.judge_permission();
        let holding = holding && self.is_leased();
        self.on(Event::Start { holding });
    }

    fn is_leased(&mut self) -> bool {
        let (Some((link, _)), Some(kernel)) = (&self.place, &mut self.kernel) else {
            return false;
        };
        let had = |place: &Place| matches!(kernel.look(*place), Ok(Held::OnLease));
        places(&self.plan, link).iter().all(had)
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
    fn look(&mut self) {
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

    fn open(&mut self, link: Link) -> std::io::Result<Packets> {
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

    fn take(&mut self, packet: std::io::Result<Result<Packet<'_>, Fault>>) {
        match packet {
            Ok(Ok(packet)) => self.judge(&packet),
            Ok(Err(fault)) => self.speaker.fault(fault, None),
            Err(error) => self.replace(&error),
        }
    }

    /// A socket that fails is replaced at once, at the same place; one that goes on failing is no place to take part from.
    fn replace(&mut self, error: &std::io::Error) {
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

    fn no_sockets(&self, error: &std::io::Error) -> String {
        let interface = &self.plan.interface;
        format!("sockets for VRRP cannot be had on {interface:?}: {error}")
    }

    fn judge(&mut self, packet: &Packet<'_>) {
        let Some((link, _)) = &self.place else { return };
        if packet.source == link.own {
            return;
        }
        let source = packet.source;
        let (advert, notes) = match judge(packet, &self.plan, self.peers.as_deref(), link.own) {
            Ok(judged) => judged,
            Err(fault) => {
                if fault == Fault::Peer {
                    self.named.ask_again();
                }
                return self.speaker.fault(fault, Some(source));
            }
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
        self.machine.on(event, (self.clock)(), &mut actions);
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
            match packets.send(&message, *to, link) {
                Ok(()) => self.speaker.sent(),
                Err(_) => self.named.ask_again(),
            }
        }
    }

    fn hold(&mut self) -> Result<(), String> {
        let (Some((link, _)), Some(kernel)) = (&self.place, &mut self.kernel) else {
            return Err("there is no interface to hold an address on".to_owned());
        };
        for place in places(&self.plan, link) {
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

fn places(plan: &VipPlan, link: &Link) -> Vec<Place> {
    let place = |address: &IpNet| Place {
        interface: link.index,
        address: address.addr(),
        prefix: address.prefix_len(),
    };
    plan.addresses.iter().map(place).collect()
}

/// Waits for ever where nothing can be due.
async fn rings(alarm: Option<&mut Alarm>) {
    match alarm {
        Some(alarm) => alarm.rings().await,
        None => std::future::pending().await,
    }
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

/// Also without news of the kernel.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Packets that are heard before somebody is believed to be silent: what a socket holds of a master's is less.
const WAITING: usize = 1024;

#[cfg(test)]
mod tests;

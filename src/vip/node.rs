//! One virtual address as this machine lives it: what comes in becomes an event, and what the machine answers is done.

mod act;
mod judge;
mod place;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use self::judge::judge;
use super::alarm::{self, Alarm};
use super::announcer::Announcer;
use super::kernel::{Held, Kernel};
use super::link::Link;
use super::machine::{Action, Event, Heard, Machine, Rule, State};
use super::packets::Packets;
use super::peers::Peers;
use super::said::Speaker;
use crate::plan::{ListenerName, VipPlan};
use crate::wire::netlink::Place;
use crate::wire::vrrp::{Fault, Packet};

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
        link.places(&self.plan.addresses).iter().all(had)
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

    fn take(&mut self, packet: io::Result<Result<Packet<'_>, Fault>>) {
        match packet {
            Ok(Ok(packet)) => self.judge(&packet),
            Ok(Err(fault)) => self.speaker.fault(fault, None),
            Err(error) => self.replace(&error),
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
) -> io::Result<Result<Packet<'b>, Fault>> {
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

/// Packets that are heard before somebody is believed to be silent: what a socket holds of a master's is less.
const WAITING: usize = 1024;

#[cfg(test)]
pub(super) mod tests;

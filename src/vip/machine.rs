//! Who holds the addresses: the state machine of VRRP (RFC 9568 §6.4), pure.
//!
//! Events and the time go in, actions come out; nothing here knows a socket or a clock. Beyond the RFC:
//!
//! * A node whose tracked listeners are not ready says [`NOT_READY`] instead of its priority. A master that becomes so leaves
//!   with priority 0, which every partner obeys within a fraction of an interval.
//! * A master that slept for longer than others wait for it (SIGSTOP, a machine that was suspended) has lost its place while
//!   it slept: it lets the addresses go before it says or hears anything, and listens first. A backup that slept listens
//!   anew, too: that it heard nobody says nothing of the others.
//! * Without permission (the link is down, or the cluster does not let it) a node takes no part.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::word::words;

/// The priority of a node that has nothing to serve with; another node takes over from it even without `preempt`.
pub const NOT_READY: u8 = 1;

/// What the configuration says of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// 2 to 254: the higher one holds the addresses.
    pub priority: u8,
    /// Between two advertisements.
    pub interval: Duration,
    /// Whether the addresses are taken from a node of lower priority that works.
    pub preempt: bool,
    /// How long such a node is let be first.
    pub preempt_delay: Duration,
}

words! {
    /// What a node is to its partners.
    pub enum State {
        /// Not begun, or stopped.
        Init = "init",
        /// It listens, and would take over.
        Backup = "backup",
        /// It holds the addresses.
        Master = "master",
        /// It cannot, or may not, take part.
        Fault = "fault",
    }
}

words! {
    /// Why a state was left.
    pub enum Why {
        /// It may take part.
        Begun = "started",
        /// The addresses came from the process before.
        TakenOver = "taken-over",
        /// The master is not heard any more.
        Silence = "master-silent",
        /// Nobody was heard yet.
        Alone = "nobody-else",
        /// The master has a lower priority.
        Lower = "lower-priority",
        /// The master said that it leaves.
        Left = "master-left",
        /// A node of higher priority, or of equal priority and a higher address.
        Higher = "higher-priority",
        /// Tracked listeners are not ready.
        NotReady = "not-ready",
        /// The interface is not there, is down, has no carrier or no address.
        Link = "interface",
        /// The cluster does not let it hold an address.
        Fenced = "fenced",
        /// It had slept for longer than others wait.
        Slept = "slept",
        /// howdah stops, or the configuration has it no more.
        Stopped = "stopped",
        /// The process after has them.
        HandedOver = "handed-over",
    }
}

/// What a partner said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub source: IpAddr,
    /// 0: leaves.
    pub priority: u8,
    /// Between two of its advertisements.
    pub interval: Duration,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins; `holding`: the process before held the addresses and hands them over.
    Start {
        /// See above.
        holding: bool,
    },
    /// An advertisement of its virtual router.
    Heard(Heard),
    /// Time has passed.
    Due,
    /// Whether every tracked listener is ready.
    Ready(bool),
    /// The interface's own address; `None`: it is not usable.
    Link(Option<IpAddr>),
    /// Whether the cluster lets it hold an address.
    MayHold(bool),
    /// The configuration is another.
    Rule(Rule),
    /// It ends.
    Stop,
    /// It ends, and the process after it holds the addresses.
    HandOver,
}

/// What a node does about it, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends one with this priority.
    Advertise(u8),
    /// Puts the addresses on the interface.
    Hold,
    /// Takes them away.
    Release,
    /// Tells the network where the addresses are.
    Announce,
    /// Tells people.
    Became(State, State, Why),
}

/// One virtual router, as one node of it.
#[derive(Debug)]
pub struct Machine {
    rule: Rule,
    state: State,
    started: bool,
    ready: bool,
    may_hold: bool,
    own: Option<IpAddr>,
    /// The next advertisement of a master, or when a backup has waited enough.
    due: Duration,
    /// Of the master that is heard.
    interval: Duration,
    /// Since when a master of lower priority is heard.
    lower_since: Option<Duration>,
    /// The next announcement, and which of [`ANNOUNCE_AFTER`] follows it.
    announce: Option<(Duration, usize)>,
    /// The last announcement.
    announced: Duration,
    peer: Option<Heard>,
}

impl Machine {
    /// Before anything has happened; it does nothing before it has a link and [`Event::Start`].
    pub fn new(rule: Rule) -> Self {
        Self {
            interval: rule.interval,
            rule,
            state: State::Init,
            started: false,
            ready: true,
            may_hold: true,
            own: None,
            due: Duration::ZERO,
            lower_since: None,
            announce: None,
            announced: Duration::ZERO,
            peer: None,
        }
    }

    /// What it is now.
    pub fn state(&self) -> State {
        self.state
    }

    /// What it says of itself: its priority, or that it is not ready.
    pub fn priority(&self) -> u8 {
        match self.ready {
            true => self.rule.priority,
            false => NOT_READY,
        }
    }

    /// Whether it would hold the addresses if it might: what a fence is asked for.
    pub fn wants(&self) -> bool {
        self.started && self.own.is_some() && self.ready
    }

    /// Who was heard last.
    pub fn peer(&self) -> Option<Heard> {
        self.peer
    }

    /// When [`Event::Due`] is awaited; `None`: not at all.
    pub fn due(&self) -> Option<Duration> {
        let announce = self.announce.map(|(at, _)| at);
        match self.state {
            State::Master => Some(announce.map_or(self.due, |at| at.min(self.due))),
            State::Backup => Some(self.due),
            State::Init | State::Fault => None,
        }
    }

    /// Lives through `event`. `now` is counted from any moment, and never goes back.
    pub fn on(&mut self, event: Event, now: Duration, actions: &mut Vec<Action>) {
        if self.has_slept(now) {
            if self.state == State::Master {
                actions.push(Action::Release);
            }
            self.listen(Why::Slept, now, actions);
        }
        match event {
            Event::Start { holding } => self.start(holding, now, actions),
            Event::Heard(heard) => self.hear(heard, now, actions),
            Event::Due => self.tick(now, actions),
            Event::Ready(ready) => self.be_ready(ready, now, actions),
            Event::Link(own) => {
                self.own = own;
                self.take_part(Why::Link, now, actions);
            }
            Event::MayHold(may) => {
                self.may_hold = may;
                self.take_part(Why::Fenced, now, actions);
            }
            Event::Rule(rule) => self.rule = rule,
            Event::Stop => self.stop(actions),
            Event::HandOver => {
                self.started = false;
                self.become_it(State::Init, Why::HandedOver, actions);
            }
        }
    }

    fn start(&mut self, holding: bool, now: Duration, actions: &mut Vec<Action>) {
        self.started = true;
        if holding && self.may_take_part() {
            return self.hold(Why::TakenOver, now, actions);
        }
        self.take_part(Why::Begun, now, actions);
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        self.started = false;
        self.leave(actions);
        self.become_it(State::Init, Why::Stopped, actions);
    }

    fn hear(&mut self, heard: Heard, now: Duration, actions: &mut Vec<Action>) {
        self.peer = Some(heard);
        match self.state {
            State::Backup => self.hear_as_backup(heard, now),
            State::Master => self.hear_as_master(heard, now, actions),
            State::Init | State::Fault => {}
        }
    }

    fn hear_as_backup(&mut self, heard: Heard, now: Duration) {
        if heard.priority == 0 {
            self.due = self.due.min(now + self.skew());
        } else if !self.defies(heard, now) {
            self.interval = heard.interval;
            self.due = now + self.patience();
        }
    }

    /// Whether it goes on waiting for silence as if nothing had been heard, and so takes over.
    fn defies(&mut self, heard: Heard, now: Duration) -> bool {
        if heard.priority >= self.priority() {
            self.lower_since = None;
            return false;
        }
        if heard.priority == NOT_READY {
            return true;
        }
        let since = *self.lower_since.get_or_insert(now);
        self.rule.preempt && now.saturating_sub(since) >= self.rule.preempt_delay
    }

    fn hear_as_master(&mut self, heard: Heard, now: Duration, actions: &mut Vec<Action>) {
        let own = self.own.unwrap_or(heard.source);
        let (theirs, ours) = ((heard.priority, heard.source), (self.priority(), own));
        if heard.source == own {
            return;
        }
        if theirs > ours {
            self.interval = heard.interval;
            // The last word lets the other one know that the network was told of us, so that it tells the network again.
            actions.extend([Action::Release, Action::Advertise(ours.0)]);
            self.listen(Why::Higher, now, actions);
            return;
        }
        // Whoever leaves, or does not know of us, should hear of us at once, and so should the network that it told else. But
        // a flood of such packets is answered a few times an interval.
        let said_just_now = self.due.saturating_sub(now) > self.rule.interval * 9 / 10;
        if !said_just_now {
            actions.push(Action::Advertise(ours.0));
            self.due = now + self.rule.interval;
        }
        if heard.priority > 0 {
            self.announce_again(now);
        }
    }

    /// From the beginning, as another one has announced itself meanwhile.
    fn announce_again(&mut self, now: Duration) {
        let soon = now.max(self.announced + ANNOUNCE_AFTER[0]);
        if self.announce.is_none_or(|(at, _)| at > soon) {
            self.announce = Some((soon, 0));
        }
    }

    fn tick(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.state {
            State::Backup if now >= self.due => {
                let why = match self.peer {
                    None => Why::Alone,
                    Some(Heard { priority: 0, .. }) => Why::Left,
                    Some(peer) if peer.priority < self.priority() => Why::Lower,
                    Some(_) => Why::Silence,
                };
                self.hold(why, now, actions);
            }
            State::Master => self.go_on(now, actions),
            State::Backup | State::Init | State::Fault => {}
        }
    }

    fn go_on(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if now >= self.due {
            actions.push(Action::Advertise(self.priority()));
            // From when it was due, so that lateness does not add up; a late one is not made up for by two.
            self.due = (self.due + self.rule.interval).max(now + self.rule.interval / 2);
        }
        if let Some((at, next)) = self.announce
            && now >= at
        {
            actions.push(Action::Announce);
            self.announced = now;
            let after = ANNOUNCE_AFTER.get(next);
            self.announce = after.map(|after| (now + *after, next + 1));
        }
    }

    fn be_ready(&mut self, ready: bool, now: Duration, actions: &mut Vec<Action>) {
        let was = std::mem::replace(&mut self.ready, ready);
        if was && !ready && self.state == State::Master {
            self.leave(actions);
            self.listen(Why::NotReady, now, actions);
        }
    }

    /// After what it depends on has changed.
    fn take_part(&mut self, why: Why, now: Duration, actions: &mut Vec<Action>) {
        match (self.may_take_part(), self.state) {
            (true, State::Init | State::Fault) => self.listen(Why::Begun, now, actions),
            (false, State::Backup | State::Master) => {
                self.leave(actions);
                self.become_it(State::Fault, why, actions);
            }
            (false, State::Init) if self.started => {
                let why = if self.own.is_none() {
                    Why::Link
                } else {
                    Why::Fenced
                };
                self.become_it(State::Fault, why, actions);
            }
            _ => {}
        }
    }

    fn may_take_part(&self) -> bool {
        self.started && self.may_hold && self.own.is_some()
    }

    fn hold(&mut self, why: Why, now: Duration, actions: &mut Vec<Action>) {
        actions.extend([
            Action::Hold,
            Action::Advertise(self.priority()),
            Action::Announce,
        ]);
        self.due = now + self.rule.interval;
        self.announced = now;
        self.announce = Some((now + ANNOUNCE_AFTER[0], 1));
        self.lower_since = None;
        self.become_it(State::Master, why, actions);
    }

    /// The addresses first: who hears the leave takes them at once.
    fn leave(&mut self, actions: &mut Vec<Action>) {
        if self.state == State::Master {
            actions.extend([Action::Release, Action::Advertise(0)]);
        }
    }

    fn listen(&mut self, why: Why, now: Duration, actions: &mut Vec<Action>) {
        if why != Why::Higher {
            self.interval = self.rule.interval;
        }
        self.lower_since = None;
        self.due = now + self.patience();
        self.become_it(State::Backup, why, actions);
    }

    fn become_it(&mut self, state: State, why: Why, actions: &mut Vec<Action>) {
        let was = std::mem::replace(&mut self.state, state);
        if state != State::Master {
            self.announce = None;
        }
        if was != state {
            actions.push(Action::Became(was, state, why));
        }
    }

    /// Others have taken over from a master meanwhile, as they should; and a backup has heard nobody because it heard nothing.
    fn has_slept(&self, now: Duration) -> bool {
        let late = now.saturating_sub(self.due);
        match self.state {
            State::Master => late > self.rule.interval * 3,
            State::Backup => late > (self.interval * 3).max(ASLEEP),
            State::Init | State::Fault => false,
        }
    }

    /// Master_Down_Interval: how long a master may be silent.
    fn patience(&self) -> Duration {
        self.interval * 3 + self.skew()
    }

    /// Skew_Time: the higher the priority, the earlier.
    fn skew(&self) -> Duration {
        self.interval * (256 - u32::from(self.priority())) / 256
    }
}

/// Between the announcements of a new master: one may be lost, and a switch may still learn.
const ANNOUNCE_AFTER: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1500),
    Duration::from_secs(5),
];

/// A backup that is later than this was not merely held up: its machine was suspended, or it was frozen.
const ASLEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;

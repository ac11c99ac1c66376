//! Two to four nodes on a network that loses, delays, doubles and partly parts, and nodes that freeze, end and come back.
//!
//! Two things hold. Two masters that can hear each other are never both masters for longer than one Master_Down_Interval, an
//! advertisement and what a message takes. And when the network has been whole for a while, one node holds the addresses:
//! the best of those that are ready. A seed that fails is printed, and runs again alone with `VIP_SEED`.

use super::*;

const NODES: usize = 4;
const TICK: Duration = Duration::from_millis(5);
/// What a message takes at most.
const LATE: Duration = Duration::from_millis(60);
const QUIET: Duration = Duration::from_secs(12);

struct World {
    chance: fastrand::Rng,
    now: Duration,
    nodes: Vec<Simulated>,
    /// When, from whom, to whom, what.
    travelling: Vec<(Duration, usize, usize, Heard)>,
    /// `parted[a][b]`: what `a` sends does not reach `b`.
    parted: [[bool; NODES]; NODES],
    loss: f64,
    /// Since when each pair could hear each other while both were masters.
    both: [[Option<Duration>; NODES]; NODES],
}

struct Simulated {
    machine: Machine,
    rule: Rule,
    own: IpAddr,
    ready: bool,
    may_hold: bool,
    holds: bool,
    alive: bool,
    frozen_until: Duration,
    inbox: Vec<Heard>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let count = chance.usize(2..=NODES);
        let nodes = (0..count).map(|place| Simulated::new(place, &mut chance));
        let mut world = Self {
            nodes: nodes.collect(),
            chance,
            now: Duration::from_secs(1),
            travelling: Vec::new(),
            parted: [[false; NODES]; NODES],
            loss: 0.0,
            both: [[None; NODES]; NODES],
        };
        for node in 0..count {
            world.begin(node);
        }
        world
    }

    fn begin(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        one.machine = Machine::new(one.rule);
        (one.alive, one.holds) = (true, false);
        one.inbox.clear();
        for event in [
            Event::Ready(one.ready),
            Event::MayHold(one.may_hold),
            Event::Link(Some(one.own)),
            Event::Start { holding: false },
        ] {
            self.on(node, event);
        }
    }

    fn on(&mut self, node: usize, event: Event) {
        let mut actions = Vec::new();
        let one = &mut self.nodes[node];
        one.machine.on(event, self.now, &mut actions);
        for action in actions {
            match action {
                Action::Advertise(priority) => self.send(node, priority),
                Action::Hold => assert!(!std::mem::replace(&mut self.nodes[node].holds, true)),
                Action::Release => assert!(std::mem::replace(&mut self.nodes[node].holds, false)),
                Action::Announce => assert!(self.nodes[node].holds),
                Action::Became(..) => {}
            }
        }
        let one = &self.nodes[node];
        assert_eq!(one.holds, one.machine.state() == State::Master);
    }

    fn send(&mut self, from: usize, priority: u8) {
        let one = &self.nodes[from];
        let heard = Heard {
            source: one.own,
            priority,
            interval: one.rule.interval,
        };
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let lost = self.parted[from][to] || self.chance.f64() < self.loss;
            if lost {
                self.unheard(from, to);
                continue;
            }
            for _ in 0..=usize::from(self.chance.u8(..) < 20) {
                let takes = LATE.mul_f64(self.chance.f64());
                self.travelling.push((self.now + takes, from, to, heard));
            }
        }
    }

    /// These two did not hear each other just now.
    fn unheard(&mut self, one: usize, other: usize) {
        self.both[one.min(other)][one.max(other)] = None;
    }

    fn step(&mut self) {
        self.now += TICK;
        let now = self.now;
        for (_, _, to, heard) in self.travelling.extract_if(.., |one| one.0 <= now) {
            if self.nodes[to].alive {
                self.nodes[to].inbox.push(heard);
            }
        }
        for node in 0..self.nodes.len() {
            if self.awake(node) {
                // What came first, as the runner has it.
                for heard in std::mem::take(&mut self.nodes[node].inbox) {
                    self.on(node, Event::Heard(heard));
                }
                if self.nodes[node].machine.due().is_some_and(|due| due <= now) {
                    self.on(node, Event::Due);
                }
            }
        }
        self.judge_pairs();
    }

    fn awake(&self, node: usize) -> bool {
        let one = &self.nodes[node];
        one.alive && one.frozen_until <= self.now
    }

    fn judge_pairs(&mut self) {
        for one in 0..self.nodes.len() {
            for other in one + 1..self.nodes.len() {
                let is_master = |node: usize| {
                    self.awake(node) && self.nodes[node].machine.state() == State::Master
                };
                let hear = !self.parted[one][other] && !self.parted[other][one];
                if !(hear && is_master(one) && is_master(other)) {
                    self.unheard(one, other);
                    continue;
                }
                let since = *self.both[one][other].get_or_insert(self.now);
                let interval = |node: usize| self.nodes[node].rule.interval;
                let longest = interval(one).max(interval(other));
                let bound = longest * 5 + LATE * 2;
                assert!(
                    self.now - since <= bound,
                    "two masters for {:?}",
                    self.now - since
                );
            }
        }
    }

    /// Something goes wrong, or right again.
    fn disturb(&mut self) {
        let node = self.chance.usize(0..self.nodes.len());
        let other = self.chance.usize(0..self.nodes.len());
        match self.chance.u8(0..9) {
            0 => self.parted[node][other] = !self.parted[node][other],
            1 => {
                let way = !self.parted[node][other];
                (self.parted[node][other], self.parted[other][node]) = (way, way);
            }
            2 => self.loss = [0.0, 0.1, 0.5][self.chance.usize(0..3)],
            3 => {
                self.nodes[node].frozen_until =
                    self.now + Duration::from_secs(4).mul_f64(self.chance.f64())
            }
            4 => self.nodes[node].alive = false,
            5 if !self.nodes[node].alive => self.begin(node),
            6 => self.change(node, |one| {
                one.ready = !one.ready;
                Event::Ready(one.ready)
            }),
            7 => self.change(node, |one| {
                one.may_hold = !one.may_hold;
                Event::MayHold(one.may_hold)
            }),
            _ => {}
        }
    }

    fn change(&mut self, node: usize, change: impl FnOnce(&mut Simulated) -> Event) {
        if self.awake(node) {
            let event = change(&mut self.nodes[node]);
            self.on(node, event);
        }
    }

    fn heal(&mut self) {
        self.parted = [[false; NODES]; NODES];
        self.loss = 0.0;
        for node in 0..self.nodes.len() {
            self.nodes[node].frozen_until = self.now;
            self.nodes[node].may_hold = true;
            match self.nodes[node].alive {
                true => self.on(node, Event::MayHold(true)),
                false => self.begin(node),
            }
        }
    }

    fn run(&mut self) {
        for _ in 0..40 {
            self.disturb();
            for _ in 0..self.chance.usize(1..200) {
                self.step();
            }
        }
        self.heal();
        let end = self.now + QUIET;
        while self.now < end {
            self.step();
        }
        self.judge_the_end();
    }

    fn judge_the_end(&self) {
        let masters = self
            .nodes
            .iter()
            .filter(|one| one.machine.state() == State::Master);
        let masters: Vec<_> = masters.collect();
        assert_eq!(masters.len(), 1, "masters");
        let says = |one: &Simulated| one.machine.priority();
        let best = self
            .nodes
            .iter()
            .max_by_key(|one| says(one))
            .expect("a node");
        let holder = masters[0];
        if best.ready {
            assert!(holder.ready, "one that is not ready holds the addresses");
        }
        let all_preempt = self.nodes.iter().all(|one| one.rule.preempt);
        if all_preempt || !holder.ready {
            assert_eq!(says(holder), says(best), "the best holds the addresses");
        }
    }
}

impl Simulated {
    fn new(place: usize, chance: &mut fastrand::Rng) -> Self {
        let rule = Rule {
            priority: [50, 100, 100, 150, 254][chance.usize(0..5)],
            interval: Duration::from_millis([100, 200, 300][chance.usize(0..3)]),
            preempt: chance.u8(0..4) > 0,
            preempt_delay: Duration::from_millis([0, 0, 1500][chance.usize(0..3)]),
        };
        let last = u8::try_from(place + 1).expect("few nodes");
        Self {
            machine: Machine::new(rule),
            rule,
            own: [192, 0, 2, last].into(),
            ready: true,
            may_hold: true,
            holds: false,
            alive: true,
            frozen_until: Duration::ZERO,
            inbox: Vec::new(),
        }
    }
}

#[test]
fn whatever_happens_one_holds_the_addresses() {
    let given = std::env::var("VIP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = given.map_or(0..120, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let run = || World::new(seed).run();
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("again with VIP_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

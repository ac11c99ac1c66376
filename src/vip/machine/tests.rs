//! One node by itself, as tables and short stories; several of them are in [`simulation`].

mod simulation;

use super::*;

const INTERVAL: Duration = Duration::from_millis(200);
const LOWER: [u8; 4] = [192, 0, 2, 1];
const OWN: [u8; 4] = [192, 0, 2, 2];
const HIGHER: [u8; 4] = [192, 0, 2, 3];

fn rule(priority: u8) -> Rule {
    Rule {
        priority,
        interval: INTERVAL,
        preempt: true,
        preempt_delay: Duration::ZERO,
    }
}

fn heard(priority: u8, source: [u8; 4]) -> Event {
    Event::Heard(Heard {
        source: source.into(),
        priority,
        interval: INTERVAL,
    })
}

/// A machine with its time and what it did.
struct Node {
    machine: Machine,
    now: Duration,
}

impl Node {
    fn started(rule: Rule, holding: bool) -> Self {
        let machine = Machine::new(rule);
        let now = Duration::from_secs(1000);
        let mut node = Self { machine, now };
        node.on(Event::Link(Some(OWN.into())));
        node.on(Event::Start { holding });
        node
    }

    fn backup(rule: Rule) -> Self {
        let node = Self::started(rule, false);
        assert_eq!(node.machine.state(), State::Backup);
        node
    }

    fn master(rule: Rule) -> Self {
        let node = Self::started(rule, true);
        assert_eq!(node.machine.state(), State::Master);
        node
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.machine.on(event, self.now, &mut actions);
        actions
    }

    /// Until the machine wants to be asked.
    fn wait(&mut self) -> (Duration, Vec<Action>) {
        let due = self.machine.due().expect("a timer");
        let waited = due.saturating_sub(self.now);
        self.now = self.now.max(due);
        (waited, self.on(Event::Due))
    }
}

#[test]
fn a_backup_takes_over_when_the_master_is_silent_for_three_intervals_and_its_skew() {
    let mut node = Node::backup(rule(100));
    node.on(heard(150, HIGHER));
    let (waited, actions) = node.wait();
    assert_eq!(waited, INTERVAL * 3 + INTERVAL * 156 / 256);
    let took = Action::Became(State::Backup, State::Master, Why::Silence);
    assert_eq!(
        actions,
        [Action::Hold, Action::Advertise(100), Action::Announce, took]
    );
}

#[test]
fn the_master_says_how_long_it_may_be_silent() {
    let mut node = Node::backup(rule(100));
    node.on(Event::Heard(Heard {
        source: HIGHER.into(),
        priority: 150,
        interval: INTERVAL * 10,
    }));
    assert!(node.wait().0 > INTERVAL * 30);
}

#[test]
fn a_master_that_leaves_is_followed_within_an_interval() {
    let mut node = Node::backup(rule(100));
    node.on(heard(150, HIGHER));
    node.on(heard(0, HIGHER));
    let (waited, actions) = node.wait();
    assert_eq!(waited, INTERVAL * 156 / 256);
    assert!(actions.contains(&Action::Became(State::Backup, State::Master, Why::Left)));
}

/// What a backup of priority 100 does about a master, with and without `preempt`.
#[test]
fn who_is_obeyed_and_who_is_not() {
    for (priority, preempt, obeyed) in [
        (150, true, true),
        (100, true, true),
        (99, true, false),
        (99, false, true),
        (NOT_READY, false, false),
        (255, true, true),
    ] {
        let mut node = Node::backup(Rule {
            preempt,
            ..rule(100)
        });
        node.now += INTERVAL;
        node.on(heard(priority, LOWER));
        let waits_anew = node.wait().0 > INTERVAL * 3;
        assert_eq!(waits_anew, obeyed, "{priority}, preempt = {preempt}");
    }
}

#[test]
fn one_of_lower_priority_is_let_be_for_the_delay() {
    let preempt_delay = Duration::from_secs(2);
    let mut node = Node::backup(Rule {
        preempt_delay,
        ..rule(100)
    });
    let began = node.now;
    while node.machine.state() == State::Backup {
        node.on(heard(99, LOWER));
        node.now += INTERVAL;
        node.on(Event::Due);
    }
    let took = node.now - began;
    assert!(took >= preempt_delay, "{took:?}");
    assert!(took < preempt_delay + INTERVAL * 5, "{took:?}");
}

#[test]
fn what_a_master_does_about_others() {
    for (priority, source, stays) in [
        (150, LOWER, false),
        (100, HIGHER, false),
        (100, LOWER, true),
        (99, HIGHER, true),
        (0, HIGHER, true),
        // Its own, come back.
        (200, OWN, true),
    ] {
        let mut node = Node::master(rule(100));
        node.now += INTERVAL / 2;
        let actions = node.on(heard(priority, source));
        let expected = if stays { State::Master } else { State::Backup };
        assert_eq!(node.machine.state(), expected, "{priority} {source:?}");
        assert_eq!(actions.contains(&Action::Release), !stays);
        // Who is lower hears at once that there is a master; who is higher, that the network must be told again.
        let told = actions.contains(&Action::Advertise(100));
        assert_eq!(told, source != OWN, "{priority} {source:?}");
    }
}

/// Two that did not hear each other: the network believes the one that spoke last.
#[test]
fn of_two_masters_that_meet_the_one_that_stays_tells_the_network_at_once() {
    let mut yields = Node::master(rule(100));
    let said = yields.on(heard(150, HIGHER));
    assert_eq!(said[..2], [Action::Release, Action::Advertise(100)]);
    // Amid its own announcements, and long after them.
    for steps in [1, 9, 100] {
        let mut stays = Node::master(rule(150));
        for _ in 0..steps {
            stays.wait();
        }
        stays.on(heard(100, LOWER));
        let (mut waited, mut announced) = (Duration::ZERO, false);
        while !announced {
            let (more, said) = stays.wait();
            waited += more;
            announced = said.contains(&Action::Announce);
        }
        assert!(waited <= ANNOUNCE_AFTER[0], "{steps}: {waited:?}");
    }
}

#[test]
fn a_flood_of_lower_ones_is_answered_a_few_times() {
    let mut node = Node::master(rule(100));
    let (mut said, mut announced) = (0, 0);
    for _ in 0..1000 {
        node.now += INTERVAL / 1000;
        let mut actions = node.on(heard(1, LOWER));
        actions.extend(node.on(Event::Due));
        for action in actions {
            said += usize::from(matches!(action, Action::Advertise(_)));
            announced += usize::from(action == Action::Announce);
        }
    }
    assert!((1..=12).contains(&said), "{said}");
    assert!(announced <= 4, "{announced}");
}

#[test]
fn a_master_that_stops_lets_go_before_it_says_so() {
    let mut node = Node::master(rule(100));
    let actions = node.on(Event::Stop);
    let ended = Action::Became(State::Master, State::Init, Why::Stopped);
    assert_eq!(actions, [Action::Release, Action::Advertise(0), ended]);
    assert_eq!(node.machine.due(), None);
    assert_eq!(Node::backup(rule(100)).on(Event::Stop).len(), 1);
}

#[test]
fn one_that_hands_over_keeps_the_addresses_and_is_silent() {
    let mut node = Node::master(rule(100));
    let actions = node.on(Event::HandOver);
    let ended = Action::Became(State::Master, State::Init, Why::HandedOver);
    assert_eq!(actions, [ended]);
    assert_eq!(node.on(heard(0, LOWER)), []);
}

#[test]
fn a_master_that_is_not_ready_leaves_and_says_so_from_then_on() {
    let mut node = Node::master(rule(150));
    let actions = node.on(Event::Ready(false));
    let yields = Action::Became(State::Master, State::Backup, Why::NotReady);
    assert_eq!(actions, [Action::Release, Action::Advertise(0), yields]);
    // Nobody else is there: better than nobody.
    let (_, actions) = node.wait();
    assert!(
        actions.contains(&Action::Advertise(NOT_READY)),
        "{actions:?}"
    );
    assert_eq!(node.on(Event::Ready(true)), []);
    assert!(node.wait().1.contains(&Action::Announce));
    node.now += INTERVAL;
    assert_eq!(node.on(Event::Due), [Action::Advertise(150)]);
}

#[test]
fn without_a_link_or_permission_it_takes_no_part() {
    let none = Event::Link(None);
    let back = Event::Link(Some(OWN.into()));
    for (event, why, again) in [
        (none, Why::Link, back),
        (Event::MayHold(false), Why::Fenced, Event::MayHold(true)),
    ] {
        let mut node = Node::master(rule(150));
        let actions = node.on(event);
        let left = Action::Became(State::Master, State::Fault, why);
        assert_eq!(actions, [Action::Release, Action::Advertise(0), left]);
        assert_eq!(node.machine.due(), None);
        assert_eq!(node.on(heard(100, LOWER)), []);
        let actions = node.on(again);
        let begun = Action::Became(State::Fault, State::Backup, Why::Begun);
        assert_eq!(actions, [begun]);
    }
}

#[test]
fn one_that_cannot_begin_says_so() {
    let mut machine = Machine::new(rule(100));
    let mut actions = Vec::new();
    machine.on(Event::Start { holding: true }, Duration::ZERO, &mut actions);
    let fault = Action::Became(State::Init, State::Fault, Why::Link);
    assert_eq!(actions, [fault]);
}

#[test]
fn a_master_that_slept_lets_go_before_anything_else() {
    for event in [Event::Due, heard(99, LOWER), Event::Ready(true)] {
        let mut node = Node::master(rule(150));
        node.now += INTERVAL * 5;
        let actions = node.on(event);
        let woke = Action::Became(State::Master, State::Backup, Why::Slept);
        assert_eq!(actions, [Action::Release, woke], "{event:?}");
    }
    // A little late is no sleep.
    let mut node = Node::master(rule(150));
    node.now += INTERVAL * 3;
    assert!(node.on(Event::Due).contains(&Action::Advertise(150)));
}

#[test]
fn a_backup_that_slept_listens_before_it_takes_over() {
    let mut node = Node::backup(rule(100));
    node.on(heard(150, HIGHER));
    node.now = node.machine.due().expect("a timer") + ASLEEP + INTERVAL;
    assert_eq!(node.on(Event::Due), []);
    let (waited, actions) = node.wait();
    assert_eq!(waited, INTERVAL * 3 + INTERVAL * 156 / 256);
    assert!(actions.contains(&Action::Hold));
    // Who was only held up is late enough.
    let mut node = Node::backup(rule(100));
    node.now = node.machine.due().expect("a timer") + INTERVAL * 4;
    assert!(node.on(Event::Due).contains(&Action::Hold));
}

#[test]
fn a_new_master_announces_several_times_and_then_is_quiet() {
    let mut node = Node::master(rule(150));
    let mut announced = 0;
    for _ in 0..100 {
        let (_, actions) = node.wait();
        announced += actions
            .iter()
            .filter(|one| **one == Action::Announce)
            .count();
    }
    assert_eq!(announced, ANNOUNCE_AFTER.len());
}

#[test]
fn advertisements_leave_in_time_however_late_each_timer_is() {
    let mut node = Node::master(rule(150));
    let began = node.now;
    let mut sent = 0;
    while node.now < began + INTERVAL * 50 {
        node.now = node.machine.due().expect("a timer") + INTERVAL / 4;
        sent += node
            .on(Event::Due)
            .iter()
            .filter(|one| matches!(one, Action::Advertise(_)))
            .count();
    }
    assert!((49..=51).contains(&sent), "{sent}");
}

/// A machine that was held up makes up for nothing.
#[test]
fn advertisements_that_are_late_do_not_leave_in_a_burst() {
    let mut node = Node::master(rule(150));
    node.now = node.machine.due().expect("a timer") + INTERVAL * 5 / 2;
    assert!(node.on(Event::Due).contains(&Action::Advertise(150)));
    assert_eq!(node.machine.due(), Some(node.now + INTERVAL / 2));
}

#[test]
fn whoever_ended_stays_ended_whatever_happens() {
    for end in [Event::Stop, Event::HandOver] {
        let mut node = Node::master(rule(150));
        node.on(end);
        for event in [
            Event::Link(None),
            Event::Link(Some(OWN.into())),
            Event::MayHold(false),
            Event::MayHold(true),
            heard(1, LOWER),
        ] {
            assert_eq!(node.on(event), [], "{end:?} {event:?}");
        }
        assert!(!node.machine.wants() && node.machine.due().is_none());
    }
}

/// Of a fence it is asked for before it may hold anything, and by nobody who has nothing to serve with.
#[test]
fn a_fence_is_wanted_by_who_is_ready_whether_it_may_or_not() {
    let mut node = Node::backup(rule(150));
    node.on(Event::MayHold(false));
    assert!(node.machine.wants());
    node.on(Event::Ready(false));
    assert!(!node.machine.wants());
    node.on(Event::Ready(true));
    node.on(Event::Link(None));
    assert!(!node.machine.wants());
}

#[test]
fn one_of_lower_priority_is_let_be_anew_after_a_better_one_or_a_break() {
    let preempt_delay = Duration::from_secs(2);
    let breaks: [&[Event]; 2] = [
        &[heard(150, HIGHER)],
        &[Event::Link(None), Event::Link(Some(OWN.into()))],
    ];
    for between in breaks {
        let mut node = Node::backup(Rule {
            preempt_delay,
            ..rule(100)
        });
        let hear_for = |node: &mut Node, time: Duration| {
            let until = node.now + time;
            while node.now < until && node.machine.state() == State::Backup {
                node.on(heard(99, LOWER));
                node.now += INTERVAL;
                node.on(Event::Due);
            }
        };
        hear_for(&mut node, preempt_delay - INTERVAL);
        for event in between {
            node.on(*event);
        }
        hear_for(&mut node, preempt_delay - INTERVAL);
        assert_eq!(node.machine.state(), State::Backup, "{between:?}");
        hear_for(&mut node, INTERVAL * 8);
        assert_eq!(node.machine.state(), State::Master, "{between:?}");
    }
}

/// RFC 9568 §6.4.3: a master that yields waits for as long as the other one says; without another it goes by its own interval.
#[test]
fn whose_interval_counts() {
    let slow = Event::Heard(Heard {
        source: HIGHER.into(),
        priority: 150,
        interval: INTERVAL * 10,
    });
    let mut node = Node::master(rule(100));
    node.on(slow);
    assert_eq!(node.wait().0, INTERVAL * 30 + INTERVAL * 1560 / 256);
    let mut node = Node::backup(rule(100));
    node.on(slow);
    node.on(Event::Link(None));
    node.on(Event::Link(Some(OWN.into())));
    assert_eq!(node.wait().0, INTERVAL * 3 + INTERVAL * 156 / 256);
}

#[test]
fn a_reload_counts_from_the_next_word_on() {
    let mut node = Node::master(rule(150));
    let interval = INTERVAL / 2;
    node.on(Event::Rule(Rule {
        interval,
        ..rule(200)
    }));
    assert!(node.wait().1.contains(&Action::Announce));
    while !node.wait().1.contains(&Action::Advertise(200)) {}
    assert!(node.machine.due().expect("a timer") <= node.now + interval);
}

#[test]
fn why_it_took_over_is_said() {
    let stories: [(&[Event], Why); 4] = [
        (&[], Why::Alone),
        (&[heard(150, HIGHER)], Why::Silence),
        (&[heard(150, HIGHER), heard(0, HIGHER)], Why::Left),
        (&[heard(99, LOWER)], Why::Lower),
    ];
    for (story, why) in stories {
        let mut node = Node::backup(rule(100));
        for event in story {
            node.on(*event);
        }
        let (_, actions) = node.wait();
        let took = Action::Became(State::Backup, State::Master, why);
        assert!(actions.contains(&took), "{story:?}: {actions:?}");
    }
}

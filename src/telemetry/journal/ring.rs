//! The last events, in order: at most so many, and at most so many bytes. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::Event;

/// See the module.
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    next: u64,
    /// Events that made room for others.
    dropped: u64,
    /// The newest of those.
    dropped_through: u64,
    moved: Moved,
    bounds: Bounds,
}

/// How far numbers of this run were moved up, when it turned out that an earlier run had as large ones: its clock was ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// The first number that was moved.
    from: u64,
    /// By so much.
    by: u64,
}

impl Moved {
    /// What a number is now that was given when `before` was the case.
    pub(super) fn since(self, before: Self, seq: u64) -> u64 {
        match self != before && seq >= self.from {
            true => seq.saturating_add(self.by),
            false => seq,
        }
    }
}

/// How much a ring keeps. One event is kept, however large.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

impl Ring {
    /// Empty; `next` is the number of the first event.
    pub(super) fn new(next: u64, bounds: Bounds) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            next,
            dropped: 0,
            dropped_through: 0,
            moved: Moved::default(),
            bounds,
        }
    }

    /// Gives the event its number, and returns it.
    pub(super) fn push(&mut self, mut event: Event) -> u64 {
        event.seq = self.next;
        self.next += 1;
        self.keep(event)
    }

    /// Puts events of an earlier run before those of this one, which go on behind them: with larger numbers, where the clock
    /// was set back since. Once.
    pub(super) fn restore(&mut self, earlier: Vec<Event>) {
        let own = std::mem::take(&mut self.events);
        self.bytes = 0;
        for event in earlier {
            let is_next = self.events.back().is_none_or(|last| last.seq < event.seq);
            if is_next {
                self.keep(event);
            }
        }
        let first = own.front().map_or(self.next, |first| first.seq);
        let by = self.last().saturating_add(1).saturating_sub(first);
        if by > 0 {
            self.moved = Moved { from: first, by };
            self.next = self.next.saturating_add(by);
        }
        for event in own {
            let mut event = Event::clone(&event);
            event.seq = event.seq.saturating_add(by);
            self.keep(event);
        }
    }

    pub(super) fn moved(&self) -> Moved {
        self.moved
    }

    fn keep(&mut self, event: Event) -> u64 {
        let seq = event.seq;
        self.bytes += event.size();
        self.events.push_back(Arc::new(event));
        while self.events.len() > 1
            && (self.events.len() > self.bounds.events || self.bytes > self.bounds.bytes)
        {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= oldest.size();
                self.dropped += 1;
                self.dropped_through = oldest.seq;
            }
        }
        seq
    }

    /// The newest number; 0 before the first event.
    pub(super) fn last(&self) -> u64 {
        self.events.back().map_or(0, |event| event.seq)
    }

    /// Those after this number, the oldest first. A number that is still to come is one of another run: then all.
    pub(super) fn after(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        let seq = if seq > self.last() { 0 } else { seq };
        let from = self.events.partition_point(|event| event.seq <= seq);
        self.events.range(from..)
    }

    /// How many after this number are kept no more.
    pub(super) fn lost(&self, after: u64) -> u64 {
        if after > self.last() {
            return 0;
        }
        self.dropped.min(self.dropped_through.saturating_sub(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::journal::event::Kind;
    use proptest::prelude::*;

    fn event(text: &str) -> Event {
        Event::info(Kind::Reload, text)
    }

    fn ring(next: u64, events: usize, bytes: usize) -> Ring {
        Ring::new(next, Bounds { events, bytes })
    }

    fn numbers(ring: &Ring, after: u64) -> Vec<u64> {
        ring.after(after).map(|event| event.seq).collect()
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut ring = ring(100, 3, 1 << 20);
        assert_eq!((ring.last(), ring.lost(0)), (0, 0));
        for _ in 0..5 {
            ring.push(event("x"));
        }
        assert_eq!(numbers(&ring, 0), [102, 103, 104]);
        assert_eq!(numbers(&ring, 103), [104]);
        assert_eq!(numbers(&ring, 104), Vec::<u64>::new());
        assert_eq!(
            [0, 100, 101, 102, 104].map(|after| ring.lost(after)),
            [2, 1, 0, 0, 0]
        );
    }

    #[test]
    fn a_number_of_another_run_gets_everything() {
        let mut ring = ring(1, 10, 1 << 20);
        ring.push(event("x"));
        assert_eq!((numbers(&ring, 5_000), ring.lost(5_000)), (vec![1], 0));
    }

    #[test]
    fn large_events_leave_room_for_fewer() {
        let mut ring = ring(1, 1_000, 16 * 1024);
        for _ in 0..100 {
            ring.push(event(&"x".repeat(1_000)));
            assert!(ring.bytes <= 16 * 1024);
        }
        let kept = numbers(&ring, 0).len();
        assert!((5..16).contains(&kept), "{kept}");
    }

    #[test]
    fn an_earlier_run_comes_before_and_numbers_go_on() {
        let mut earlier = ring(1, 10, 1 << 20);
        for _ in 0..3 {
            earlier.push(event("old"));
        }
        let old: Vec<Event> = earlier.after(0).map(|one| Event::clone(one)).collect();
        let mut ring = ring(1, 10, 1 << 20);
        ring.restore(old.clone());
        assert_eq!(ring.push(event("new")), 4);
        assert_eq!(numbers(&ring, 0), [1, 2, 3, 4]);
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_event() {
        let mut earlier = ring(1_000, 10, 1 << 20);
        let mut own = ring(500, 10, 1 << 20);
        for _ in 0..3 {
            earlier.push(event("old"));
            own.push(event("new"));
        }
        let old = earlier.after(0).map(|one| Event::clone(one)).collect();
        let before = own.moved();
        own.restore(old);
        assert_eq!(numbers(&own, 0), [1000, 1001, 1002, 1003, 1004, 1005]);
        assert_eq!(own.push(event("new")), 1006);
        assert_eq!(own.moved().since(before, 502), 1005);
        assert_eq!(own.moved().since(own.moved(), 1003), 1003);
        let texts = own.after(0).map(|one| one.text.as_str());
        assert_eq!(texts.filter(|text| *text == "old").count(), 3);
    }

    proptest! {
        /// Whoever looks now and then sees each event once, or is told of it as lost.
        #[test]
        fn seen_and_lost_are_all_there_was(bursts in prop::collection::vec(0usize..9, 1..40), events in 1usize..6) {
            let mut ring = ring(17, events, 1 << 20);
            let (mut after, mut seen, mut lost, mut told) = (0, 0, 0, 0);
            for burst in bursts {
                for _ in 0..burst {
                    ring.push(event("x"));
                    told += 1;
                }
                lost += ring.lost(after);
                for event in ring.after(after) {
                    prop_assert!(event.seq > after);
                    after = event.seq;
                    seen += 1;
                }
            }
            prop_assert_eq!(seen + lost, told);
        }
    }
}

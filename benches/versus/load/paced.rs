//! Small requests at a fixed rate. A request that cannot go out when it is due waits its turn, and
//! its latency counts from when it was due: a stall is felt by all that it delays, not by one.

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::Load;
use crate::histogram::Tally;
use crate::link::{Link, SMALL, SMALL_ANSWER, Watch};

pub(crate) fn run(load: &Load, rate: f64) -> Result<(), Box<dyn Error>> {
    let pace = Duration::from_secs_f64(1.0 / rate);
    let mut watch = Watch::new()?;
    let mut links = Vec::with_capacity(load.connections);
    for index in 0..load.connections {
        let link = Link::open(load.target)?;
        link.no_delay()?;
        watch.link(&link, index)?;
        links.push(link);
    }
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let tick = Timespec::try_from(pace)?;
    timerfd_settime(
        &timer,
        TimerfdTimerFlags::empty(),
        &Itimerspec {
            it_interval: tick,
            it_value: tick,
        },
    )?;
    watch.add(&timer, load.connections)?;

    let mut idle: Vec<usize> = (0..load.connections).collect();
    let mut due: VecDeque<Instant> = VecDeque::new();
    let mut tally = Tally::new();
    let (mut ready, mut room) = (Vec::with_capacity(256), [0; 256]);
    let begin = Instant::now();
    let (from, until) = (
        begin + load.warmup(),
        begin + load.warmup() + load.seconds(),
    );
    let mut next = begin + pace;
    let mut now = begin;
    while now < until {
        watch.ready(&mut ready)?;
        now = Instant::now();
        for index in &ready {
            if *index == load.connections {
                rustix::io::read(&timer, &mut room)?;
            } else if links[*index].hear(&mut room)? {
                let end = Instant::now();
                tally.total += 1;
                if links[*index].asked() >= from {
                    tally.measured += 1;
                    tally.latency.add(end - links[*index].asked());
                }
                idle.push(*index);
            }
        }
        while next <= now {
            due.push_back(next);
            next += pace;
        }
        while let (Some(when), Some(index)) = (due.front(), idle.last()) {
            links[*index].ask(SMALL, SMALL_ANSWER, *when)?;
            idle.pop();
            due.pop_front();
        }
    }
    // Those still waiting are late by at least so much: leaving them out would flatter a stall.
    for when in due.iter().filter(|when| **when >= from) {
        tally.latency.add(now.saturating_duration_since(*when));
    }
    tally.took = now.saturating_duration_since(from);
    tally.print();
    Ok(())
}

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
use crate::histogram::Counters;
use crate::link::{Link, SMALL, SMALL_ANSWER, Watch};

pub(crate) fn run(load: &Load, rate: f64) -> Result<(), Box<dyn Error>> {
    let mut links = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        links.push(Link::open(load.target)?);
    }
    let mut counters = Counters::new();
    let begin = Instant::now();
    let from = begin + load.warmup();
    let until = from + load.seconds();
    let late = keep(
        &mut links,
        rate,
        |due, took| {
            counters.total += 1;
            if due >= from {
                counters.measured += 1;
                counters.latency.add(took);
            }
        },
        |now| now < until,
    )?;
    // Those still waiting are late by at least so much: leaving them out would flatter a stall.
    for (due, so_far) in late {
        if due >= from {
            counters.latency.add(so_far);
        }
    }
    counters.took = from.elapsed();
    counters.print();
    Ok(())
}

/// Asks over these links for as long as `go_on`; tells of each answer when it was due and how long it took, and returns
/// the same of those that were still waiting to be asked.
pub(crate) fn keep(
    links: &mut [Link],
    rate: f64,
    mut told: impl FnMut(Instant, Duration),
    go_on: impl Fn(Instant) -> bool,
) -> Result<Vec<(Instant, Duration)>, Box<dyn Error>> {
    let pace = Duration::from_secs_f64(1.0 / rate);
    let mut watch = Watch::new()?;
    for (index, link) in links.iter().enumerate() {
        link.no_delay()?;
        watch.link(link, index)?;
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
    watch.add(&timer, links.len())?;

    let mut idle: Vec<usize> = (0..links.len()).collect();
    let mut due: VecDeque<Instant> = VecDeque::new();
    let (mut ready, mut room) = (Vec::with_capacity(256), [0; 256]);
    let mut now = Instant::now();
    let mut next = now + pace;
    while go_on(now) {
        watch.ready(&mut ready)?;
        now = Instant::now();
        for index in &ready {
            if *index == links.len() {
                rustix::io::read(&timer, &mut room)?;
            } else if links[*index].hear(&mut room)? {
                told(links[*index].asked(), links[*index].asked().elapsed());
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
    Ok(due.iter().map(|when| (*when, now - *when)).collect())
}

//! A new connection for every request: the burst after a failover. The client ends first.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Instant;

use crate::Load;
use crate::histogram::Counters;
use crate::link::{Link, SMALL, SMALL_ANSWER, Watch};

pub(crate) fn run(load: &Load) -> Result<(), Box<dyn Error>> {
    let mut watch = Watch::new()?;
    let mut links = Vec::with_capacity(load.connections);
    for index in 0..load.connections {
        links.push(begin(load.target, &watch, index)?);
    }
    let mut counters = Counters::new();
    let mut ready = Vec::with_capacity(256);
    let mut room = [0; 256];
    let start = Instant::now();
    let (from, until) = (
        start + load.warmup(),
        start + load.warmup() + load.seconds(),
    );
    let mut now = start;
    while now < until && (load.count == 0 || counters.total < load.count) {
        watch.ready(&mut ready)?;
        for index in &ready {
            let whole = links[*index].hear(&mut room);
            if matches!(whole, Ok(false)) {
                continue;
            }
            now = Instant::now();
            counters.total += 1;
            counters.failed += u64::from(whole.is_err());
            if now >= from {
                counters.measured += 1;
                counters.latency.add(now - links[*index].asked());
            }
            links[*index] = begin(load.target, &watch, *index)?;
        }
        if ready.is_empty() {
            now = Instant::now();
        }
    }
    counters.took = now.saturating_duration_since(from);
    counters.print();
    Ok(())
}

/// Connects and asks; the clock starts before the connect. What stood at `index` closes.
pub(crate) fn begin(
    target: SocketAddr,
    watch: &Watch,
    index: usize,
) -> Result<Link, Box<dyn Error>> {
    let now = Instant::now();
    let mut link = Link::open(target)?;
    link.ask(SMALL, SMALL_ANSWER, now)?;
    watch.link(&link, index)?;
    Ok(link)
}

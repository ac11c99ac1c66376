//! Those who have heard come back at once, each with a request, until each has an answer.

use std::error::Error;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::fd::OwnedFd;

use crate::fresh::begin;
use crate::link::{Link, PATIENCE, Watch};

/// the name of the wake-up in the set that is watched.
const WAKEUP: usize = usize::MAX;

pub(super) struct Again(JoinHandle<Result<Served, String>>);

/// When the last answer was there, and how many connections that took.
pub(super) struct Served {
    pub(super) at: Instant,
    pub(super) tries: usize,
}

impl Again {
    /// `all` will come, so many at a time as `wakeup` counts.
    pub(super) fn begin(target: SocketAddr, all: usize, wakeup: OwnedFd) -> Self {
        Self(thread::spawn(move || {
            serve(target, all, &wakeup).map_err(|error| error.to_string())
        }))
    }

    pub(super) fn end(self) -> Result<Served, Box<dyn Error>> {
        Ok(self.0.join().map_err(|_| "who comes back panicked")??)
    }
}

fn serve(target: SocketAddr, all: usize, wakeup: &OwnedFd) -> Result<Served, Box<dyn Error>> {
    let mut watch = Watch::new()?;
    watch.add(wakeup, WAKEUP)?;
    let mut links: Vec<Link> = Vec::with_capacity(all);
    let (mut served, mut tries) = (0, 0);
    let mut at = Instant::now();
    let end = at + 2 * PATIENCE;
    let (mut ready, mut room) = (Vec::with_capacity(256), [0; 256]);
    while served < all {
        watch.ready(&mut ready)?;
        for index in &ready {
            if *index == WAKEUP {
                for _ in 0..count(wakeup)? {
                    links.push(begin(target, &watch, links.len())?);
                    tries += 1;
                }
                continue;
            }
            match links[*index].hear(&mut room) {
                Ok(true) => served += 1,
                Ok(false) => {}
                Err(_) => {
                    links[*index] = begin(target, &watch, *index)?;
                    tries += 1;
                }
            }
        }
        at = Instant::now();
        if at > end {
            return Err(format!("{} clients were not served again", all - served).into());
        }
    }
    Ok(Served { at, tries })
}

fn count(wakeup: &OwnedFd) -> Result<u64, Box<dyn Error>> {
    let mut count = [0; 8];
    rustix::io::read(wakeup, &mut count)?;
    Ok(u64::from_ne_bytes(count))
}

//! A server dies under thousands of open sessions: when has the last of its clients heard, when are all of them served
//! again, and how long do the others wait meanwhile?
//!
//! Three threads, so that none of the three figures waits for another: this one hears, one comes back, one goes on
//! asking over sessions of the servers that live.

mod again;
mod others;

use std::error::Error;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use self::again::Again;
use self::others::Others;
use crate::link::{Link, PATIENCE, Watch};

const OPENERS: usize = 4;
/// Sessions that go on asking.
const OTHERS: usize = 60;
/// How long they do so before the server dies.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Recover {
    /// Whom to ask.
    target: SocketAddr,
    /// Sessions open when the server dies.
    #[arg(long)]
    sessions: usize,
    /// Process of the server that dies.
    #[arg(long)]
    victim: i32,
    /// The letter of its answers.
    #[arg(long)]
    mark: char,
    /// Requests per second of the others.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
}

/// What the clients of the dead server saw, and when the last of them did.
struct Heard {
    at: Instant,
    ends: usize,
    resets: usize,
}

impl Recover {
    /// Prints how many sessions are open and how many of them will hear; the figures when all are served again.
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread of its own, which has nothing else to do"
    )]
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        let (victims, mut rest): (Vec<_>, Vec<_>) = self
            .open()?
            .into_iter()
            .partition(|(_, mark)| *mark == self.mark as u8);
        let victims: Vec<_> = victims.into_iter().map(|(link, _)| Some(link)).collect();
        let all = victims.len();
        println!("{}", json!({ "open": all + rest.len(), "victims": all }));
        if io::stdin().lock().lines().next().is_none() {
            return Ok(());
        }

        let talkers = rest.split_off(rest.len().saturating_sub(OTHERS));
        let others = Others::begin(
            talkers.into_iter().map(|(link, _)| link).collect(),
            self.rate,
        );
        thread::sleep(QUIET);
        let wakeup = eventfd(0, EventfdFlags::CLOEXEC)?;
        let coming = Again::begin(self.target, all, wakeup.try_clone()?);
        let death = Instant::now();
        let victim = Pid::from_raw(self.victim).ok_or("no such process")?;
        kill_process(victim, Signal::KILL)?;
        let heard = hear(victims, &wakeup)?;
        let again = coming.end()?;
        let others = others.end(death, again.at)?;
        let cut = rest.iter().filter(|(link, _)| !link.is_silent()).count();
        let line = json!({
            "heard_ms": millis(heard.at - death),
            "served_ms": millis(again.at - death),
            "ends": heard.ends,
            "resets": heard.resets,
            "tries": again.tries,
            "quiet_us": others.before.quantile(0.99),
            "p99_us": others.meanwhile.quantile(0.99),
            "failed": cut,
        });
        println!("{line}");
        Ok(())
    }

    fn open(&self) -> Result<Vec<(Link, u8)>, Box<dyn Error>> {
        let (target, sessions) = (self.target, self.sessions);
        let openers: Vec<_> = (0..OPENERS)
            .map(|part| sessions / OPENERS + usize::from(part < sessions % OPENERS))
            .map(|share| {
                thread::spawn(move || -> io::Result<Vec<(Link, u8)>> {
                    (0..share).map(|_| Link::meet(target)).collect()
                })
            })
            .collect();
        let mut open = Vec::with_capacity(sessions);
        for opener in openers {
            open.extend(opener.join().map_err(|_| "an opener panicked")??);
        }
        Ok(open)
    }
}

/// Waits until each of `links` has ended, and says so at `wakeup`.
fn hear(mut links: Vec<Option<Link>>, wakeup: &OwnedFd) -> Result<Heard, Box<dyn Error>> {
    let mut watch = Watch::new()?;
    for (index, link) in links.iter().enumerate() {
        link.iter().try_for_each(|link| watch.link(link, index))?;
    }
    let begin = Instant::now();
    let mut heard = Heard {
        at: begin,
        ends: 0,
        resets: 0,
    };
    let (mut ready, mut room) = (Vec::with_capacity(256), [0; 256]);
    while heard.ends + heard.resets < links.len() {
        watch.ready(&mut ready)?;
        heard.at = Instant::now();
        let before = heard.ends + heard.resets;
        for index in &ready {
            let told = links[*index].as_mut().map(|link| link.hear(&mut room));
            match told {
                Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => heard.ends += 1,
                Some(Err(_)) => heard.resets += 1,
                Some(Ok(_)) | None => continue,
            }
            links[*index] = None;
        }
        let more = (heard.ends + heard.resets - before) as u64;
        if more > 0 {
            rustix::io::write(wakeup, &more.to_ne_bytes())?;
        }
        if begin.elapsed() > PATIENCE {
            let silent = links.len() - heard.ends - heard.resets;
            return Err(format!("{silent} of {} clients have heard nothing", links.len()).into());
        }
    }
    Ok(heard)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

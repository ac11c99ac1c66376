//! What the demo tells on the terminal: a line for each event and for each few seconds of traffic.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::interval;

use crate::pool::{Order, Pool};

/// Tells events in their order. Cheap to clone.
#[derive(Clone)]
pub(super) struct Narrator(Arc<Shared>);

struct Shared {
    begun: Instant,
    /// Answers since the last summary, by pool and server.
    answers: Mutex<BTreeMap<&'static str, BTreeMap<String, u32>>>,
}

impl Narrator {
    /// From now on.
    pub(super) fn start() -> Self {
        Self(Arc::new(Shared {
            begun: Instant::now(),
            answers: Mutex::default(),
        }))
    }

    /// One line.
    pub(super) fn say(&self, event: &str) {
        let seconds = self.0.begun.elapsed().as_secs_f32();
        // A terminal that is gone is no reason to stop.
        let _ = writeln!(io::stdout(), "{seconds:7.1} s  {event}");
    }

    /// Counts an answer for the next summary.
    pub(super) fn answered(&self, pool: &'static str, server: &str) {
        let mut answers = self
            .0
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let servers = answers.entry(pool).or_default();
        *servers.entry(server.to_owned()).or_default() += 1;
    }

    /// Follows what the balancer thinks of its servers, and sums up the traffic.
    pub(super) async fn watch(self, pools: Vec<Arc<Pool>>) {
        let mut known = HashMap::new();
        let mut look = interval(LOOK);
        let mut next_summary = Instant::now() + SUMMARY;
        loop {
            look.tick().await;
            for pool in &pools {
                self.compare(pool, &mut known);
            }
            if Instant::now() >= next_summary {
                next_summary += SUMMARY;
                self.sum_up();
            }
        }
    }

    /// Tells of each server whose health or order is another than before.
    fn compare(&self, pool: &Pool, known: &mut HashMap<String, String>) {
        for member in pool.load().members() {
            let name = format!("{}/{}", pool.name(), member.plan.name);
            let state = match member.admin {
                Order::Ready => member.health.as_str().to_owned(),
                order => format!("{}, {} by order", member.health.as_str(), order.as_str()),
            };
            let before = known.insert(name.clone(), state.clone());
            if before.is_some_and(|before| before != state) {
                let why = match member.server.last_probe() {
                    Some(last) if last.reason != "ok" => format!(" ({})", last.reason),
                    _ => String::new(),
                };
                self.say(&format!("howdah: {name} is {state}{why}"));
            }
        }
    }

    fn sum_up(&self) {
        let mut answers = self
            .0
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from("answers:");
        for (pool, servers) in std::mem::take(&mut *answers) {
            let _ = write!(text, "  {pool}");
            for (server, count) in servers {
                let _ = write!(text, " {server} {count},");
            }
            text.truncate(text.trim_end_matches(',').len());
        }
        drop(answers);
        self.say(&text);
    }
}

/// How often the balancer's view is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How often the traffic is summed up.
const SUMMARY: Duration = Duration::from_secs(5);

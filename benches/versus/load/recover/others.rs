//! Sessions of the servers that live: they ask at a fixed rate, and should notice nothing.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::link::Link;
use crate::paced;

type Answers = Vec<(Instant, Duration)>;

pub(super) struct Others {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Result<Answers, String>>,
}

/// Latencies of requests that were due before the death, and from then until all were served again.
pub(super) struct Latencies {
    pub(super) before: Histogram,
    pub(super) meanwhile: Histogram,
}

impl Others {
    pub(super) fn begin(mut links: Vec<Link>, rate: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let asking = thread::spawn(move || {
            let mut answers = Answers::new();
            let go_on = |_| !told.load(Ordering::Relaxed);
            let late = paced::keep(
                &mut links,
                rate,
                |due, took| answers.push((due, took)),
                go_on,
            );
            answers.extend(late.map_err(|error| format!("a session of a living server: {error}"))?);
            Ok(answers)
        });
        Self { stop, asking }
    }

    pub(super) fn end(self, death: Instant, served: Instant) -> Result<Latencies, Box<dyn Error>> {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self.asking.join().map_err(|_| "the others panicked")??;
        let mut latencies = Latencies {
            before: Histogram::new(),
            meanwhile: Histogram::new(),
        };
        for (due, took) in answers {
            if due < death {
                latencies.before.add(took);
            } else if due <= served {
                latencies.meanwhile.add(took);
            }
        }
        Ok(latencies)
    }
}

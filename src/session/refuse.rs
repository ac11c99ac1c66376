//! What a client sees that may not enter: an end, a reset, or nothing for a while.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::config::SessionConfig;
use super::gone::gone;
use super::stream::Arrival;
use crate::plan::OnRefuse;

/// Does as the listener's `on_refuse` says. The session is over: what is held here counts under no bound but its own.
pub(super) fn turn_away(arrival: Arrival, config: &SessionConfig) {
    match config.plan.on_refuse {
        OnRefuse::Close => {}
        OnRefuse::Reset => {
            let _ = arrival.stream.set_zero_linger();
        }
        OnRefuse::Hold => {
            if let Some(place) = Held::enter() {
                let until = Instant::now() + config.plan.greet_timeout;
                tokio::spawn(hold(arrival.stream, until, place));
            }
        }
    }
}

/// Says nothing, reads nothing, and costs who floods us a connection of its own for the time.
async fn hold(stream: TcpStream, until: Instant, place: Held) {
    let _ = timeout_at(until, gone(&stream)).await;
    drop((stream, place));
}

/// One of a bounded number of clients that are held, over all listeners.
struct Held;

impl Held {
    fn enter() -> Option<Self> {
        let held = Self;
        let before = HELD.fetch_add(1, Ordering::Relaxed);
        (before < MOST_HELD).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

static HELD: AtomicU32 = AtomicU32::new(0);

/// A descriptor each: what comes beyond is closed.
const MOST_HELD: u32 = 1000;

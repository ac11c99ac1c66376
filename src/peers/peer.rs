//! The life of one peer: a connection, whoever makes it, and what is owed to the peer while there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::bond::Bond;
use super::dial::{Failed, dial};
use super::link::Link;
use super::reason::Closed;
use super::session::{End, Session};
use crate::base::caught::caught;
use crate::telemetry::journal::{Event, Kind};
use crate::wire::peers::hello::MINOR;

/// See the module.
pub(super) struct Peer {
    bond: Bond,
    /// What was said of it last.
    said: Option<Closed>,
}

impl Peer {
    pub(super) fn new(bond: Bond) -> Self {
        Self { bond, said: None }
    }

    /// Until the task is ended.
    pub(super) async fn run(mut self) {
        loop {
            if let Err(panic) = caught(self.live()).await {
                self.bond.mesh.metrics.panicked("peers");
                tracing::error!(peer = %self.bond.plan.name, panic, "a peer's task panicked, and begins again: report this");
                sleep(LONGEST).await;
            }
        }
    }

    async fn live(&mut self) {
        self.bond.follow();
        let mut pause = if self.is_first() {
            Duration::ZERO
        } else {
            SECOND.mul_f64(0.5 + fastrand::f64() / 2.0)
        };
        let (mut failures, mut minor) = (0_u32, MINOR);
        let mut next = None;
        loop {
            let link = match next.take() {
                Some(link) => Ok(link),
                None => self.meet(pause, minor).await,
            };
            let (why, detail) = match link {
                Ok(link) => {
                    let began = Instant::now();
                    let (end, following) = self.converse(link).await;
                    // One that ends as soon as it has begun, again and again, is no better than none.
                    let lasted = began.elapsed() >= LONGEST || following.is_some();
                    failures = if lasted {
                        0
                    } else {
                        failures.saturating_add(1)
                    };
                    next = following;
                    end
                }
                Err(failed) => {
                    failures = failures.saturating_add(1);
                    minor = if failed.0 == Closed::Version {
                        0
                    } else {
                        MINOR
                    };
                    failed
                }
            };
            self.told(why, &detail);
            pause = pause_after(failures).mul_f64(0.5 + fastrand::f64() / 2.0) + SHORTEST;
        }
    }

    /// Of two howdahs that connect to each other at once, the connection of the one counts whose name comes first.
    fn is_first(&self) -> bool {
        let setup = self.bond.mesh.setup.load();
        setup
            .as_ref()
            .is_some_and(|setup| setup.plan.name < self.bond.plan.name)
    }

    /// A connection that the peer makes, or one of ours, after a pause.
    async fn meet(&mut self, pause: Duration, minor: u32) -> Result<Link, Failed> {
        let is_first = self.is_first();
        let setup = self.bond.mesh.setup.load_full();
        let dialing = AtomicBool::new(false);
        let ours = async {
            sleep(pause).await;
            dialing.store(true, Ordering::Relaxed);
            match &setup {
                Some(setup) => dial(&self.bond.plan, setup, minor).await,
                None => std::future::pending().await,
            }
        };
        let mut ours = std::pin::pin!(ours);
        let mut theirs = None;
        loop {
            tokio::select! {
                biased;
                dialed = &mut ours => {
                    return match (dialed, theirs) {
                        (Err(_), Some(link)) => Ok(link),
                        (dialed, _) => dialed,
                    };
                }
                Some(link) = self.bond.incoming.recv() => {
                    if !(is_first && dialing.load(Ordering::Relaxed)) {
                        return Ok(link);
                    }
                    theirs = Some(link);
                }
            }
        }
    }

    async fn converse(&mut self, link: Link) -> End {
        let name = Arc::clone(&self.bond.plan.name);
        let incoming = link.incoming;
        tracing::info!(peer = %name, incoming, "peer connected");
        if self.said.take() != Some(Closed::Replaced) {
            let event = Event::info(Kind::Peer, format!("peer {name} is connected"));
            self.bond.mesh.metrics.journal().tell(event.to("connected"));
        }
        self.bond.follow();
        let end = Session::new(&mut self.bond, link.minor).run(link).await;
        self.bond.mesh.lesson().lost(&name, Instant::now());
        end
    }

    /// Says once what is wrong; the journal has it when it changes.
    fn told(&mut self, why: Closed, detail: &str) {
        self.bond.state.away(why, detail);
        if self.said == Some(why) {
            return;
        }
        self.said = Some(why);
        let (name, reason) = (&self.bond.plan.name, why.as_str());
        if why == Closed::Replaced {
            tracing::debug!(peer = %name, "the peer made a newer connection");
            return;
        }
        tracing::warn!(peer = %name, address = %self.bond.plan.address, reason, detail, "no connection to a peer: {}", why.hint());
        let text = format!("peer {name} is away: {}", why.hint());
        let event = Event::warning(Kind::Peer, text).reason(reason);
        self.bond.mesh.metrics.journal().tell(event.to("away"));
    }
}

/// Before the next attempt, where so many in a row have come to nothing: at most.
fn pause_after(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures);
    (SECOND / 4).saturating_mul(doubled).min(LONGEST)
}

const SECOND: Duration = Duration::from_secs(1);
/// Between two attempts.
const LONGEST: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::peers::session::tests::{bond, link, pool};
    use crate::plan::PeersPlan;
    use crate::wire::peers::{Hello, Status};

    fn set(bond: &Bond, name: &str) {
        let plan = PeersPlan {
            name: name.into(),
            bind: "127.0.0.1:0".parse().unwrap(),
            peers: vec![bond.plan.clone()],
            tls: None,
            tables: Vec::new(),
        };
        bond.mesh.set(Arc::new(plan), None);
    }

    #[tokio::test]
    async fn of_two_that_connect_at_once_the_first_by_name_is_one_and_the_same() {
        for (own, first) in [("lb-1", true), ("lb-3", false)] {
            let (bond, _links) = bond(&pool());
            set(&bond, own);
            assert_eq!(Peer::new(bond).is_first(), first, "{own} and lb-2");
        }
    }

    #[tokio::test]
    async fn why_a_peer_is_away_is_told_once_and_again_when_it_is_another_reason() {
        let (bond, _links) = bond(&pool());
        let journal = bond.mesh.metrics.journal().clone();
        let mut peer = Peer::new(bond);
        for why in [
            Closed::Unreachable,
            Closed::Unreachable,
            Closed::Tls,
            Closed::Tls,
            Closed::Unreachable,
        ] {
            peer.told(why, "");
        }
        assert_eq!(journal.newest(9, |_| true).events.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_while_it_is_asked_leaves_the_question_to_another() {
        let (bond, _links) = bond(&pool());
        let (link, other) = link();
        let mesh = Arc::clone(&bond.mesh);
        let mut peer = Peer::new(bond);
        let going = async {
            sleep(SECOND).await;
            assert!(
                !mesh.lesson().ask(&"lb-3".into(), Instant::now()),
                "lb-2 is asked"
            );
            drop(other);
        };
        let (((why, _), _), ()) = tokio::join!(peer.converse(link), going);
        assert!(why == Closed::Lost, "{why}");
        assert!(mesh.lesson().ask(&"lb-3".into(), Instant::now()));
    }

    /// HAProxy before 2.0 speaks version 2.0, and refuses 2.1.
    #[tokio::test]
    async fn an_older_peer_is_asked_again_in_its_own_version() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut bond, _links) = bond(&pool());
        bond.plan.address.port = listener.local_addr().unwrap().port();
        set(&bond, "lb-1");
        let task = tokio::spawn(Peer::new(bond).run());
        let older = async {
            for (minor, answer) in [(1, Status::Version), (0, Status::Success)] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut said = Vec::new();
                let hello = loop {
                    match Hello::decode(&said).unwrap() {
                        Some((hello, _)) => break hello,
                        None => assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0),
                    }
                };
                assert_eq!(hello.minor, minor);
                stream.write_all(&answer.encode()).await.unwrap();
            }
        };
        let asked = tokio::time::timeout(SECOND * 5, older).await;
        task.abort();
        asked.expect("in time");
    }

    #[test]
    fn pauses_grow_to_the_longest_and_stay_there_however_long_a_peer_is_away() {
        assert_eq!(pause_after(0), SECOND / 4);
        assert_eq!(pause_after(2), SECOND);
        for failures in [5, 66, 2_000, u32::MAX] {
            assert_eq!(pause_after(failures), LONGEST);
        }
    }
}

//! The session with ZooKeeper: mirrors what is below the path, and writes what is new.
//!
//! After each change, ours or another's, what is doubted is read again before anything is written: decisions are made on what
//! the ensemble says, never on what we remember to have done. So a znode whose creation was answered to nobody, because the
//! connection broke, is found again by its owner, which is our session.

mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::book::Key;
use super::latch;
use super::member::Member;
use super::mirror::Mirror;
use super::names::Names;
use super::register::Entry;
use super::shared::{Leaving, Shared};
use crate::telemetry::journal::{Event, Kind};
use crate::tls::connect::Connector;
use crate::wire::zookeeper::{NO_AUTH, SessionKey};
use crate::zookeeper::{Broken, Connection, Ensemble, Heard, Stream};

type Wire = Connection<Box<dyn Stream>>;

/// Why there is no session.
enum End {
    /// Another server may do better.
    Broken(Broken),
    /// None will.
    Denied(String),
    /// We left.
    Left,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// With the session.
    Ended,
    /// The session is the successor's.
    HandedOver,
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// See the module.
pub(super) struct Link<'a> {
    shared: &'a Shared,
    names: Names,
    mirror: Mirror,
    session: SessionKey,
    /// What is written of orders.
    written: BTreeMap<Key, (Entry, i32)>,
    /// What we said last of ourselves, without its beat; and when.
    said: Option<(Member, Instant)>,
    beat: u64,
    /// What of no use the log knows.
    told: BTreeSet<(String, String)>,
    /// Since when another has our name.
    rival: Option<Instant>,
    rival_told: bool,
    lost: Option<Instant>,
    /// How long the session lasts without us, as the ensemble has it.
    timeout: Duration,
}

impl<'a> Link<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let names = Names::below(&shared.plan.zookeeper.path);
        let folders = [&names.members, &names.orders, &names.latch, &names.vips];
        Self {
            mirror: Mirror::of(&folders, &names.orders),
            shared,
            session: SessionKey::default(),
            written: BTreeMap::new(),
            said: None,
            beat: 0,
            told: BTreeSet::new(),
            rival: None,
            rival_told: false,
            lost: None,
            timeout: shared.plan.session_timeout,
            names,
        }
    }

    /// One connection after the other, until we leave.
    pub(super) async fn run(&mut self) -> Left {
        let plan = &self.shared.plan;
        let tls = plan
            .zookeeper
            .tls
            .as_ref()
            .and_then(|tls| Connector::new(tls).ok());
        let mut ensemble = Ensemble::lasting(&plan.zookeeper, tls, plan.session_timeout);
        let mut leaving = self.shared.leaving.subscribe();
        tokio::select! {
            () = entered(self.shared) => self.take_up(&mut ensemble),
            () = asked(&mut leaving) => return self.end(),
        }
        loop {
            let connected = tokio::select! {
                // First: what is handed over is not taken up once more.
                biased;
                () = asked(&mut leaving) => break,
                connected = ensemble.connect() => connected,
            };
            let (who, broken) = match connected {
                Ok(member) => {
                    let who = member.address.to_string();
                    match self.attend(member.connection, &who, &mut ensemble).await {
                        End::Left => break,
                        End::Broken(broken) => (who, broken),
                        End::Denied(why) => {
                            self.alone(why);
                            sleep(DENIED).await;
                            continue;
                        }
                    }
                }
                Err((address, broken)) => (address.to_string(), broken),
            };
            ensemble.lost(&broken);
            if matches!(broken, Broken::Expired) {
                // What we held is another's.
                self.give_up();
                self.shared.state().session = (SessionKey::default(), 0);
            }
            tracing::debug!(server = %who, %broken, "no session with this ZooKeeper server");
            let lost = *self.lost.get_or_insert_with(Instant::now);
            let begins = self.beat == 0 && self.session.id == 0;
            let never = begins && self.shared.state().why.is_none();
            if ensemble.is_exhausted() && (lost.elapsed() >= GRACE || never) {
                self.alone(format!("{who}: {broken}"));
            }
        }
        self.end()
    }

    /// What a predecessor has handed over, if any.
    fn take_up(&mut self, ensemble: &mut Ensemble<'_>) {
        let (session, zxid) = self.shared.state().session;
        if session.id != 0 {
            self.session = session;
            ensemble.take_up(session, zxid);
        }
    }

    fn end(&self) -> Left {
        let left = match self.shared.is_handing_over() {
            true => Left::HandedOver,
            false => Left::Ended,
        };
        if left == Left::Ended {
            self.give_up();
        }
        self.shared.leaving.send_replace(Leaving::Done);
        left
    }

    async fn attend(&mut self, mut wire: Wire, who: &str, ensemble: &mut Ensemble<'_>) -> End {
        let mut leaving = self.shared.leaving.subscribe();
        self.session = wire.key();
        self.shared.state().session = (wire.key(), wire.zxid());
        self.timeout = wire.timeout();
        // A connection proves something by a change alone.
        self.said = None;
        self.mirror.doubt_all();
        loop {
            match self.exchange(&mut wire).await {
                Ok(()) => {}
                Err(end) => return end,
            }
            ensemble.of_use(wire.zxid());
            self.shared.state().session.1 = wire.zxid();
            self.connected(who);
            self.renew(&wire);
            tokio::select! {
                heard = wire.hear() => match heard {
                    Ok(Heard::Changed(paths)) => paths.iter().for_each(|path| self.mirror.doubt(path)),
                    Ok(Heard::Nothing) => {}
                    Err(broken) => return broken.into(),
                },
                () = self.shared.outgoing.notified() => {}
                () = sleep_until(self.due()) => {}
                () = asked(&mut leaving) => {
                    if !self.shared.is_handing_over() {
                        // Before the others can hear of it.
                        self.give_up();
                        wire.close().await;
                    }
                    return End::Left;
                }
            }
        }
    }

    /// Reads what is doubted and writes what is new, until neither is left.
    async fn exchange(&mut self, wire: &mut Wire) -> Result<(), End> {
        for _ in 0..ROUNDS {
            if self.shared.is_handing_over() {
                return Err(End::Left);
            }
            self.read(wire).await?;
            self.absorb();
            self.renew(wire);
            if !self.write(wire).await? {
                return Ok(());
            }
        }
        // Others write all the time: the next tick goes on.
        Ok(())
    }

    /// Leases last from what the ensemble has agreed to last.
    fn renew(&self, wire: &Wire) {
        let until = wire.proven().map(|proven| proven + wire.timeout() * 2 / 3);
        let first = latch::first(self.mirror.below(&self.names.latch));
        let leads =
            first.is_some_and(|first| first.owner == self.session.id) && self.rival.is_none();
        if !leads {
            self.shared.lead.give_up();
        }
        if let Some(until) = until {
            self.shared.alive.renew(until);
            if leads {
                self.shared.lead.renew(until);
            }
        }
        self.shared.clock.notify_one();
    }

    fn give_up(&self) {
        self.shared.alive.give_up();
        self.shared.lead.give_up();
        let mut state = self.shared.state();
        state
            .fences
            .values_mut()
            .for_each(|latch| latch.held = false);
        state.came = None;
        drop(state);
        self.shared.clock.notify_one();
    }

    /// When we write of ourselves next.
    fn due(&self) -> Instant {
        let said = self.said.as_ref().map_or_else(Instant::now, |(_, at)| *at);
        said + self.change_every()
    }

    /// In any case, so often.
    fn beat_every(&self) -> Duration {
        BEAT.min(self.timeout / 6)
    }

    /// Where something is another, so often.
    fn change_every(&self) -> Duration {
        CHANGE.min(self.timeout / 6)
    }

    fn connected(&mut self, who: &str) {
        let mut state = self.shared.state();
        if state.connected.as_deref() == Some(who) {
            return;
        }
        let news = state.connected.is_none();
        if news {
            state.since = SystemTime::now();
        }
        state.connected = Some(who.to_owned());
        state.why = None;
        drop(state);
        if news {
            let lost = self.lost.take();
            self.shared.metrics.cluster_connected(true);
            tracing::info!(server = %who, "a session with ZooKeeper");
            let event = Event::info(Kind::Cluster, format!("a session with ZooKeeper at {who}"));
            let event = event
                .to("connected")
                .lasted(lost.map(|lost| lost.elapsed()));
            self.shared.metrics.journal().tell(event);
        }
        self.lost = None;
    }

    fn alone(&self, why: String) {
        let mut state = self.shared.state();
        let news = state.connected.take().is_some() || state.why.is_none();
        if news {
            state.since = SystemTime::now();
        }
        state.why = Some(why.clone());
        drop(state);
        if news {
            self.shared.metrics.cluster_connected(false);
            tracing::warn!(
                why,
                "no session with ZooKeeper: goes on alone with what was known last"
            );
            let text =
                format!("no session with ZooKeeper, goes on alone with what was known last: {why}");
            self.shared
                .metrics
                .journal()
                .tell(Event::warning(Kind::Cluster, text).to("alone"));
        }
    }
}

/// Until somebody wants us to leave.
async fn asked(leaving: &mut watch::Receiver<Leaving>) {
    let wanted = [Leaving::Asked, Leaving::HandingOver];
    // Its sender lives as long as we do.
    let _ = leaving.wait_for(|leaving| wanted.contains(leaving)).await;
}

/// Until no predecessor has our place.
async fn entered(shared: &Shared) {
    let mut entered = shared.entered.subscribe();
    // Its sender lives as long as we do.
    let _ = entered.wait_for(|entered| *entered).await;
}

fn denied(path: &str, code: i32) -> End {
    match code {
        NO_AUTH => End::Denied(format!(
            "{path} is not ours to read and write: its ACL wants another login"
        )),
        code => End::Broken(Broken::Code(code)),
    }
}

/// Without a session for so long, it is told.
const GRACE: Duration = Duration::from_secs(1);
/// Before the next try where no server will do better.
const DENIED: Duration = Duration::from_secs(5);
/// Of what is said of ourselves.
const BEAT: Duration = Duration::from_secs(2);
/// Of what is said of ourselves, where it is another.
const CHANGE: Duration = Duration::from_secs(1);
/// Of reading and writing, before the next wait.
const ROUNDS: usize = 16;

#[cfg(test)]
mod tests;

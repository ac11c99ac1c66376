//! Stage 7: bytes both ways until both sides have ended.
//!
//! Two [`Flow`]s, one a direction, are pumped by one task whenever a socket is ready. Promises:
//!
//! * A half-close is passed on exactly: the end of one side's stream is told to the other after its last byte,
//!   and the opposite flow goes on.
//! * A fault of one side reaches the other as soon as the kernel tells of it, as a reset, after all that had
//!   arrived: a cut answer never looks like a whole one (see [`parting`]).
//! * Back-pressure is the kernel's: what one side has not taken is not read from the other, but for one buffer.
//! * A silent session holds no buffer and no pipe: bytes pass through the worker's own (see [`super::scratch`]).
//! * One timer a session. It is not moved by every byte; when it fires it looks at when the last byte was.

mod flow;
mod parting;
mod pipe;
mod turn;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use self::flow::{Broken, Flow};
use self::parting::{Parting, part};
pub use self::pipe::MOST as PIPES_A_WORKER;
use self::turn::Turn;
use super::config::SessionConfig;
use super::end::{Reason, Stage};
use super::outcome::Outcome;
use super::registry::Place;
use super::side::Side;
use crate::base::keepalive;
use crate::plan::Timeouts;

/// A session that lives this long gets keepalive on its server's side; most short ones never pay for it.
/// (The client's side inherits it from the listening socket.)
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);

/// A session without a byte for so long is silent: what ends it then cuts nothing. An answer may pause, so a shorter
/// silence is not believed.
const SILENCE: Duration = Duration::from_secs(1);

/// The counters of a session that lasts are brought up to date after so many bytes, not only at its end.
const TELL_EVERY: u64 = 1 << 20;

/// Carries `head`, then all else, between `client` and `server`; returns why it ended.
///
/// Not cancel-safe: what is under way when it is dropped is lost, as both sockets are.
pub(super) fn relay<'a, C: Side, S: Side>(
    mut client: C,
    server: S,
    head: Vec<u8>,
    config: &'a SessionConfig,
    place: &'a Place,
) -> Pin<Box<dyn Future<Output = Reason> + Send + 'a>> {
    client.defer_control_records();
    place.reach(Stage::Relay);
    let (dialled, plan) = place.note(|outcome| {
        let lease = outcome.hold.lease();
        (outcome.dialled, lease.map(|lease| Arc::clone(lease.plan())))
    });
    let now = Instant::now();
    let mut relay = Relay {
        client,
        server,
        turn: Turn::begun(dialled, !head.is_empty()),
        up: Flow::new(config.relay, head),
        down: Flow::new(config.relay, Vec::new()),
        first_end: None,
        last_event: now,
        told: (0, 0),
        kept_alive: false,
        watch: None,
    };
    Box::pin(async move {
        let Some(plan) = plan else {
            return Reason::Internal;
        };
        let timeouts = &plan.timeouts;
        let first_look = timeouts
            .idle
            .min(KEEPALIVE_AFTER)
            .min(timeouts.keepalive / 2);
        let mut timer = pin!(sleep_until(now + first_look));
        let reason = poll_fn(|cx| {
            if let Some(reason) = place.poll_cut(cx) {
                return Poll::Ready(reason);
            }
            if let Poll::Ready(reason) = relay.poll(cx, place) {
                return Poll::Ready(reason);
            }
            if relay.bytes() - relay.told.0 - relay.told.1 >= TELL_EVERY {
                relay.tell(config, place);
            }
            relay.poll_timer(cx, timer.as_mut(), timeouts)
        })
        .await;
        relay.tell(config, place);
        let (to_client, to_server) = relay.partings(reason);
        part(&mut relay.server, to_server).await;
        part(&mut relay.client, to_client).await;
        reason
    })
}

/// Waits for the kernel's word that a socket has broken.
type Watch = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn broken(tcp: Arc<TcpStream>) {
    // Fails only where the runtime ends, and the session with it.
    let _ = tcp.ready(Interest::ERROR).await;
}

struct Relay<C, S> {
    client: C,
    server: S,
    up: Flow,
    down: Flow,
    /// What the first side to end makes of the session's end.
    first_end: Option<Reason>,
    /// When a byte was moved last, or a side ended.
    last_event: Instant,
    turn: Turn,
    /// Bytes that the counters know of already: from the client, from the server.
    told: (u64, u64),
    kept_alive: bool,
    /// While one side has ended and the other has not.
    watch: Option<Watch>,
}

impl<C: Side, S: Side> Relay<C, S> {
    /// Brings the counters up to date.
    fn tell(&mut self, config: &SessionConfig, place: &Place) {
        let (up, down) = (self.up.bytes, self.down.bytes);
        let news = (up - self.told.0, down - self.told.1);
        config.metrics.bytes(news.0, news.1);
        place.note(|outcome| {
            if let Some(lease) = outcome.hold.lease() {
                lease.server().metrics().bytes(news.0, news.1);
            }
        });
        self.told = (up, down);
    }

    fn bytes(&self) -> u64 {
        self.up.bytes + self.down.bytes
    }

    /// Moves what can be moved; ready when both flows are over.
    fn poll(&mut self, cx: &mut Context<'_>, place: &Place) -> Poll<Reason> {
        let before = (self.up.bytes, self.down.bytes);
        let ended = self.ended();
        // A fault of one flow changes what the other is to do, which nothing would wake it for.
        while self.pump(cx) {}
        self.poll_watch(cx);
        let moved = before != (self.up.bytes, self.down.bytes);
        if moved || ended != self.ended() {
            let now = Instant::now();
            self.last_event = now;
            place.active(now, |outcome| self.account_turn(before, now, outcome));
        }
        match (self.first_end, self.up.is_over() && self.down.is_over()) {
            (Some(reason), true) => Poll::Ready(reason),
            _ => Poll::Pending,
        }
    }

    /// Both flows once; true when one of them broke. What a fault of the first means for the second is known before
    /// the second reads: the kernel tells a fault once, and an end in order from then on.
    fn pump(&mut self, cx: &mut Context<'_>) -> bool {
        let (client, server) = (&mut self.client, &mut self.server);
        let up = self.up.pump(client, server, self.down.is_whole(), cx);
        let up = up.map_err(|broken| self.up_broken(&broken));
        let (client, server) = (&mut self.client, &mut self.server);
        let down = self.down.pump(server, client, self.up.is_whole(), cx);
        let down = down.map_err(|broken| self.down_broken(&broken));
        if self.up.has_ended() {
            self.first_end.get_or_insert(Reason::ClientClosed);
        }
        if self.down.has_ended() {
            self.first_end.get_or_insert(Reason::ServerClosed);
        }
        up.is_err() || down.is_err()
    }

    /// The flow from the client broke. Nothing more is wanted from a client that is gone, nor for it. A server that
    /// refuses more may have said something before: the other flow goes on to its end.
    fn up_broken(&mut self, broken: &Broken) {
        match broken {
            Broken::Read(error) => {
                self.first_end = Some(Reason::of_client(error));
                self.up.cut();
                self.down.cut();
            }
            Broken::Refused { surely } if *surely || self.down.has_ended() => self.up.cut(),
            Broken::Write | Broken::Refused { .. } => {
                self.first_end = Some(Reason::ServerReset);
                self.up.cut();
                self.down.doom();
            }
        }
    }

    /// The flow from the server broke: what had arrived still goes to the client. A client that takes no more may
    /// have sent something before it went (a CloseSession): the other flow goes on to its end.
    fn down_broken(&mut self, broken: &Broken) {
        if let Broken::Read(_) = broken {
            // An earlier end in order by the client does not make the server's break one.
            self.first_end = Some(Reason::ServerReset);
            self.up.cut();
            return self.down.break_off();
        }
        self.first_end = Some(Reason::ClientReset);
        self.down.cut();
        match broken {
            Broken::Refused { surely } if *surely || self.up.has_ended() => {}
            _ => self.up.doom(),
        }
    }

    /// A side that has ended is not read any more, but may still break: then nothing is wanted from the other either.
    fn poll_watch(&mut self, cx: &mut Context<'_>) {
        let (watched, reason) = match (self.up.is_over(), self.down.is_over()) {
            (true, false) => (self.client.tcp(), Reason::ClientReset),
            (false, true) => (self.server.tcp(), Reason::ServerReset),
            _ => return,
        };
        let watch = || -> Watch { Box::pin(broken(Arc::clone(watched))) };
        if (self.watch.get_or_insert_with(watch).as_mut())
            .poll(cx)
            .is_ready()
        {
            self.first_end = Some(reason);
            self.up.cut();
            self.down.cut();
        }
    }

    fn ended(&self) -> (bool, bool) {
        (self.up.has_ended(), self.down.has_ended())
    }

    /// What client and server are to see of an end for `reason`.
    fn partings(&self, reason: Reason) -> (Parting, Parting) {
        let in_order = self.cuts_nothing(reason);
        let of = |flow: &Flow| match flow.is_whole() {
            true => Parting::Told,
            false if in_order => Parting::InOrder,
            false => Parting::Reset,
        };
        let (to_client, to_server) = (of(&self.down), of(&self.up));
        match (to_client, reason) {
            // Whoever broke after its end in order cannot be answered; the other is to know.
            (_, Reason::ClientReset) => (Parting::Told, Parting::Reset),
            (Parting::Told, Reason::ServerReset) => (Parting::Reset, Parting::Told),
            (Parting::Reset, Reason::ServerReset) => (Parting::ResetAfterRest, Parting::Told),
            // It has been told by TLS's own alert, which a reset would overtake.
            (Parting::Reset, Reason::TlsFailed) => (Parting::Told, to_server),
            partings => (partings.0, to_server),
        }
    }

    /// Whether the session was silent, and is ended for no fault of a side.
    fn cuts_nothing(&self, reason: Reason) -> bool {
        let silence = match reason {
            Reason::IdleTimeout => Duration::ZERO,
            Reason::Drained | Reason::EndedByOrder | Reason::Shutdown => SILENCE,
            _ => return false,
        };
        let nothing_open = !self.up.is_loaded() && !self.down.is_loaded() && !self.turn.is_open();
        nothing_open && self.silent_for(silence)
    }

    /// Response time is what the server takes, turn by turn: bytes out to it until bytes back. What comes from the
    /// server in the same poll as a question is taken for its answer: a client asks when it has heard the last one.
    fn account_turn(&mut self, before: (u64, u64), now: Instant, outcome: &mut Outcome) {
        let meter = &mut outcome.meter;
        (meter.from_client, meter.from_server) = (self.up.bytes, self.down.bytes);
        if self.down.bytes == before.1 {
            if self.up.bytes != before.0 {
                self.turn.asked(now);
            }
        } else if let Some(took) = self.turn.answered(now) {
            let is_first = meter.first_byte.is_none();
            meter.first_byte.get_or_insert(took);
            if let Some(lease) = outcome.hold.lease() {
                lease.answered(took, now, is_first);
            }
        }
    }

    /// How much silence is borne in the present state.
    fn patience(&self, timeouts: &Timeouts) -> Duration {
        match self.ended() {
            _ if self.up.is_breaking() || self.down.is_breaking() => parting::PATIENCE,
            (false, false) => timeouts.idle,
            _ => timeouts.half_close.min(timeouts.idle),
        }
    }

    fn poll_timer(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        timeouts: &Timeouts,
    ) -> Poll<Reason> {
        loop {
            let patience = self.patience(timeouts);
            let look = match self.kept_alive {
                true => patience,
                false => patience.min(KEEPALIVE_AFTER).min(timeouts.keepalive / 2),
            };
            let due = self.last_event + look;
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if due > Instant::now() {
                timer.as_mut().reset(due);
                continue;
            }
            if !self.silent_for(patience) {
                self.keep_alive(timeouts.keepalive);
                continue;
            }
            return Poll::Ready(match self.ended() {
                (false, false) => Reason::IdleTimeout,
                _ => self.half_closed(),
            });
        }
    }

    fn silent_for(&self, limit: Duration) -> bool {
        self.last_event.elapsed() >= limit
    }

    /// What running out of patience means once one side has ended.
    fn half_closed(&self) -> Reason {
        match self.first_end {
            Some(reason @ (Reason::ServerReset | Reason::ClientReset)) => reason,
            _ => Reason::HalfCloseTimeout,
        }
    }

    /// Lets the kernel find out about a server that is gone without a word (and keeps firewalls awake).
    fn keep_alive(&mut self, patience: Duration) {
        self.kept_alive = true;
        // A socket that refuses is one that has just broken; the flows will say so.
        let _ = keepalive::set(self.server.tcp(), patience);
    }
}

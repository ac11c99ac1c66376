//! How to greet a SASL server so that its log stays empty.
//!
//! No greeting is silent on every Thrift. Up to 0.11 whatever ends before the login is an ERROR with a stack, and a
//! connection that ends after it is not mentioned. In 0.12 it is just the other way round (`TThreadPoolServer.WorkerProcess`
//! logs every `TException` of a call and swallows those of the login). From 0.13 on both are silent. Before the login a
//! server shows nothing of its version, so the first greeting is a login and one harmless call that tells; what it told
//! is kept in the [`ProbeMemory`]. Where only an unfinished login is silent, that first connection is kept as well and
//! stays idle: to end it would be the one ERROR that is avoided.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::link::Link;
use super::super::replica::Fresh;
use super::super::trace::{Answer, Asked, Trace};
use super::login::Login;
use super::negotiate::{log_in, refused};
use super::transport::{Transport, negotiation};
use crate::health::{Reason, Verdict};
use crate::wire::hive::Outcome;
use crate::wire::sasl::{self, Status};
use crate::wire::thrift::{Kind, Writer};

/// What earlier questions taught about one server. Kept by whoever asks it again; a fresh one knows nothing.
#[derive(Debug, Default)]
pub struct ProbeMemory {
    login_mode: LoginMode,
    /// Logged in and idle, for as long as `login_mode` is [`LoginMode::Start`] and one was needed to find that out.
    idle: Option<Link>,
    /// Logged in, for the next session of ours.
    seat: Option<Seat>,
    /// What the present link is to become.
    keep: Option<Keep>,
    /// Of a database that copies another: when its copy was known to be current.
    pub(in super::super) fresh: Fresh,
}

#[derive(Debug)]
enum Keep {
    /// It has been used up in finding out.
    Idle,
    Seat(Transport),
}

/// A connection past its login.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) link: Link,
    pub(super) transport: Transport,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LoginMode {
    /// Log in, and find out.
    #[default]
    Unknown,
    /// Log in: Thrift up to 0.11, and whatever did not tell.
    LogIn,
    /// Begin with this mechanism and end there: Thrift from 0.12 on, and every server that refuses the login, since a
    /// refusal is an error in every log.
    Start(&'static str),
}

/// The handshake as the whole question.
pub(super) async fn greet(
    link: &mut Link,
    trace: &mut Trace,
    transport: &mut Transport,
    login: Login<'_>,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    let asked = match (memory.login_mode, login) {
        (LoginMode::Start(mechanism), _) => start(link, trace, mechanism, login).await,
        // Nothing is known to be silent, and nobody can log in.
        (_, Login::NoTicket) => {
            let started = start(link, trace, login.mechanism(), login).await;
            started.map(Answer::logging_an_error)
        }
        (LoginMode::Unknown, _) => return first(link, transport, login, memory).await,
        (LoginMode::LogIn, _) => log_in(link, login, true).await.map(|_| Answer::up()),
    };
    asked.inspect_err(|answer| memory.doubt(answer))
}

async fn first(
    link: &mut Link,
    transport: &mut Transport,
    login: Login<'_>,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    match log_in(link, login, true).await {
        Ok(sealing) => {
            *transport = Transport::Sasl { sealing };
            memory.learn(generation(link, transport).await, login);
            Ok(Answer::up())
        }
        Err(answer) => Err(memory.learn_refusal(answer)),
    }
}

impl ProbeMemory {
    /// With a server of which it is known that a login is the silent form.
    pub(in super::super) fn of_login() -> Self {
        Self {
            login_mode: LoginMode::LogIn,
            ..Self::default()
        }
    }

    /// After the verdict: the link is parted from, unless it is worth keeping.
    pub(in super::super) fn keeps(&mut self, link: Link) -> Option<Link> {
        let Some(keep) = self.keep.take() else {
            return Some(link);
        };
        link.keep_alive();
        match keep {
            Keep::Idle => self.idle = Some(link),
            Keep::Seat(transport) => self.seat = Some(Seat { link, transport }),
        }
        None
    }

    /// The connection that is kept, to go on with.
    pub(super) fn take_seat(&mut self) -> Option<Seat> {
        self.seat.take()
    }

    /// The present connection is to be kept where its end would be an error in the server's log.
    pub(super) fn may_keep(&mut self, transport: Transport) {
        if let LoginMode::Start(_) = self.login_mode {
            self.keep = Some(Keep::Seat(transport));
        }
    }

    fn learn(&mut self, generation: Generation, login: Login<'_>) {
        match generation {
            Generation::Old => self.login_mode = LoginMode::LogIn,
            Generation::New => {
                self.login_mode = LoginMode::Start(login.mechanism());
                self.keep = Some(Keep::Idle);
            }
        }
    }

    /// From now on the question stops short of the refusal, and logs no error any more.
    fn learn_refusal(&mut self, answer: Answer) -> Answer {
        let mechanism = match answer.reason {
            Reason::UnsupportedMechanism => "GSSAPI",
            Reason::AccountNeeded => "PLAIN",
            _ => return answer,
        };
        if answer.verdict != Verdict::Up {
            return answer;
        }
        self.login_mode = LoginMode::Start(mechanism);
        Answer {
            logs_error: false,
            ..answer
        }
    }

    /// A server that was replaced may have another Thrift. One that is only slow is the same as before.
    pub(super) fn doubt(&mut self, answer: &Answer) {
        let same = matches!(
            answer.reason,
            Reason::Timeout | Reason::ConnectTimeout | Reason::Unusable
        );
        match self.login_mode {
            LoginMode::Start(_) if answer.reason == Reason::UnsupportedMechanism => {
                self.login_mode = LoginMode::LogIn;
            }
            _ if answer.verdict == Verdict::Down && !same => *self = Self::default(),
            _ => {}
        }
    }
}

/// START, silence, our FIN, the server's FIN: a thread has read the one and the other, and SASL is what it read.
async fn start(
    link: &mut Link,
    trace: &mut Trace,
    mechanism: &str,
    login: Login<'_>,
) -> Asked<Answer> {
    let mut message = Vec::with_capacity(16);
    sasl::put_message(&mut message, Status::Start, mechanism.as_bytes());
    link.send(&message).await?;
    let sent = Instant::now();
    match timeout(BEAT, link.more()).await {
        Err(_) => trace.discount(sent.elapsed()),
        Ok(heard) => {
            if !heard? {
                let text = "closed at once: no free thread, or another protocol";
                return Err(Answer::down(Reason::Closed, text));
            }
            return objection(link, login).await;
        }
    }
    link.shut().await;
    match link.more().await? {
        false => Ok(Answer::up()),
        true => objection(link, login).await,
    }
}

/// It ought to have been silent.
async fn objection(link: &mut Link, login: Login<'_>) -> Asked<Answer> {
    let (status, payload) = negotiation(link).await?;
    let text = String::from_utf8_lossy(&payload);
    Err(match status {
        Status::Bad => refused(&text, login, true).logging_an_error(),
        _ => Answer::down(Reason::NotSasl, &text),
    })
}

enum Generation {
    /// Up to 0.11, or it did not tell.
    Old,
    /// From 0.12 on.
    New,
}

/// A GetInfo without what it needs, and with a field of a type that does not exist. Thrift from 0.12 on stumbles over the
/// type, older ones over what is missing; both say so in a reply, run nothing and log nothing.
async fn generation(link: &mut Link, transport: &mut Transport) -> Generation {
    let mut writer = Writer::message(Kind::Call, "GetInfo", 0);
    writer.structure(1, |w| w.field_of_no_type(1));
    writer.stop();
    let message = writer.finish();
    let told = timeout(TELL, transport.exchange(link, &message)).await;
    let Ok(Ok(reply)) = told else {
        return Generation::Old;
    };
    match Outcome::decode(&reply) {
        Ok(Outcome::Failure(failure)) if failure.message.contains("Unrecognized type") => {
            Generation::New
        }
        _ => Generation::Old,
    }
}

/// A server without a free thread (Thrift from 0.14 on) closes within a round trip of the connect.
const BEAT: Duration = Duration::from_millis(40);

/// For the call that tells; a server that stays silent has made its login, which is all that was asked.
const TELL: Duration = Duration::from_millis(300);

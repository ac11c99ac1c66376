//! HiveServer2, as far as its plan says: the handshake, a session, a query.
//!
//! The handshake works without an account, and [`login_mode`] finds the form that leaves no trace in the server's log. Where a
//! login is refused, the refusal is still the word of a living server: the finding is up, and says that it
//! logs an error. Without the ticket that the plan wants to show, the handshake is all that is asked.

mod login;
mod login_mode;
mod negotiate;
mod options;
mod sealing;
mod session;
mod transport;

use self::login::Login;
pub use self::login_mode::ProbeMemory;
use self::login_mode::Seat;
pub(super) use self::sealing::{distrusted, moment};
pub(super) use self::session::Conversation;
use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::health::Reason;
use crate::plan::{Depth, HiveAuth, HiveTransport};

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    (depth, transport, auth): (Depth, &HiveTransport, &HiveAuth),
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    let login = Login::of(auth, &target.pass);
    if let Login::NoTicket = login {
        let asked = handshake(target, trace, link, transport, auth, memory).await;
        return asked.map(|answer| target.pass.without_ticket(answer));
    }
    if depth == Depth::Handshake {
        return handshake(target, trace, link, transport, auth, memory).await;
    }
    if let (Login::Ticket(_), HiveTransport::Binary) = (login, transport) {
        // What leaves no trace has to be found out first, and on a connection of its own, which that uses up.
        handshake(target, trace, link, transport, auth, memory).await?;
        part(trace, link, memory).await;
        if let Some(seat) = memory.take_seat() {
            match on_seat(trace, link, login, depth, memory, seat).await {
                Err(answer) if matches!(answer.reason, Reason::Closed | Reason::Reset) => {}
                asked => return asked,
            }
        }
        trace.step("connect");
    }
    let opened = Conversation::open(target, trace, link, transport, auth).await;
    let mut talk = opened.inspect_err(|answer| memory.doubt(answer))?;
    talk.log_in(trace).await?;
    session(talk, trace, depth, memory).await
}

async fn handshake(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    transport: &HiveTransport,
    auth: &HiveAuth,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    let known = Login::of(auth, &target.pass).is_known();
    if let (HiveTransport::Http { path }, false) = (transport, known) {
        if let Some(()) = options::takes_post(target, trace, link, path).await? {
            return Ok(Answer::up());
        }
        part(trace, link, memory).await;
        trace.step("connect");
    }
    let opened = Conversation::open(target, trace, link, transport, auth).await;
    let mut talk = opened.inspect_err(|answer| memory.doubt(answer))?;
    talk.greet(trace, memory).await
}

/// A connection that stays logged in spares the server the error that its end would be. Whether the server still takes
/// connections, a fresh one has said.
async fn on_seat(
    trace: &mut Trace,
    link: &mut Option<Link>,
    login: Login<'_>,
    depth: Depth,
    memory: &mut ProbeMemory,
    seat: Seat,
) -> Asked<Answer> {
    let link = link.insert(seat.link);
    let talk = Conversation::resume(link, seat.transport, login);
    session(talk, trace, depth, memory).await
}

async fn session(
    mut talk: Conversation<'_>,
    trace: &mut Trace,
    depth: Depth,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    let session = talk.open_session(trace).await?;
    let queried = match depth {
        Depth::Query => talk.query(trace, session).await,
        Depth::Handshake | Depth::Session => Ok(()),
    };
    let closed = talk.close_session(trace, session).await;
    queried.and(closed)?;
    if let Some(transport) = talk.worth_keeping() {
        memory.may_keep(transport);
    }
    Ok(Answer::up())
}

async fn part(trace: &Trace, link: &mut Option<Link>, memory: &mut ProbeMemory) {
    if let Some(link) = link.take().and_then(|link| memory.keeps(link)) {
        link.part(trace.deadline()).await;
    }
}

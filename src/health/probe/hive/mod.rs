//! HiveServer2, as far as its plan says: the handshake, a session, a query.
//!
//! The handshake works without an account, and [`login_mode`] finds the form that leaves no trace in the server's log. Where a
//! login is refused, the refusal is still the word of a living server: the finding is up, and says that it
//! logs an error.

mod login_mode;
mod options;
mod session;
mod transport;

pub use self::login_mode::ProbeMemory;
pub(super) use self::session::Conversation;

use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::plan::{Depth, HiveAuth, HiveTransport};

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    (depth, transport, auth): (Depth, &HiveTransport, &HiveAuth),
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    if let (Depth::Handshake, HiveTransport::Http { path }, None) =
        (depth, transport, transport::account_of(auth))
    {
        if let Some(()) = options::takes_post(target, trace, link, path).await? {
            return Ok(Answer::up());
        }
        if let Some(link) = link.take() {
            link.part(trace.deadline()).await;
        }
        trace.step("connect");
    }
    let opened = Conversation::open(target, trace, link, transport, auth).await;
    let mut talk = opened.inspect_err(|answer| memory.doubt(answer))?;
    if depth == Depth::Handshake {
        return talk.greet(trace, memory).await;
    }
    talk.log_in(trace).await?;
    let session = talk.open_session(trace).await?;
    let queried = match depth {
        Depth::Query => talk.query(trace, session).await,
        Depth::Handshake | Depth::Session => Ok(()),
    };
    let closed = talk.close_session(trace, session).await;
    queried.and(closed).map(|()| Answer::up())
}

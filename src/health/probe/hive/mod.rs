//! HiveServer2, as far as its plan says: the handshake, a session, a query.
//!
//! The handshake works without an account, and [`manner`] finds the form that leaves no trace in the server's log. Where a
//! login is refused, the refusal is still the word of a living server: it counts as up, and as loud, since it is logged.

mod door;
mod manner;
mod options;
mod session;

pub use self::manner::Rapport;
pub(super) use self::session::Conversation;

use super::link::{Link, Road};
use super::walk::{Answer, Asked, Walk};
use crate::plan::{Depth, HiveAuth, HiveTransport};

pub(super) async fn exchange(
    road: &Road<'_>,
    walk: &mut Walk,
    link: &mut Option<Link>,
    (depth, transport, auth): (Depth, &HiveTransport, &HiveAuth),
    rapport: &mut Rapport,
) -> Asked<Answer> {
    if let (Depth::Handshake, HiveTransport::Http { path }, None) =
        (depth, transport, door::account_of(auth))
    {
        if let Some(()) = options::takes_post(road, walk, link, path).await? {
            return Ok(Answer::up());
        }
        if let Some(link) = link.take() {
            link.part(walk.deadline()).await;
        }
        walk.step("connect");
    }
    let opened = Conversation::open(road, walk, link, transport, auth).await;
    let mut talk = opened.inspect_err(|answer| rapport.doubt(answer))?;
    if depth == Depth::Handshake {
        return talk.greet(walk, rapport).await;
    }
    talk.log_in(walk).await?;
    let session = talk.open_session(walk).await?;
    let queried = match depth {
        Depth::Query => talk.query(walk, session).await,
        Depth::Handshake | Depth::Session => Ok(()),
    };
    let closed = talk.close_session(walk, session).await;
    queried.and(closed).map(|()| Answer::up())
}

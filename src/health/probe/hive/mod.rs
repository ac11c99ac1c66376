//! HiveServer2, as far as its plan says: the handshake, a session, a query.
//!
//! The handshake works without an account and leaves no trace where the server lets anybody in. Where it does not, a
//! refusal is still the word of a living server: it counts as up, and as loud, since the server logs it.

mod door;
mod session;

pub(super) use self::session::Conversation;

use super::link::{Link, Road};
use super::walk::{Answer, Asked, Walk};
use crate::plan::{Depth, HiveAuth, HiveTransport};

pub(super) async fn exchange(
    road: &Road<'_>,
    walk: &mut Walk,
    link: &mut Option<Link>,
    (depth, transport, auth): (Depth, &HiveTransport, &HiveAuth),
) -> Asked<Answer> {
    let mut talk = Conversation::open(road, walk, link, transport, auth).await?;
    let shallow = depth == Depth::Handshake;
    let greeted = talk.greet(walk, shallow).await?;
    if shallow {
        return Ok(greeted);
    }
    let session = talk.open_session(walk).await?;
    let queried = match depth {
        Depth::Query => talk.query(walk, session).await,
        Depth::Handshake | Depth::Session => Ok(()),
    };
    let closed = talk.close_session(walk, session).await;
    queried.and(closed).map(|()| Answer::up())
}

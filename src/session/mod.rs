//! One connection, in the order it is lived.
//!
//! ```text
//! accept ─ admit ─ greet ─ route ─ choose ─ dial ─ announce ─ relay ─ account
//!          may it  who is   which   └──────── link ───────┘   bytes   one line,
//!          enter?  it?      pool?    a server, connected;     both    one Outcome
//!                                    else the next one        ways
//! ```
//!
//! [`serve`] calls the stages in that order; each consumes what the one before produced, so none can be left
//! out. A session lives on one worker from its first to its last poll. Every session, also one that a stage
//! refuses, ends in exactly one [`Outcome`], of which the log line and the counters are two views.
//!
//! What makes an idle session small: the stages before the relay run in a future of their own that is gone when
//! the relay begins, and the relay keeps no buffer while nothing flows.

mod account;
mod admit;
mod announce;
mod choose;
mod config;
pub mod datagram;
mod destination;
mod dial;
mod end;
pub mod ended;
mod gone;
mod greet;
pub mod lasting;
mod limit;
mod line;
mod link;
pub mod list;
pub mod listing;
pub mod listings;
mod meter;
mod outcome;
mod refuse;
pub mod registry;
mod relay;
mod route;
mod scratch;
mod side;
mod sources;
mod stream;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use self::account::account;
use self::admit::{admit, claim};
pub(crate) use self::admit::{entitled, is_proxy};
pub use self::config::SessionConfig;
pub use self::destination::{Destination, Switch};
use self::end::End;
pub use self::end::{Reason, Stage};
use self::greet::greet;
pub(crate) use self::limit::Exceeded;
pub use self::limit::Limit;
use self::link::link;
use self::outcome::Outcome;
use self::refuse::turn_away;
use self::registry::Place;
pub use self::relay::PIPES_A_WORKER;
use self::relay::relay;
use self::route::route;
pub use self::sources::Sources;
pub use self::stream::Arrival;
use self::stream::{ClientSide, Linked, ServerSide};
use crate::plan::Protocol;

/// The journey of one session. Never fails: how it ended goes into the account. `guard` is dropped at its end.
///
/// Not an `async fn`, and `arrival` in a box: what such a function takes, and what an `await` was given, keeps
/// its room in the future to the end, and this future is what every idle session weighs.
pub fn serve<G: Send>(
    arrival: Arrival,
    config: Arc<SessionConfig>,
    guard: G,
) -> impl Future<Output = ()> + Send {
    let place = Place::enter(Outcome::begin(arrival.id, arrival.peer));
    config.metrics.opened();
    let refused = enter(&config, &place).err();
    let arrival = Box::new(arrival);
    async move {
        let end = match refused {
            Some(end) => {
                turn_away(*arrival, &config);
                end
            }
            None => {
                let relay = prepare(arrival, &config, &place)
                    .await
                    .inspect(|_| lasting::begun(&config, &place))
                    .map(|linked| carry(linked, &config, &place));
                match relay {
                    Err(end) => end,
                    Ok(relay) => Stage::Relay.end(relay.await),
                }
            }
        };
        if let Some(outcome) = place.leave() {
            account(outcome, end, &config, Protocol::Tcp);
        }
        drop(guard);
    }
}

/// Stage 1. The bound of the client itself is for who is behind a proxy to claim, when that is known.
fn enter(config: &Arc<SessionConfig>, place: &Place) -> Result<(), End> {
    let (peer, now) = place.note(|outcome| (outcome.client.ip(), outcome.started));
    let admitted = admit(config, peer, now)?;
    if !is_proxy(&config.plan, peer) {
        let source = claim(config, peer, now)?;
        place.note(|outcome| outcome.source = source);
    }
    place.admit(admitted);
    Ok(())
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Stages 2 to 6, in a box of their own that is gone when the relay begins.
fn prepare<'a>(
    arrival: Box<Arrival>,
    config: &'a SessionConfig,
    place: &'a Place,
) -> Boxed<'a, Result<Linked, End>> {
    Box::pin(async move {
        let mut stages = pin!(async move {
            place.reach(Stage::Greet);
            let greeted = greet(*arrival, config, place).await?;
            let routed = route(greeted, config, place).await?;
            link(routed, place).await
        });
        poll_fn(|cx| match place.poll_cut(cx) {
            Some(reason) => Poll::Ready(Err(place.stage().end(reason))),
            None => stages.as_mut().poll(cx),
        })
        .await
    })
}

/// Stage 7: one relay for each pair of kinds, in a box of just its size, so that none pays for TLS it does not have.
fn carry<'a>(linked: Linked, config: &'a SessionConfig, place: &'a Place) -> Boxed<'a, Reason> {
    let Linked {
        client,
        server,
        head,
    } = linked;
    match (client, server) {
        (ClientSide::Plain(c), ServerSide::Plain(s)) => relay(c, s, head, config, place),
        (ClientSide::Tls(c), ServerSide::Plain(s)) => relay(c, s, head, config, place),
        (ClientSide::Plain(c), ServerSide::Tls(s)) => relay(c, s, head, config, place),
        (ClientSide::Tls(c), ServerSide::Tls(s)) => relay(c, s, head, config, place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle session keeps beside its two sockets and the box of its relay: its task, and its entry in the table.
    #[test]
    fn the_task_of_a_session_is_small() {
        let size = size_of_future(serve::<[u64; 2]>);
        let entry = registry::ENTRY;
        assert!(
            size <= 88 && entry <= 256,
            "{size} bytes and {entry} in the table"
        );
    }

    fn size_of_future<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
}

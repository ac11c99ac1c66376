//! The shared truth about a set of servers: one immutable snapshot, one keeper that writes it.
//!
//! Sessions on every worker [`choose`](Pool::choose) from the present [`Snapshot`] without waiting for
//! anybody. Everything that changes a pool is a [`Change`], sent to its [`Keeper`], which alone makes
//! snapshots. Who discovers servers or probes them is unknown here: they come with changes.
//!
//! Invariants: a session is counted on its server from the moment of choice until its [`Lease`] is dropped;
//! a server that leaves the snapshot lives on with its sessions; counters, health, orders and sticky entries
//! of what a reload did not change stay.

mod affinity;
mod change;
mod choose;
mod forecast;
mod freshness;
mod holder;
mod keeper;
mod lease;
mod line;
mod memory;
mod observed;
mod orders;
mod origin;
mod probes;
mod queue;
mod remember;
mod said;
mod server;
mod shared;
mod snapshot;
mod standing;
mod sticky;
#[cfg(test)]
mod tests;
mod weight;

pub use self::affinity::StickyEntry;
pub use self::change::{Change, Refused};
pub use self::choose::NoServer;
pub use self::forecast::Forecast;
pub use self::freshness::Freshness;
pub use self::keeper::Keeper;
pub use self::lease::{Lease, Pick};
pub use self::memory::{
    OrderMemo, Recall, RecallCount, Recalled, Remembered, StickyMemo, VerdictMemo, Who,
};
pub use self::observed::{DialFailure, Observed, Reach, SessionFault};
pub use self::origin::Origin;
pub use self::probes::{LastProbe, PastProbe};
pub use self::queue::Ticket;
pub use self::said::{LastLoad, Said};
pub use self::server::{Server, ServerId};
pub use self::shared::Pool;
pub use self::snapshot::{Fall, Loss, Member, Snapshot};
pub use self::standing::{Health, Order, Standing};
pub use self::sticky::{StickyChange, StickyFeed};
#[cfg(test)]
pub(crate) use self::tests::{plan_of, sticky_plan_of};

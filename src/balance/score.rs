//! What a balancer goes by at this moment, server by server, for people who ask.

/// One server on offer, as its balancer sees it now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Its place among the members of the snapshot.
    pub member: u32,
    /// With slow start and what it says of its own load.
    pub weight: u16,
    /// Of all weights on offer.
    pub share: f64,
    /// Now.
    pub sessions: u32,
    /// At once; `None` is unbounded.
    pub cap: Option<u32>,
    /// Whether it can take one more.
    pub room: Room,
    /// What the balancer compares.
    pub value: Value,
}

/// Whether a server can take one session more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It can.
    Free,
    /// It has as many as it may.
    Full,
    /// It had as many new ones in this second as it may.
    OverRate,
}

/// What a balancer compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Turns of others until its own; `None`: too far ahead to look.
    Turns(Option<u64>),
    /// Sessions with one more, over the weight: fewest first.
    PerWeight(f64),
    /// Expected wait in seconds: shortest first.
    Wait(f64),
    /// By lot, by weight.
    Lot,
    /// Place on the client's way around the ring, from 1; `None`: beyond where anybody looks.
    Ring {
        /// From 1.
        place: Option<usize>,
        /// It has more than its fair share already.
        over: bool,
    },
}

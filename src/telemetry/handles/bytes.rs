//! Bytes relayed, by direction.

use prometheus::{IntCounter, IntCounterVec};

use super::by_word::Family;

/// Both directions of one owner.
pub(super) struct Bytes {
    family: IntCounterVec,
    /// The values of the labels before the direction's.
    own: Box<[String]>,
    from_client: IntCounter,
    from_server: IntCounter,
}

impl Bytes {
    pub(super) fn new(family: &IntCounterVec, own: &[&str]) -> Self {
        let of = |direction| family.with_label_values(&with(own.iter().copied(), direction));
        Self {
            from_client: of(FROM_CLIENT),
            from_server: of(FROM_SERVER),
            family: family.clone(),
            own: own.iter().copied().map(str::to_owned).collect(),
        }
    }

    pub(super) fn add(&self, from_client: u64, from_server: u64) {
        add(&self.from_client, from_client);
        add(&self.from_server, from_server);
    }

    /// From the client, from the server.
    pub(super) fn both(&self) -> (u64, u64) {
        (self.from_client.get(), self.from_server.get())
    }

    /// Takes them off the page.
    pub(super) fn remove(&self) {
        for direction in [FROM_CLIENT, FROM_SERVER] {
            let own = self.own.iter().map(String::as_str);
            Family::remove(&self.family, &with(own, direction));
        }
    }
}

fn with<'a>(own: impl Iterator<Item = &'a str>, direction: &'a str) -> Vec<&'a str> {
    own.chain([direction]).collect()
}

/// Counts nothing happening without touching the cache line.
fn add(counter: &IntCounter, bytes: u64) {
    if bytes > 0 {
        counter.inc_by(bytes);
    }
}

const FROM_CLIENT: &str = "from_client";
const FROM_SERVER: &str = "from_server";

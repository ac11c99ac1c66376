//! What is said to a peer: definitions, entries, and which of them it has acknowledged. Pure.
//!
//! A table of ours is up to two on the way: HAProxy's have keys of one family. One with keys of IPv4 has clients of that family, one with
//! keys of IPv6 those of the other; a peer whose own table of that name has keys of IPv6 alone is told everything by that one,
//! addresses of IPv4 mapped into it, as HAProxy does.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::wire::peers::message::{put_definition, put_switch, put_update};
use crate::wire::peers::{Definition, Key, KeyKind, Sent};

/// See the module.
pub(super) struct Telling {
    /// Whether the peer knows entries with a time of their own.
    timed: bool,
    names: Sent,
    tables: Vec<Ours>,
    /// The one that is spoken of.
    current: Option<usize>,
}

struct Ours {
    name: Arc<str>,
    definition: Definition,
    /// Counts what was told; what the peer has said that it has.
    number: u32,
    acked: u32,
}

/// An entry to tell.
pub(super) struct Entry<'a> {
    pub(super) table: &'a Arc<str>,
    /// Of the table.
    pub(super) ttl: Duration,
    pub(super) client: IpAddr,
    pub(super) server: &'a str,
    /// How long it lives on; `None`: it was used just now.
    pub(super) left: Option<Duration>,
}

impl Telling {
    /// To a peer that speaks version 2.`minor`.
    pub(super) fn new(minor: u32) -> Self {
        Self {
            timed: minor > 0,
            names: Sent::default(),
            tables: Vec::new(),
            current: None,
        }
    }

    /// Appends an entry; `six_alone`: the peer's table has keys of IPv6 alone.
    pub(super) fn tell(&mut self, out: &mut Vec<u8>, entry: &Entry<'_>, six_alone: bool) {
        let key = match entry.client {
            IpAddr::V4(client) if six_alone => IpAddr::V6(client.to_ipv6_mapped()),
            client => client,
        };
        let kind = match key {
            IpAddr::V4(_) => KeyKind::Ipv4,
            IpAddr::V6(_) => KeyKind::Ipv6,
        };
        let (at, turned) = self.turn_to(out, entry, kind);
        let ours = &mut self.tables[at];
        ours.number = ours.number.wrapping_add(1);
        let number = turned.then_some(ours.number);
        let left = entry.left.filter(|_| self.timed);
        let left = left.map(|left| u32::try_from(left.as_millis()).unwrap_or(u32::MAX));
        put_update(
            out,
            number,
            left,
            (Key::Ip(key), entry.server),
            &mut self.names,
        );
    }

    /// Makes the table the one that is spoken of. Gives its place, and whether it was not before.
    fn turn_to(&mut self, out: &mut Vec<u8>, entry: &Entry<'_>, kind: KeyKind) -> (usize, bool) {
        let expire = u64::try_from(entry.ttl.as_millis()).unwrap_or(u64::MAX);
        let mut known = self.tables.iter();
        let at = known.position(|own| own.name == *entry.table && own.definition.key == kind);
        let at = at.unwrap_or_else(|| {
            let id = self.tables.len() as u64 + 1;
            self.tables.push(Ours {
                name: Arc::clone(entry.table),
                // As long as it lives for ever, it was not told.
                definition: Definition::new(id, entry.table, kind, u64::MAX),
                number: 0,
                acked: 0,
            });
            self.tables.len() - 1
        });
        let own = &mut self.tables[at].definition;
        if own.expire != Some(expire) {
            own.expire = Some(expire);
            put_definition(out, own);
        } else if self.current != Some(at) {
            put_switch(out, own.id);
        } else {
            return (at, false);
        }
        self.current = Some(at);
        (at, true)
    }

    /// The peer has all up to this update of a table, by our number of it.
    pub(super) fn acked(&mut self, table: u64, number: u32) {
        let own = self.tables.iter_mut();
        if let Some(own) = own.into_iter().find(|own| own.definition.id == table) {
            own.acked = number;
        }
    }

    /// The peer has everything: it said so at the end of a lesson.
    pub(super) fn settled(&mut self) {
        for own in &mut self.tables {
            own.acked = own.number;
        }
    }

    /// Whether the peer has said that it has everything.
    pub(super) fn is_settled(&self) -> bool {
        self.tables.iter().all(|own| own.acked == own.number)
    }
}

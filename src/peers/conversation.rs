//! What a peer says: messages, understood one after another. Pure.
//!
//! Of tables that nobody shares here, the entries are read all the same: they may tell names that later entries know by number.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::reason::Ignored;
use crate::wire::peers::message::put_ack;
use crate::wire::peers::{
    Control, Definition, Entry, Key, KeyKind, Malformed, Message, Received, Update,
};

/// See the module.
#[derive(Default)]
pub(super) struct Conversation {
    names: Received,
    tables: Vec<Theirs>,
    /// The one that is spoken of.
    current: Option<usize>,
    /// While the peer tells everything, HAProxy acknowledges nothing, and neither does howdah.
    pub(super) learning: bool,
    /// Nobody waits for the end of a lesson any more. It is confirmed all the same, as HAProxy waits for that.
    is_late: bool,
}

struct Theirs {
    definition: Definition,
    /// The number of the last entry.
    last: u32,
    /// It is still to be acknowledged.
    due: bool,
}

/// What one message says.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// A client belongs to a server.
    Entry {
        /// By its name.
        table: String,
        client: IpAddr,
        server: Arc<str>,
        /// How long the entry lives on; `None`: it was used just now.
        left: Option<Duration>,
    },
    /// An entry that is of no use, and whose table it is of.
    Ignored(Ignored, String),
    /// It wants to be told everything.
    Request,
    /// It has told everything; false: what it knows, and others may know more.
    Told(bool),
    /// It has heard that it was told everything.
    Confirmed,
    /// It has all up to this update of a table, by our number of it.
    Acked(u64, u32),
    /// It found something malformed, and closes.
    Faulted,
    /// Nothing to act on.
    Nothing,
}

impl Conversation {
    /// Understands the first message; `None` as long as it is incomplete. Gives its length, too. `shared`: the tables of ours.
    ///
    /// # Errors
    /// [`Malformed`], after which nothing can be understood.
    pub(super) fn hear(
        &mut self,
        bytes: &[u8],
        shared: impl Fn(&str) -> bool,
    ) -> Result<Option<(Heard, usize)>, Malformed> {
        let Some((message, length)) = Message::decode(bytes)? else {
            return Ok(None);
        };
        let heard = match message {
            Message::Control(Control::ResyncRequest) => Heard::Request,
            Message::Control(Control::ResyncFinished) => self.lesson_is_over(true),
            Message::Control(Control::ResyncPartial) => self.lesson_is_over(false),
            Message::Control(Control::ResyncConfirm) => Heard::Confirmed,
            Message::Control(Control::Heartbeat) | Message::Unknown => Heard::Nothing,
            Message::Fault { .. } => Heard::Faulted,
            Message::Ack { table, number } => Heard::Acked(table, number),
            Message::Define(definition) => self.define(definition, shared),
            Message::Switch(id) => {
                let mut known = self.tables.iter();
                self.current = known.position(|table| table.definition.id == id);
                Heard::Nothing
            }
            Message::Update(update) => self.update(update, shared)?,
        };
        Ok(Some((heard, length)))
    }

    /// The end of what nobody asked for is nothing.
    fn lesson_is_over(&mut self, everything: bool) -> Heard {
        let awaited = std::mem::take(&mut self.learning);
        match std::mem::take(&mut self.is_late) || awaited {
            true => Heard::Told(everything),
            false => Heard::Nothing,
        }
    }

    /// What comes from now on is acknowledged again.
    pub(super) fn give_up_the_lesson(&mut self) {
        self.is_late = std::mem::take(&mut self.learning);
    }

    /// Another definition by the same number, or of the same table, takes the place of the former one.
    fn define(&mut self, definition: Definition, shared: impl Fn(&str) -> bool) -> Heard {
        let is_known = shared(&definition.name);
        let name = definition.name.clone();
        let other = |own: &Theirs| {
            let own = &own.definition;
            own.id != definition.id && (own.name != name || own.key != definition.key)
        };
        self.tables.retain(other);
        if self.tables.len() == TABLES {
            self.tables.remove(0);
        }
        self.tables.push(Theirs {
            definition,
            last: 0,
            due: false,
        });
        self.current = Some(self.tables.len() - 1);
        if is_known {
            Heard::Nothing
        } else {
            Heard::Ignored(Ignored::Table, name)
        }
    }

    fn update(
        &mut self,
        update: Update<'_>,
        shared: impl Fn(&str) -> bool,
    ) -> Result<Heard, Malformed> {
        let table = self.current.and_then(|at| self.tables.get_mut(at));
        let Some(theirs) = table else {
            return Ok(Heard::Ignored(Ignored::Table, String::new()));
        };
        let entry = update.entry(&theirs.definition, &mut self.names)?;
        let table = theirs.definition.name.clone();
        if !shared(&table) {
            return Ok(Heard::Ignored(Ignored::Table, table));
        }
        if !self.learning {
            let next = theirs.last.wrapping_add(1);
            theirs.last = update.number.unwrap_or(next);
            theirs.due = true;
        }
        Ok(understand(table, &entry, update.remaining))
    }

    /// Acknowledges what came since the last time.
    pub(super) fn put_acks(&mut self, out: &mut Vec<u8>) {
        for table in self.tables.iter_mut().filter(|table| table.due) {
            put_ack(out, table.definition.id, table.last);
            table.due = false;
        }
    }

    /// Whether the peer's own table of that name has keys of IPv6 alone.
    pub(super) fn is_six_alone(&self, table: &str) -> bool {
        let mut keys = self.defined(table).map(|own| own.key).peekable();
        keys.peek().is_some() && keys.all(|key| key == KeyKind::Ipv6)
    }

    /// How long entries live with the peer, where its table says so. In HAProxy's word, those of time 0 live for ever.
    pub(super) fn expire(&self, table: &str) -> Option<Duration> {
        let expire = self.defined(table).filter_map(|own| own.expire);
        let expire = expire.filter(|expire| *expire > 0).min();
        expire.map(Duration::from_millis)
    }

    fn defined<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Definition> {
        let all = self.tables.iter().map(|own| &own.definition);
        all.filter(move |own| own.name == table)
    }
}

fn understand(table: String, entry: &Entry<'_>, remaining: Option<u32>) -> Heard {
    let client = match entry.key {
        Key::Ip(client) => Some(client),
        Key::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok()),
        Key::Integer(_) | Key::Binary(_) => None,
    };
    let Some(client) = client else {
        return Heard::Ignored(Ignored::Key, table);
    };
    let Some(server) = entry.server.clone() else {
        return Heard::Ignored(Ignored::Server, table);
    };
    Heard::Entry {
        table,
        client: client.to_canonical(),
        server,
        left: remaining.map(|left| Duration::from_millis(left.into())),
    }
}

/// Definitions that are kept: those of an HAProxy are as many as its tables.
const TABLES: usize = 256;

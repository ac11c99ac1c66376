//! One connection: what is read, what is told, and when.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::bond::Bond;
use super::conversation::{Conversation, Heard};
use super::link::Link;
use super::prefer::Told;
use super::reason::{Closed, Ignored};
use super::table::{Batch, Table};
use super::telling::{Entry, Telling};
use crate::wire::peers::Control;
use crate::wire::peers::message::{put_control, put_fault};

/// Why it ended, and the connection that takes its place.
pub(super) type End = ((Closed, String), Option<Link>);

/// See the module.
pub(super) struct Session<'a> {
    bond: &'a mut Bond,
    conversation: Conversation,
    telling: Telling,
    out: Vec<u8>,
    /// What is still to be told of what was known before.
    owed: VecDeque<Batch>,
    /// The peer asked for everything, which the next tick begins with: many questions at once are one.
    asked: bool,
    /// It is told everything, and hears when that was it.
    answering: bool,
    /// What changes is told as it happens, and not late.
    caught_up: bool,
    heard_at: Instant,
    told_at: Instant,
    /// A peer that wants everything has asked by then.
    owe_at: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn new(bond: &'a mut Bond, minor: u32) -> Self {
        let now = Instant::now();
        Self {
            bond,
            conversation: Conversation::default(),
            telling: Telling::new(minor),
            out: Vec::new(),
            owed: VecDeque::new(),
            asked: false,
            answering: false,
            caught_up: false,
            heard_at: now,
            told_at: now,
            owe_at: now + ASKED_BY,
        }
    }

    /// Until it ends.
    pub(super) async fn run(mut self, link: Link) -> End {
        self.bond.state.connected(false);
        let end = self.converse(link).await;
        let owes = self.asked || self.answering || !self.owed.is_empty();
        if owes || !self.telling.is_settled() {
            for feed in &mut self.bond.feeds {
                feed.owes_all = true;
            }
        }
        end
    }

    async fn converse(&mut self, link: Link) -> End {
        let (mut reader, mut writer) = split(link.stream);
        let mut inbox = link.inbox;
        let mut tables = self.bond.mesh.tables.subscribe();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut written, mut flushed) = (0, true);
        if let Err(why) = self.hear(&mut inbox) {
            return (why, None);
        }
        loop {
            self.fill();
            tokio::select! {
                read = reader.read_buf(&mut inbox) => {
                    match read {
                        Ok(0) => return ((Closed::Lost, String::new()), None),
                        Err(error) => return ((Closed::Lost, error.to_string()), None),
                        Ok(_) => self.heard_at = Instant::now(),
                    }
                    if let Err(why) = self.hear(&mut inbox) {
                        // The last word: it need not arrive.
                        let last = writer.write_all(&self.out[written..]);
                        let _ = timeout(TICK, last).await;
                        let _ = timeout(TICK, writer.shutdown()).await;
                        return (why, None);
                    }
                }
                wrote = write(&mut writer, &self.out[written..]), if !self.out.is_empty() || !flushed => {
                    match wrote {
                        Err(error) => return ((Closed::Lost, error.to_string()), None),
                        Ok(0) => flushed = true,
                        Ok(some) => {
                            written += some;
                            flushed = false;
                            self.told_at = Instant::now();
                        }
                    }
                    if written == self.out.len() {
                        self.out.clear();
                        written = 0;
                    }
                }
                _ = ticks.tick() => {
                    if self.tick() {
                        return ((Closed::Silent, String::new()), None);
                    }
                }
                Some(newer) = self.bond.incoming.recv() => {
                    return ((Closed::Replaced, String::new()), Some(newer));
                }
                Ok(()) = tables.changed() => {
                    self.bond.follow();
                }
            }
        }
    }

    /// Understands what has come.
    fn hear(&mut self, inbox: &mut Vec<u8>) -> Result<(), (Closed, String)> {
        let mut at = 0;
        let end = loop {
            let feeds = &self.bond.feeds;
            let shared = |name: &str| feeds.iter().any(|feed| *feed.table.name == *name);
            match self.conversation.hear(&inbox[at..], shared) {
                Ok(None) => break Ok(()),
                Ok(Some((Heard::Faulted, _))) => break Err((Closed::Faulted, String::new())),
                Ok(Some((heard, length))) => {
                    at += length;
                    self.act(heard);
                }
                Err(malformed) => {
                    put_fault(&mut self.out, malformed);
                    break Err((malformed.into(), malformed.to_string()));
                }
            }
        };
        inbox.drain(..at);
        end
    }

    fn act(&mut self, heard: Heard) {
        match heard {
            Heard::Entry {
                table,
                client,
                server,
                left,
            } => {
                let mut feeds = self.bond.feeds.iter();
                let Some(feed) = feeds.find(|feed| *feed.table.name == *table) else {
                    return;
                };
                let told = Told {
                    server: &server,
                    left,
                };
                match feed.table.learn(client, told) {
                    Ok(_) => self.bond.state.counters.received(),
                    Err(why) => self.ignored(why, &table, &server),
                }
            }
            Heard::Ignored(why, table) => self.ignored(why, &table, ""),
            Heard::Request => self.asked = true,
            Heard::Told(everything) => {
                let now = Instant::now();
                let name = &self.bond.plan.name;
                self.bond.mesh.lesson().told(name, everything, now);
                put_control(&mut self.out, Control::ResyncConfirm);
                self.bond.state.connected(false);
                tracing::info!(peer = %name, everything, "the peer has told what it knows");
            }
            Heard::Confirmed => {
                self.telling.settled();
                self.bond.state.connected(false);
            }
            Heard::Acked(table, number) => self.telling.acked(table, number),
            Heard::Faulted | Heard::Nothing => {}
        }
    }

    /// Counts each, and says it once for a while.
    fn ignored(&self, why: Ignored, table: &str, server: &str) {
        let (peer, reason) = (&self.bond.plan.name, why.as_str());
        self.bond.state.counters.ignored(reason);
        let short = |name: &str| name.chars().take(NAME_SHOWN).collect::<String>();
        let (table, server) = (short(table), short(server));
        if self
            .bond
            .mesh
            .may_say(reason, &format!("{peer} {table} {server}"))
        {
            tracing::warn!(%peer, reason, table, server, "entries of a peer are ignored");
        }
    }

    /// The peer wants to be told everything.
    fn teach(&mut self) {
        self.owed.clear();
        for feed in &mut self.bond.feeds {
            feed.owes_all = false;
            self.owed.extend(feed.table.batches(false));
        }
        self.answering = true;
        self.caught_up = false;
        self.bond.state.connected(true);
    }

    /// What time brings. True: nothing has come for too long.
    fn tick(&mut self) -> bool {
        let now = Instant::now();
        if now.saturating_duration_since(self.heard_at) > SILENCE {
            return true;
        }
        if std::mem::take(&mut self.asked) {
            self.teach();
        }
        let name = &self.bond.plan.name;
        if self.bond.mesh.lesson().is_overdue(name, now) {
            tracing::warn!(peer = %name, "the peer does not come to an end of what it knows: what it has told counts");
            self.conversation.give_up_the_lesson();
            self.bond.state.connected(self.answering);
        }
        if self.bond.mesh.lesson().ask(name, now) {
            put_control(&mut self.out, Control::ResyncRequest);
            self.conversation.learning = true;
            self.bond.state.connected(true);
        }
        // A peer that talks and does not read is told no more than has room.
        if self.out.len() < ENOUGH {
            self.conversation.put_acks(&mut self.out);
        }
        if self.owed.is_empty() && !self.answering {
            self.owe(now);
        }
        if self.owed.is_empty() && !self.answering && self.out.len() < ENOUGH {
            self.tell_changes();
        }
        if self.out.is_empty() && now.saturating_duration_since(self.told_at) >= HEARTBEAT {
            put_control(&mut self.out, Control::Heartbeat);
        }
        false
    }

    /// What the peer may have missed, and clients whose entries would end with it.
    fn owe(&mut self, now: Instant) {
        for feed in &mut self.bond.feeds {
            let Some(ttl) = feed.table.ttl() else {
                continue;
            };
            let theirs = self.conversation.expire(&feed.table.name);
            let life = theirs.map_or(ttl, |theirs| theirs.max(LIFE_MIN).min(ttl));
            let next = now + (life / 2).max(TICK);
            let all = feed.owes_all && now >= self.owe_at;
            let is_due = all || now >= feed.refresh_at;
            // A peer says how long its entries live when it likes, and may say so anew.
            feed.refresh_at = if is_due {
                next
            } else {
                feed.refresh_at.min(next)
            };
            if is_due {
                feed.owes_all &= !all;
                self.owed.extend(feed.table.batches(!all));
                self.caught_up = false;
            }
        }
    }

    fn tell_changes(&mut self) {
        let mut rest = false;
        for at in 0..self.bond.feeds.len() {
            let feed = &mut self.bond.feeds[at];
            let (changes, whole) = feed.changes.take(CHANGES);
            feed.owes_all |= !whole;
            rest |= changes.len() == CHANGES;
            let table = feed.table.clone();
            for change in changes {
                let left = Some(change.left).filter(|_| !self.caught_up);
                self.tell(&table, change.client, change.server.as_str(), left);
            }
        }
        self.caught_up = !rest;
    }

    /// Goes on with what is owed, as far as there is room.
    fn fill(&mut self) {
        while self.out.len() < ENOUGH {
            let Some(batch) = self.owed.front_mut() else {
                break;
            };
            let Some((client, left)) = batch.clients.next() else {
                self.owed.pop_front();
                continue;
            };
            let (table, server) = (batch.table.clone(), Arc::clone(&batch.server));
            let Some(ttl) = table.ttl() else { continue };
            let left = left.map_or(ttl, Duration::from_millis);
            self.tell(&table, client, &server, Some(left));
        }
        if self.owed.is_empty() && self.answering && self.out.len() < ENOUGH {
            self.answering = false;
            let complete = self.bond.mesh.lesson().is_complete(Instant::now());
            let word = if complete {
                Control::ResyncFinished
            } else {
                Control::ResyncPartial
            };
            put_control(&mut self.out, word);
        }
    }

    fn tell(&mut self, table: &Table, client: IpAddr, server: &str, left: Option<Duration>) {
        let Some(ttl) = table.ttl() else { return };
        let entry = Entry {
            table: &table.name,
            ttl,
            client,
            server,
            left,
        };
        let six_alone = self.conversation.is_six_alone(&table.name);
        self.telling.tell(&mut self.out, &entry, six_alone);
        self.bond.state.counters.sent(1);
    }
}

/// Some of the bytes; without any, those that TLS holds back. Cancel-safe.
async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        some => Ok(some),
    }
}

/// How often the tables are looked at.
const TICK: Duration = Duration::from_millis(50);
/// A peer that was told nothing for so long hears that we live (`PEER_HEARTBEAT_TIMEOUT`).
const HEARTBEAT: Duration = Duration::from_secs(3);
/// One that says nothing for so long is gone: twice HAProxy's five seconds, as there, too, one period may pass in silence.
const SILENCE: Duration = Duration::from_secs(10);
/// HAProxy asks at once after the handshake, or not at all.
const ASKED_BY: Duration = Duration::from_millis(500);
/// A table of the peer whose entries live for less is none that clients can be kept in.
const LIFE_MIN: Duration = Duration::from_secs(2);
/// Bytes on their way: more are not made before those are gone.
const ENOUGH: usize = 64 * 1024;
/// Changes of one table that are told in one go.
const CHANGES: usize = 500;
const NAME_SHOWN: usize = 64;

#[cfg(test)]
pub(super) mod tests;

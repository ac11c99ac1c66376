//! The sessions of a port: a question finds its own, or begins one.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::epoll;
use rustix::io::Errno;
use tokio::time::Instant;

use super::address::Ends;
use super::dropped::Dropped;
use super::open::{Newcomer, enter, open};
use super::orders::Look;
use super::session::{Session, UdpPlace, is_unreachable};
use super::table::Table;
use crate::plan::Protocol;
use crate::pool::{DialFailure, ServerId};
use crate::session::config::SessionConfig;
use crate::session::end::{End, Reason, Stage};
use crate::session::listing::Sight;
use crate::session::registry::{SLICE, Who};

/// See the module.
pub(super) struct Sessions<G> {
    table: Table<Session<G>>,
    watch: Arc<OwnedFd>,
}

impl<G> Sessions<G> {
    pub(super) fn new(watch: Arc<OwnedFd>) -> Self {
        Self {
            table: Table::new(),
            watch,
        }
    }

    /// To the server of the client's session; a client that has none begins one.
    pub(super) fn pass_on(
        &mut self,
        ends: Ends,
        bytes: &[u8],
        welcome: &impl Fn() -> Newcomer<G>,
        closing: bool,
        now: Instant,
    ) {
        let mut tried = None;
        if let Some(index) = self.table.find(&ends) {
            match self.send(index, bytes, now) {
                // The network's word on an earlier datagram: this one can still go to another server.
                Err(error) if is_unreachable(error) => tried = self.unreachable(index, error),
                _ => return,
            }
        }
        let newcomer = welcome();
        let config = Arc::clone(&newcomer.config);
        let begun = if closing {
            Err(Dropped::Closing)
        } else {
            self.begin(ends, newcomer, tried, now)
        };
        match begun {
            Ok(index) => {
                let _ = self.send(index, bytes, now);
            }
            Err(why) => config.metrics.dropped(why),
        }
    }

    /// An error that is the server's is left to the caller.
    fn send(&mut self, index: usize, bytes: &[u8], now: Instant) -> Result<(), Errno> {
        let Some((session, _)) = self.table.get(index) else {
            return Ok(());
        };
        let sent = session.send(bytes, now);
        match sent {
            Ok(()) => self.table.touch(index, now),
            Err(error) if is_unreachable(error) => {}
            Err(error) => session.config.metrics.dropped(Dropped::of_send(error)),
        }
        sent
    }

    fn begin(
        &mut self,
        ends: Ends,
        newcomer: Newcomer<G>,
        tried: Option<ServerId>,
        now: Instant,
    ) -> Result<usize, Dropped> {
        let place = self.place(&newcomer.config, ends.client, now)?;
        let (session, idle) = open(newcomer, place, ends.client, tried, now)?;
        let index = self.table.vacant();
        let name = epoll::EventData::new_u64(index as u64);
        if epoll::add(&self.watch, &session.socket, name, epoll::EventFlags::IN).is_err() {
            session.end(DialFailure::OwnLimit.into());
            return Err(Dropped::OwnLimit);
        }
        self.table.insert(ends, session, idle, now);
        Ok(index)
    }

    /// Where the listener is full, the session that is idle the longest makes room: a question and its answer are long
    /// over by then, and whoever floods the listener from forged addresses shuts nobody out for long.
    fn place(
        &mut self,
        config: &Arc<SessionConfig>,
        client: SocketAddr,
        now: Instant,
    ) -> Result<UdpPlace, Dropped> {
        let place = enter(config, client.ip(), now);
        match (place, self.table.oldest()) {
            (Err(Dropped::Limit), Some(oldest)) => {
                self.end(oldest, Stage::Relay.end(Reason::Limit));
                enter(config, client.ip(), now)
            }
            (place, _) => place,
        }
    }

    /// Ends a session whose server cannot be reached; returns which server that is.
    pub(super) fn unreachable(&mut self, index: usize, error: Errno) -> Option<ServerId> {
        let session = self.table.remove(index)?;
        let server = session.server();
        session.unreachable(error);
        server
    }

    pub(super) fn get(&mut self, index: usize) -> Option<(&mut Session<G>, Ends)> {
        self.table.get(index)
    }

    pub(super) fn touch(&mut self, index: usize, now: Instant) {
        self.table.touch(index, now);
    }

    pub(super) fn answer_dropped(&mut self, to: &Ends, why: Dropped) {
        let index = self.table.find(to);
        if let Some((session, _)) = index.and_then(|index| self.table.get(index)) {
            session.config.metrics.dropped(why);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.table.due()
    }

    pub(super) fn end_idle(&mut self, now: Instant) {
        for index in self.table.idle(now) {
            self.end(index, Stage::Relay.end(Reason::IdleTimeout));
        }
    }

    /// The last answer due was the server's end of it.
    pub(super) fn end_answered(&mut self, index: usize) {
        self.end(index, Stage::Relay.end(Reason::ServerClosed));
    }

    pub(super) fn show(&self, look: &mut Look, now: Instant) -> Option<usize> {
        let Look {
            query,
            start,
            listing,
            ..
        } = look;
        self.table.slice(*start, SLICE, |session, last| {
            let sight = Sight {
                outcome: &session.outcome,
                config: &session.config,
                protocol: Protocol::Udp,
                stage: Stage::Relay,
                idle: now.saturating_duration_since(last),
            };
            listing.add(query, &sight, now);
        })
    }

    pub(super) fn cut(&mut self, who: Who, reason: Reason) -> usize {
        let mut meant = 0;
        for index in self.table.all(|session| who.means(&session.outcome)) {
            self.end(index, Stage::Relay.end(reason));
            meant += 1;
        }
        meant
    }

    fn end(&mut self, index: usize, end: End) {
        if let Some(session) = self.table.remove(index) {
            session.end(end);
        }
    }
}

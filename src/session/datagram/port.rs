//! One listening socket of one worker: questions go out through [`Sessions`], answers come back through an epoll set.

use std::io;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::time::Instant;

use super::batch::{Answer, BATCH, Room};
use super::dropped::Dropped;
use super::open::Newcomer;
use super::orders::Look;
use super::session::is_unreachable;
use super::sessions::Sessions;
use crate::session::end::Reason;
use crate::session::registry::Who;

/// See the module.
pub(super) struct Port<G> {
    socket: Arc<UdpSocket>,
    /// It listens on every address, and the kernel says which one was asked.
    told: bool,
    /// Which sessions have an answer. Level-triggered, so that one datagram of each can be taken at a time.
    watch: Arc<OwnedFd>,
    sessions: Sessions<G>,
    room: Room,
    answers: Vec<Answer>,
    /// Sessions that had the last answer due in this round.
    over: Vec<usize>,
    /// Questions that the next round is prepared for.
    expected: usize,
}

impl<G> Port<G> {
    pub(super) fn new(socket: Arc<UdpSocket>) -> io::Result<Self> {
        let watch = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        Ok(Self {
            told: socket.local_addr()?.ip().is_unspecified(),
            socket,
            sessions: Sessions::new(Arc::clone(&watch)),
            watch,
            room: Room::new(),
            answers: Vec::with_capacity(BATCH),
            over: Vec::new(),
            expected: FEW,
        })
    }

    /// Readable when a session has an answer.
    pub(super) fn watch(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.watch)
    }

    /// Passes one round of questions on. True when more may wait. `closing`: no new sessions.
    pub(super) fn take_questions(
        &mut self,
        welcome: &impl Fn() -> Newcomer<G>,
        closing: bool,
    ) -> bool {
        let (now, most) = (Instant::now(), self.expected);
        let sessions = &mut self.sessions;
        let taken = self
            .room
            .receive(&self.socket, most, self.told, |ends, bytes| {
                sessions.pass_on(ends, bytes, welcome, closing, now);
            });
        let count = taken.unwrap_or(0);
        self.expected = (2 * count).clamp(FEW, BATCH);
        count == most || taken == Err(Errno::INTR)
    }

    /// Passes one round of answers on. True when more may wait.
    pub(super) fn take_answers(&mut self) -> bool {
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let events = match epoll::wait(&self.watch, &mut events[..], Some(&AT_ONCE)) {
            Ok(([], _)) => return false,
            Ok((events, _)) => events,
            Err(error) => return error == Errno::INTR,
        };
        let now = Instant::now();
        for event in events {
            if let Ok(index) = usize::try_from(event.data.u64()) {
                self.take_answer(index, now);
            }
        }
        let sessions = &mut self.sessions;
        self.room
            .send(&self.socket, &self.answers, |answer, error| {
                sessions.answer_dropped(&answer.to, Dropped::of_send(error));
            });
        self.answers.clear();
        for index in self.over.drain(..) {
            self.sessions.end_answered(index);
        }
        true
    }

    fn take_answer(&mut self, index: usize, now: Instant) {
        let Some((session, to)) = self.sessions.get(index) else {
            return;
        };
        let piece = self.answers.len();
        match recv(&session.socket, self.room.piece(piece), RecvFlags::DONTWAIT) {
            Ok((_, length)) => {
                if session.answered(length, now) {
                    self.over.push(index);
                }
                self.sessions.touch(index, now);
                self.answers.push(Answer { piece, length, to });
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) if is_unreachable(error) => {
                self.sessions.unreachable(index, error);
            }
            Err(error) => session.config.metrics.dropped(Dropped::of_send(error)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// When a session may have been idle for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        self.sessions.due()
    }

    /// Ends who has been idle for too long. Answers that wait come first: a process that was held up, by a stop or by a busy
    /// machine, finds its timer and them due at once.
    pub(super) fn end_idle(&mut self) {
        for _ in 0..=self.sessions.len() / BATCH {
            if !self.take_answers() {
                break;
            }
        }
        self.sessions.end_idle(Instant::now());
    }

    /// Adds a slice of the sessions to what is asked for; returns where the next one begins.
    pub(super) fn show(&self, look: &mut Look) -> Option<usize> {
        self.sessions.show(look, Instant::now())
    }

    /// Ends the sessions that an order means.
    pub(super) fn cut(&mut self, who: Who, reason: Reason) -> usize {
        self.sessions.cut(who, reason)
    }
}

/// A quiet listener is not prepared for a burst each time.
const FEW: usize = 4;
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

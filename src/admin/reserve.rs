//! Descriptors that are kept for the admin address.
//!
//! When sessions have filled the table, whoever looks after this process must still get in: `/healthz` would end it, and
//! an order may be what helps. So a few descriptors are held here, as copies of the listening socket. Each stands for one
//! connection that is taken although there is no room; what comes free is taken back before it is needed again. Workers
//! pause when they find the table full, and this does not, so that it gets its share.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;

pub(super) struct Reserve<S> {
    like: S,
    kept: Vec<OwnedFd>,
}

impl<S: AsFd> Reserve<S> {
    /// Full, if there is room.
    pub(super) fn of(like: S) -> Self {
        let mut reserve = Self {
            like,
            kept: Vec::with_capacity(KEPT),
        };
        reserve.refill();
        reserve
    }

    /// Makes room for one connection. False when nothing is left.
    pub(super) fn spend(&mut self) -> bool {
        self.kept.pop().is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.kept.len() == KEPT
    }

    /// Takes back what there is room for.
    pub(super) fn refill(&mut self) {
        while !self.is_full() {
            match rustix::io::fcntl_dupfd_cloexec(&self.like, 0) {
                Ok(copy) => self.kept.push(copy),
                Err(_) => return,
            }
        }
    }
}

/// No descriptor, here or in the whole system.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

/// For a health check, a scraper, and a few people.
const KEPT: usize = 8;

/// How often to try while some are missing.
pub(super) const AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_comes_back() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let mut reserve = Reserve::of(&socket);
        assert!(reserve.is_full());
        assert!((0..KEPT).all(|_| reserve.spend()));
        assert!(!reserve.spend() && !reserve.is_full());
        reserve.refill();
        assert!(reserve.is_full());
    }
}

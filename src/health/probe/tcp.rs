//! Does somebody take the connection?
//!
//! The cheapest question, asked of a thousand servers every second or so: no buffer on the heap, no option set, the few
//! system calls that a connect and a polite close need, and no wake-up but the one that begins it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::net::TcpStream as Bare;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::link::Target;
use super::trace::{Asked, Trace};

/// How long the server may take to end its side after ours.
const PART: Duration = Duration::from_millis(250);

/// Most that wait for it; beyond, the oldest go.
const LEAVING_MAX: usize = 1024;

/// The connect is the answer; the stream is handed back to be parted from.
pub(super) async fn exchange(target: &Target<'_>, trace: &Trace) -> Asked<TcpStream> {
    target.connect(trace.deadline()).await
}

/// FIN at once. The server's own is not waited for by this task, which would cost a wake-up, more than all the rest: the
/// socket leaves the reactor, stays open for a moment, and is emptied and closed when a later probe ends. Closed at
/// once, or with unread bytes, it would answer what a server says late with a reset.
pub(super) fn part(stream: TcpStream) {
    let Ok(stream) = stream.into_std() else {
        return;
    };
    if stream.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    LEAVING.with_borrow_mut(|leaving| {
        leaving.push_back((Instant::now(), stream));
        sweep(leaving);
    });
}

fn sweep(leaving: &mut VecDeque<(Instant, Bare)>) {
    let overdue = |(since, _): &(Instant, Bare)| since.elapsed() >= PART;
    while leaving.len() > LEAVING_MAX || leaving.front().is_some_and(overdue) {
        let Some((_, mut stream)) = leaving.pop_front() else {
            return;
        };
        let mut pending = [0; 512];
        // A flood has no end; whoever sends that much after our FIN may get a reset.
        let _ = (0..64).try_for_each(|_| match stream.read(&mut pending) {
            Ok(1..) => Some(()),
            _ => None,
        });
    }
}

thread_local! {
    /// Checkers all live on one thread, and so does what they leave behind.
    static LEAVING: RefCell<VecDeque<(Instant, Bare)>> = const { RefCell::new(VecDeque::new()) };
}

//! One deadline, judged fairly: a server is late only when we were not.
//!
//! Probes share the control thread with each other and with all else that runs there. When that thread is late, answers lie
//! in their sockets unread, and a deadline says nothing of the server. So whoever comes too late is asked how late we were
//! ourselves: by how much the timer missed its time, and how long the thread takes now to come around. Up to a tenth of the
//! timeout is the server's to bear; beyond, the exchange gets its time once more, and then ends without a verdict.

use std::pin::pin;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

/// What waiting came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited<T> {
    /// This.
    Done(T),
    /// Nothing in time.
    TooLate,
    /// Nothing in time, but the thread was late itself, by so much.
    OwnDelay(Duration),
}

/// Waits for `future` until `deadline`, which was `timeout` away when it began.
pub(super) async fn wait<F: Future>(
    future: F,
    deadline: Instant,
    timeout: Duration,
) -> Waited<F::Output> {
    let mut future = pin!(future);
    let mut until = deadline;
    let mut delay = Duration::ZERO;
    for _ in 0..ROUNDS {
        if let Ok(output) = timeout_at(until, future.as_mut()).await {
            return Waited::Done(output);
        }
        delay = own_delay(until).await;
        if delay <= (timeout / TOLERANCE).max(NOISE) {
            return Waited::TooLate;
        }
        until = Instant::now() + timeout;
    }
    Waited::OwnDelay(delay)
}

/// How late this thread is: for the timer that has just fired, and on its next way around.
async fn own_delay(due: Instant) -> Duration {
    let now = Instant::now();
    yield_now().await;
    now.duration_since(due).max(now.elapsed())
}

/// The first, and one more for a delay of ours.
const ROUNDS: u32 = 2;

/// A delay of one part in so many does not excuse a server.
const TOLERANCE: u32 = 10;

/// Timers are no finer, and a busy machine no steadier.
const NOISE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(200);

    async fn within<F: Future>(future: F) -> Waited<F::Output> {
        wait(future, Instant::now() + TIMEOUT, TIMEOUT).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_too_late() {
        assert_eq!(within(async { 1 }).await, Waited::Done(1));
        assert_eq!(within(pending::<()>()).await, Waited::TooLate);
    }

    /// Takes the thread for longer than the timeout, again and again, as a status of 4,000 servers did.
    async fn hog() {
        loop {
            let began = Instant::now();
            while began.elapsed() < TIMEOUT * 2 {}
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_thread_that_is_late_blames_no_server() {
        let hog = tokio::spawn(hog());
        // An exchange of two steps, each done long before the thread comes around.
        let steps = async {
            sleep(Duration::from_millis(1)).await;
            sleep(Duration::from_millis(1)).await;
        };
        assert_eq!(within(steps).await, Waited::Done(()));
        let mute = within(pending::<()>()).await;
        assert!(matches!(mute, Waited::OwnDelay(_)), "{mute:?}");
        hog.abort();
    }
}

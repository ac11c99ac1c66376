//! One rendering for all who ask at the same time: what many pollers cost is bounded by what one costs.
//!
//! An answer is never older than its question: who asks while a rendering runs waits for the next one, together with
//! all others who ask meanwhile. Between two renderings there is a rest in proportion to the time that the last one
//! took, so that status pages of thousands of servers, however many ask for them, take a fifth of one processor and a
//! short wait, and small ones cost nobody a wait that could be noticed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::Mutex;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};

/// One view and its last rendering.
#[derive(Default)]
pub(super) struct Shared {
    /// Renderings that have begun, the present one included.
    begun: AtomicU64,
    /// Held by whoever renders; those who wait for it come in the order of their asking.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    number: u64,
    text: Bytes,
    rest_until: Option<Instant>,
}

impl Shared {
    /// A rendering that began after this call. `render` runs on a thread where it may take its time. Cancel-safe: the
    /// next in line renders then.
    ///
    /// # Errors
    /// `render` panicked.
    pub(super) async fn ask<R>(&self, render: R) -> Result<Bytes, JoinError>
    where
        R: FnOnce() -> Vec<u8> + Send + 'static,
    {
        let wanted = self.begun.load(Ordering::Relaxed) + 1;
        let mut last = self.last.lock().await;
        if last.number >= wanted {
            return Ok(last.text.clone());
        }
        if let Some(until) = last.rest_until {
            sleep_until(until).await;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let begun = Instant::now();
        let text = Bytes::from(tokio::task::spawn_blocking(render).await?);
        let ended = Instant::now();
        *last = Last {
            number,
            text: text.clone(),
            rest_until: Some(ended + ((ended - begun) * REST).min(REST_MOST)),
        };
        Ok(text)
    }
}

/// Times as long as a rendering took.
const REST: u32 = 4;
const REST_MOST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::Notify;

    /// What is rendered: how many renderings there were.
    fn counted(count: &Arc<AtomicUsize>) -> impl FnOnce() -> Vec<u8> + Send + 'static {
        let count = Arc::clone(count);
        move || vec![u8::try_from(count.fetch_add(1, Ordering::Relaxed) + 1).expect("few")]
    }

    #[tokio::test]
    async fn one_after_another_everybody_gets_news() {
        let (shared, count) = (Shared::default(), Arc::default());
        for expected in 1..=3 {
            let text = shared.ask(counted(&count)).await.expect("renders");
            assert_eq!(text.as_ref(), [expected]);
        }
    }

    #[tokio::test]
    async fn those_who_ask_while_a_rendering_runs_share_the_next() {
        let (shared, count) = (Arc::new(Shared::default()), Arc::default());
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let entered = Arc::new(Notify::new());
        let (first, inside) = (Arc::clone(&shared), Arc::clone(&entered));
        let slow = counted(&count);
        let first = tokio::spawn(async move {
            let render = move || {
                inside.notify_one();
                let _ = gate.recv();
                slow()
            };
            first.ask(render).await
        });
        entered.notified().await;
        let mut others: Vec<_> = (0..64)
            .map(|_| tokio_test::task::spawn(Box::pin(shared.ask(counted(&count)))))
            .collect();
        for other in &mut others {
            assert!(other.poll().is_pending());
        }
        open.send(()).expect("waits");
        let text = first.await.expect("no panic").expect("renders");
        assert_eq!(text.as_ref(), [1]);
        for other in others {
            assert_eq!(other.into_inner().await.expect("renders").as_ref(), [2]);
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_leaves_amid_a_rendering_does_not_stop_the_others() {
        let (shared, count) = (Shared::default(), Arc::default());
        let mut leaver = tokio_test::task::spawn(shared.ask(counted(&count)));
        assert!(leaver.poll().is_pending());
        drop(leaver);
        let text = shared.ask(counted(&count)).await.expect("renders");
        assert!(!text.is_empty());
    }
}

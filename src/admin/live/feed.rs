//! One reader of the stream: what changed since it was sent something last, and the events of the journal.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::state::{Sent, State, message};
use crate::admin::answer::lines;
use crate::telemetry::Journal;
use crate::telemetry::journal::{Event, Follower, Page};

/// Where in the journal a reader begins.
#[derive(Clone, Copy, Debug)]
pub(in crate::admin) enum Place {
    /// With what is still to come.
    Now,
    /// With what came after that number.
    After(u64),
}

/// See the module.
pub(in crate::admin) struct Feed {
    states: Option<watch::Receiver<Arc<State>>>,
    sent: Sent,
    follower: Follower,
    /// The number of the last event that it was sent, or that it has not missed.
    reached: u64,
    /// Whether it may go on looking.
    may_look: Box<dyn Fn() -> bool + Send>,
}

/// The reader has gone, or may look no more.
struct Gone;

impl Feed {
    pub(in crate::admin) fn new(
        states: Option<watch::Receiver<Arc<State>>>,
        journal: &Journal,
        place: Place,
        may_look: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        let reached = match place {
            Place::Now => journal.last(),
            Place::After(number) => number,
        };
        Self {
            states,
            sent: Sent::default(),
            follower: journal.follow(reached),
            reached,
            may_look: Box::new(may_look),
        }
    }

    /// Until the reader has gone. Each message waits until the reader takes it, and whatever happens meanwhile waits nowhere.
    pub(in crate::admin) async fn run(mut self, pieces: mpsc::Sender<Bytes>) {
        let hello = format!("retry: {RETRY}\nid: {}\n\n", self.reached);
        if pieces.send(hello.into()).await.is_ok() {
            let Gone = self.serve(&pieces).await;
        }
    }

    async fn serve(&mut self, pieces: &mpsc::Sender<Bytes>) -> Gone {
        loop {
            let silent = Instant::now() + SILENCE;
            let messages = tokio::select! {
                page = self.follower.next() => told(&page),
                state = next(&mut self.states) => state.news(&mut self.sent),
                () = sleep_until(silent) => vec![Bytes::from_static(b":\n\n")],
                () = pieces.closed() => return Gone,
            };
            if !(self.may_look)() {
                return Gone;
            }
            for message in messages {
                if pieces.send(message).await.is_err() {
                    return Gone;
                }
            }
        }
    }
}

/// The state, each time that it has changed; never where nobody wants it. Cancel-safe.
async fn next(states: &mut Option<watch::Receiver<Arc<State>>>) -> Arc<State> {
    if let Some(states) = states
        && states.changed().await.is_ok()
    {
        return Arc::clone(&states.borrow_and_update());
    }
    std::future::pending().await
}

fn told(page: &Page) -> Vec<Bytes> {
    let lost = (page.lost > 0).then(|| {
        let json = serde_json::json!({ "lost": page.lost }).to_string();
        message("lost", json.as_bytes())
    });
    let event = |event: &Arc<Event>| {
        let id = format!("id: {}\n", event.seq);
        Bytes::from([id.as_bytes(), &message("event", &lines(event.as_ref()))].concat())
    };
    lost.into_iter()
        .chain(page.events.iter().map(event))
        .collect()
}

/// For a browser, in milliseconds.
const RETRY: u32 = 1_000;
/// After so long without a message, a comment shows that the connection lives.
const SILENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;
    use crate::telemetry::journal::Kind;

    fn text(piece: &Bytes) -> String {
        String::from_utf8_lossy(piece).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn events_come_with_their_numbers_and_silence_with_a_comment() {
        let metrics = Metrics::new();
        let journal = metrics.journal();
        journal.tell(Event::info(Kind::Reload, "before"));
        let first = journal.last();
        let (pieces, mut body) = mpsc::channel(4);
        let feed = Feed::new(None, journal, Place::Now, || true);
        let task = tokio::spawn(feed.run(pieces));
        let hello = body.recv().await.expect("a reader is greeted");
        assert_eq!(text(&hello), format!("retry: 1000\nid: {first}\n\n"));
        assert_eq!(text(&body.recv().await.expect("lives")), ":\n\n");
        journal.tell(Event::info(Kind::Reload, "after"));
        let event = text(&body.recv().await.expect("told"));
        let head = format!(
            "id: {}\nevent: event\ndata: {{\"seq\":{}",
            first + 1,
            first + 1
        );
        assert!(
            event.starts_with(&head) && event.ends_with("}\n\n"),
            "{event}"
        );
        drop(body);
        task.await.expect("ends with its reader");
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_look_no_more_is_sent_nothing() {
        let metrics = Metrics::new();
        let (pieces, mut body) = mpsc::channel(4);
        let feed = Feed::new(None, metrics.journal(), Place::Now, || false);
        tokio::spawn(feed.run(pieces));
        body.recv().await.expect("a reader is greeted");
        (metrics.journal()).tell(Event::info(Kind::Reload, "secret"));
        assert_eq!(body.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_again_gets_what_he_missed() {
        let metrics = Metrics::new();
        let journal = metrics.journal();
        journal.tell(Event::info(Kind::Reload, "one"));
        let seen = journal.last();
        journal.tell(Event::info(Kind::Reload, "two"));
        let (pieces, mut body) = mpsc::channel(4);
        tokio::spawn(Feed::new(None, journal, Place::After(seen), || true).run(pieces));
        body.recv().await.expect("a reader is greeted");
        let event = text(&body.recv().await.expect("told"));
        assert!(event.contains("\"text\":\"two\""), "{event}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_the_last_state_and_the_count_of_what_it_missed() {
        let metrics = Metrics::new();
        let journal = metrics.journal();
        let states = watch::Sender::new(Arc::<State>::default());
        let (pieces, mut body) = mpsc::channel(2);
        let feed = Feed::new(Some(states.subscribe()), journal, Place::Now, || true);
        tokio::spawn(feed.run(pieces));
        for version in 1..=1_000 {
            states.send_replace(Arc::new(State::of_one_pool(version)));
            tokio::task::yield_now().await;
        }
        for number in 0..12_000 {
            journal.tell(Event::info(Kind::Reload, number));
        }
        let (mut states_seen, mut events, mut lost) = (0, 0, 0);
        while let Ok(Some(piece)) = tokio::time::timeout(SILENCE / 2, body.recv()).await {
            let piece = text(&piece);
            states_seen += usize::from(piece.contains("event: pool"));
            events += usize::from(piece.contains("event: event"));
            if let Some((_, count)) = piece.split_once("{\"lost\":") {
                lost += count
                    .trim_end_matches("}\n\n")
                    .parse::<usize>()
                    .expect("a number");
            }
        }
        assert!(states_seen <= 5, "{states_seen}");
        assert_eq!(events + lost, 12_000);
    }
}

//! The thread that asks the admin server: what runs each second, and whatever a key wants.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryIter, sync_channel};
use std::time::{Duration, Instant};

use super::model::{Focus, Sample, Target, bytes_of};
use super::state::{Action, News, Order};
use crate::admin::encode;
use crate::admin::sessions::Session;
use crate::admin::status::ServerStatus;
use crate::cli::ctl::{Client, CtlError};

/// See the module; the thread ends with it.
pub(super) struct Asker {
    wishes: SyncSender<Action>,
    news: Receiver<News>,
}

impl Asker {
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(client: Client) -> io::Result<Self> {
        let (wishes, wanted) = sync_channel(WAITING);
        let (told, news) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("asker".into());
        thread.spawn(move || ask(&client, &wanted, &told))?;
        Ok(Self { wishes, news })
    }

    /// What came since the last call.
    pub(super) fn news(&self) -> TryIter<'_, News> {
        self.news.try_iter()
    }

    /// A wish that finds the thread busy with as many others is dropped: it can be had again by its key.
    pub(super) fn ask(&self, action: Action) {
        let _ = self.wishes.try_send(action);
    }
}

/// Until the other end is gone.
fn ask(client: &Client, wanted: &Receiver<Action>, told: &SyncSender<News>) {
    let mut focus: Option<Target> = None;
    let mut due = Instant::now() + EVERY;
    loop {
        let wish = wanted.recv_timeout(due.saturating_duration_since(Instant::now()));
        let news = match wish {
            Err(RecvTimeoutError::Timeout) => {
                due = Instant::now() + EVERY;
                look(client, focus.as_ref())
            }
            Err(RecvTimeoutError::Disconnected) | Ok(Action::Quit) => return,
            Ok(Action::Look(target)) => {
                focus = target;
                match &focus {
                    Some(target) => vec![closely(client, target)],
                    None => Vec::new(),
                }
            }
            Ok(Action::Give(target, order)) => {
                let mut news = vec![give(client, &target, &order)];
                news.extend(look(client, focus.as_ref()));
                news
            }
        };
        for one in news {
            if told.send(one).is_err() {
                return;
            }
        }
    }
}

/// What runs, once.
pub(super) fn sample(client: &Client) -> Result<Sample, CtlError> {
    let status = client.ask("GET", "/api/v1/status", None)?;
    let bytes = bytes_of(&client.send("GET", "/metrics", None)?);
    Ok(Sample {
        at: Instant::now(),
        status,
        bytes,
    })
}

fn look(client: &Client, focus: Option<&Target>) -> Vec<News> {
    let overview = match sample(client) {
        Ok(sample) => News::Sample(Box::new(sample)),
        Err(error) => News::Lost(error.to_string()),
    };
    let close = focus.map(|target| closely(client, target));
    std::iter::once(overview).chain(close).collect()
}

/// Its sessions; and its history, where this howdah keeps one.
fn closely(client: &Client, target: &Target) -> News {
    let mut query = format!("limit={MOST}&pool={}", encode(&target.pool));
    if let Some(server) = &target.server {
        query.push_str(&format!("&server={}", encode(server)));
    }
    let sessions = client.ask("GET", &format!("/api/v1/sessions?{query}"), None);
    let history = target.server.as_ref().and_then(|_| {
        let path = format!("{}/history", path_of(target));
        client.ask("GET", &path, None).ok()
    });
    match sessions {
        Ok(sessions) => News::Close(
            target.clone(),
            Focus {
                sessions: Some(sessions),
                history,
            },
        ),
        Err(error) => News::Lost(error.to_string()),
    }
}

/// Says what came of it.
fn give(client: &Client, target: &Target, order: &Order) -> News {
    let shown = target.to_string();
    let outcome = match order {
        Order::End(id) => client
            .ask("DELETE", &format!("/api/v1/sessions/{}", encode(id)), None)
            .map(|session: Session| {
                format!("session {} of {} was ended", session.id, session.client)
            }),
        Order::Weight(weight) => {
            let body = format!("{{\"weight\": {weight}}}");
            let path = format!("{}/weight", path_of(target));
            client
                .ask("PUT", &path, Some(&body))
                .map(|server: ServerStatus| format!("{shown} has weight {}", server.weight))
        }
        Order::Drain | Order::Maintenance | Order::Ready => {
            let path = format!("{}/{}", path_of(target), order.word());
            let now = |server: ServerStatus| {
                format!(
                    "{shown} is {}, with {} sessions",
                    server.admin, server.sessions_active
                )
            };
            client.ask("POST", &path, None).map(now)
        }
    };
    match outcome {
        Ok(text) => News::Done(text),
        Err(error) => News::Failed(error.to_string()),
    }
}

fn path_of(target: &Target) -> String {
    let server = target.server.as_deref().unwrap_or_default();
    let (pool, server) = (encode(&target.pool), encode(server));
    format!("/api/v1/pools/{pool}/servers/{server}")
}

const EVERY: Duration = Duration::from_secs(1);
/// Of each kind.
const WAITING: usize = 16;
/// Sessions that are shown of one target.
const MOST: u32 = 1000;

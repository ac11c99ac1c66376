//! What a process writes, line by line, for tests to wait on.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::PATIENCE;

/// All lines so far, and news of the next.
#[derive(Clone)]
pub(crate) struct Lines {
    all: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Lines {
    /// Reads until the pipe ends, on a thread of its own.
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let all = Arc::new(Mutex::new(Vec::new()));
        let (tell, count) = watch::channel(0);
        let keep = Arc::clone(&all);
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                keep.lock().unwrap().push(line);
                tell.send_modify(|count| *count += 1);
            }
        });
        Self { all, count }
    }

    /// What was written so far.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.all.lock().unwrap().clone()
    }

    /// Everything, once the pipe has ended.
    pub(crate) async fn all_of_it(&self) -> Vec<u8> {
        let mut count = self.count.clone();
        let end = async { while count.changed().await.is_ok() {} };
        timeout(PATIENCE, end).await.expect("the pipe ends");
        let mut text = self.so_far().join("\n").into_bytes();
        text.push(b'\n');
        text
    }

    /// The first line at or after number `from` that `wanted` likes, and its number.
    pub(crate) async fn find<T>(
        &self,
        from: usize,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> (usize, T) {
        let mut count = self.count.clone();
        let mut at = from;
        let search = async {
            loop {
                count.borrow_and_update();
                let fresh = self
                    .all
                    .lock()
                    .unwrap()
                    .get(at..)
                    .unwrap_or_default()
                    .to_vec();
                for line in fresh {
                    at += 1;
                    let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    if let Some(found) = wanted(&value) {
                        return (at, found);
                    }
                }
                if count.changed().await.is_err() {
                    panic!(
                        "the process ended without the line; it wrote:\n{}",
                        self.tail()
                    );
                }
            }
        };
        match timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => panic!(
                "no such line within {PATIENCE:?}; the last were:\n{}",
                self.tail()
            ),
        }
    }

    /// The last lines, for a failure's message.
    pub(crate) fn tail(&self) -> String {
        let all = self.so_far();
        all[all.len().saturating_sub(40)..].join("\n")
    }
}

/// How long a thread may look at a process that is to end.
pub(crate) const POLL: Duration = Duration::from_millis(5);

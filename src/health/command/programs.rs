//! howdah's end: starts the runner, gives it orders, and makes findings of outcomes.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::order::{End, Order, Outcome};
use super::runner;
use crate::health::{Finding, Reason, Verdict};

/// The runner's process, before there is a runtime to speak to it with.
pub struct Runner {
    commands: Vec<Vec<String>>,
    orders: OwnedFd,
    outcomes: OwnedFd,
}

/// Runs programs for probes. Clones share the one runner.
#[derive(Clone, Default)]
pub struct Programs(Option<Arc<Inner>>);

struct Inner {
    commands: Vec<Vec<String>>,
    orders: mpsc::Sender<String>,
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Outcome>>>>,
    next: AtomicU64,
}

impl Runner {
    /// Starts the process; call it while there are no locks yet. `None` where there is nothing to run.
    ///
    /// # Errors
    /// Those of starting a program.
    pub fn start(commands: Vec<Vec<String>>) -> io::Result<Option<Self>> {
        if commands.is_empty() {
            return Ok(None);
        }
        let mut child = Command::new("/proc/self/exe")
            .arg(runner::WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal to howdah's group is howdah's; the runner goes when its orders end.
            .process_group(0)
            .spawn()?;
        let (Some(mut orders), Some(outcomes)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        orders.write_all((serde_json::to_string(&commands)? + "\n").as_bytes())?;
        Ok(Some(Self {
            commands,
            orders: orders.into(),
            outcomes: outcomes.into(),
        }))
    }

    /// Speaks to it from now on. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of the pipes.
    pub fn attend(self) -> io::Result<Programs> {
        let mut to = pipe::Sender::from_owned_fd(self.orders)?;
        let from = pipe::Receiver::from_owned_fd(self.outcomes)?;
        let (orders, mut given) = mpsc::channel::<String>(ORDERS);
        let inner = Arc::new(Inner {
            commands: self.commands,
            orders,
            waiting: Mutex::new(Some(HashMap::new())),
            next: AtomicU64::new(0),
        });
        tokio::spawn(async move {
            while let Some(order) = given.recv().await {
                if to.write_all(order.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(listen(Arc::downgrade(&inner), from));
        Ok(Programs(Some(inner)))
    }
}

/// Hands outcomes to those who wait, until the runner ends; then nobody waits any more.
async fn listen(inner: std::sync::Weak<Inner>, from: pipe::Receiver) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(inner) = inner.upgrade() else { return };
        if let Ok(outcome) = serde_json::from_str::<Outcome>(&line)
            && let Some(asker) = inner
                .waiting()
                .as_mut()
                .and_then(|all| all.remove(&outcome.id))
        {
            let _ = asker.send(outcome);
        }
    }
    if let Some(inner) = inner.upgrade() {
        *inner.waiting() = None;
        tracing::error!(
            "the process that runs commands has ended: probes of type command say nothing until howdah is started again"
        );
    }
}

impl Inner {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Outcome>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Programs {
    /// Whether all of these are among those that can be run.
    pub fn know(&self, commands: &[Vec<String>]) -> bool {
        let known = self.0.as_ref().map_or(&[][..], |inner| &inner.commands);
        commands.iter().all(|one| known.contains(one))
    }

    /// Runs `command` for a server and says what its end means: 0 up, 1 alive, anything else down.
    pub async fn ask(
        &self,
        command: &[String],
        (pool, server): (&str, &str),
        (host, port): (&str, u16),
        limit: Duration,
    ) -> Finding {
        let began = Instant::now();
        let asked = self.run(command, (pool, server), (host, port), limit).await;
        let (verdict, reason, detail) = asked.map_or_else(
            |why| (Verdict::Down, Reason::Unusable, why),
            |outcome| judged(&outcome, limit),
        );
        let took = began.elapsed();
        Finding {
            verdict,
            reason,
            step: STEP,
            detail: crate::health::probe::printable(&detail),
            role: None,
            steps: vec![(STEP, took)],
            took,
            logs_error: false,
        }
    }

    async fn run(
        &self,
        command: &[String],
        (pool, server): (&str, &str),
        (host, port): (&str, u16),
        limit: Duration,
    ) -> Result<Outcome, String> {
        let inner = self.0.as_ref();
        let known = inner.and_then(|inner| {
            let place = inner.commands.iter().position(|one| one == command);
            place.map(|place| (inner, place))
        });
        let (inner, place) = known.ok_or(
            "the command is new: start howdah again, which runs those alone that the file had then",
        )?;
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        let order = Order {
            id,
            command: place,
            host: host.to_owned(),
            port,
            pool: pool.to_owned(),
            server: server.to_owned(),
            millis: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        };
        let (asker, answer) = oneshot::channel();
        let ended = || "the process that runs commands has ended: start howdah again".to_owned();
        match inner.waiting().as_mut() {
            Some(waiting) => drop(waiting.insert(id, asker)),
            None => return Err(ended()),
        }
        let patience = order.patience();
        let line = serde_json::to_string(&order).map_err(|error| error.to_string())? + "\n";
        inner.orders.send(line).await.map_err(|_| ended())?;
        match timeout(patience, answer).await {
            Ok(outcome) => outcome.map_err(|_| ended()),
            Err(_) => {
                if let Some(waiting) = inner.waiting().as_mut() {
                    waiting.remove(&id);
                }
                Err("too many commands at once: ask less often, or give them less time".into())
            }
        }
    }
}

fn judged(outcome: &Outcome, limit: Duration) -> (Verdict, Reason, String) {
    let line = outcome.line.as_str();
    let with = |text: String| match line {
        "" => text,
        line => format!("{text}: {line}"),
    };
    match outcome.end {
        End::Code(0) => (Verdict::Up, Reason::Ok, line.to_owned()),
        End::Code(1) => (
            Verdict::Alive,
            Reason::NotServing,
            with("exit code 1".into()),
        ),
        End::Code(code) => {
            let text = with(format!("exit code {code}"));
            (Verdict::Down, Reason::UnexpectedAnswer, text)
        }
        End::Signal(signal) => {
            let text = with(format!("ended by signal {signal}"));
            (Verdict::Down, Reason::UnexpectedAnswer, text)
        }
        End::TooLate => {
            let text = format!("still running after {limit:?}, and ended");
            (Verdict::Down, Reason::Timeout, text)
        }
        End::NotStarted => (Verdict::Down, Reason::Unusable, line.to_owned()),
    }
}

const STEP: &str = "command";

/// Orders on their way to the runner.
const ORDERS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_program_is_the_verdict() {
        let judge = |end, line: &str| {
            let line = line.to_owned();
            judged(&Outcome { id: 1, end, line }, Duration::from_secs(3))
        };
        let text = |detail: &str| detail.to_owned();
        assert_eq!(
            judge(End::Code(0), "ok"),
            (Verdict::Up, Reason::Ok, text("ok"))
        );
        let alive = (
            Verdict::Alive,
            Reason::NotServing,
            text("exit code 1: full"),
        );
        assert_eq!(judge(End::Code(1), "full"), alive);
        let down = (Verdict::Down, Reason::UnexpectedAnswer, text("exit code 2"));
        assert_eq!(judge(End::Code(2), ""), down);
        let down = (
            Verdict::Down,
            Reason::UnexpectedAnswer,
            text("ended by signal 11"),
        );
        assert_eq!(judge(End::Signal(11), ""), down);
        assert_eq!(judge(End::TooLate, "").1, Reason::Timeout);
        assert_eq!(judge(End::NotStarted, "no file").1, Reason::Unusable);
    }
}

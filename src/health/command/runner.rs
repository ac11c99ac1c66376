//! The process that runs programs: orders on stdin, outcomes on stdout, until stdin ends.
//!
//! It is as howdah is but for the locks: the same user, no new privileges, and it goes when howdah goes. A program gets no
//! input, is the first of a process group, and is killed with it when its time is over.

use std::io;
use std::os::fd::AsFd;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::order::{End, Order, Outcome, filled};

/// The word of the command line that starts it; not for people.
pub const WORD: &str = "run-commands";

/// Serves until stdin ends.
pub fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime.and_then(|runtime| runtime.block_on(work())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the process that runs commands: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn work() -> io::Result<()> {
    let stdin = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut stdout = pipe::Sender::from_owned_fd(io::stdout().as_fd().try_clone_to_owned()?)?;
    let mut lines = BufReader::new(stdin).lines();
    let Some(commands) = lines.next_line().await? else {
        return Ok(());
    };
    let commands: Arc<Vec<Vec<String>>> = Arc::new(serde_json::from_str(&commands)?);
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let (outcomes, mut ended) = mpsc::channel::<Outcome>(AT_ONCE);
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                let order: Order = serde_json::from_str(&line)?;
                let (commands, at_once, outcomes) = (commands.clone(), at_once.clone(), outcomes.clone());
                tokio::spawn(async move {
                    // Whoever asked waits for a bounded time: one that begins later would run for nobody, and keep the rest waiting.
                    let Ok(_turn) = timeout(order.patience(), at_once.acquire()).await else {
                        return;
                    };
                    let _ = outcomes.send(obey(&commands, &order).await).await;
                });
            }
            Some(outcome) = ended.recv() => {
                let line = serde_json::to_string(&outcome)? + "\n";
                stdout.write_all(line.as_bytes()).await?;
            }
        }
    }
}

async fn obey(commands: &[Vec<String>], order: &Order) -> Outcome {
    let words = commands.get(order.command).map(|of| filled(of, order));
    let (end, line) = match words.as_deref() {
        Some([program, arguments @ ..]) => run(program, arguments, order).await,
        _ => (End::NotStarted, "no such command".into()),
    };
    Outcome {
        id: order.id,
        end,
        line,
    }
}

async fn run(program: &str, arguments: &[String], order: &Order) -> (End, String) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("HOWDAH_POOL", &order.pool)
        .env("HOWDAH_SERVER", &order.server)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (End::NotStarted, format!("{program}: {error}")),
    };
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let waited = timeout(
        Duration::from_millis(order.millis),
        ended(&mut child, group),
    )
    .await;
    end_all(group);
    match waited {
        Ok(end) => end,
        Err(_) => {
            let _ = child.wait().await;
            (End::TooLate, String::new())
        }
    }
}

/// Its end and its first line. What it says beyond the first kilobytes nobody reads: it is not held up by that, but ended.
async fn ended(child: &mut Child, group: Option<Pid>) -> (End, String) {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let gone = async {
        let status = child.wait().await;
        // What it leaves behind would hold its pipes, and pile up, one with each question.
        end_all(group);
        status
    };
    let (status, out, err) = tokio::join!(gone, heard(out), heard(err));
    let said = if out.is_empty() { err } else { out };
    let end = match status {
        Ok(status) => {
            use std::os::unix::process::ExitStatusExt;
            let signal = status.signal().unwrap_or_default();
            status.code().map_or(End::Signal(signal), End::Code)
        }
        Err(error) => return (End::NotStarted, error.to_string()),
    };
    (end, said)
}

fn end_all(group: Option<Pid>) {
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

async fn heard(from: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut heard = Vec::new();
    if let Some(mut from) = from {
        let _ = (&mut from).take(HEARD_MAX).read_to_end(&mut heard).await;
        // The rest goes nowhere, so that a program that says much can end.
        let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }
    let text = String::from_utf8_lossy(&heard);
    text.lines().next().unwrap_or_default().to_owned()
}

/// Programs that run side by side; more wait for their turn.
const AT_ONCE: usize = 32;

/// What is kept of what a program says.
const HEARD_MAX: u64 = 4096;

//! A bounded queue of lines and the thread that writes them: what keeps a slow disk away from sessions.
//!
//! [`Outlet::push`] copies the line into a buffer under a short lock and never waits for a write; when the
//! buffer is full, or a write fails, the lines are counted as lost. The writer takes the whole buffer at once,
//! so many sessions share one `write`.
//!
//! [`Outlet::reopen`] is for who renames log files: the writer itself opens the file again, after the lines that were queued
//! before, so that each line is in one file, whole.

use std::io::{self, Write};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use super::sink::Sink;

/// The sending side; dropping the last clone ends the writer once it has written everything.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Sender>);

/// What to do about lines that cannot be written.
pub(super) struct Loss {
    pub(super) counter: IntCounter,
    /// Which log.
    pub(super) name: &'static str,
    /// Warn through `tracing`, once a minute; not for the outlet that `tracing` itself writes to.
    pub(super) warn: bool,
}

impl Outlet {
    /// Starts the writer thread.
    pub(super) fn start(name: &str, sink: Sink, loss: Loss) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            idle: Condvar::new(),
            loss,
            warned: Mutex::new(None),
        });
        // The writer holds no Sender: the drop of the last one is its end.
        let writer = Arc::clone(&shared);
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || writer.run(sink))?;
        Ok(Self(Arc::new(Sender(shared))))
    }

    /// Queues one line, which ends with a newline. Never waits for a write.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.0.lock();
        let before = state.buffer.len();
        if before + line.len() > CAPACITY {
            drop(state);
            self.0.lost(1, "the queue is full");
            return;
        }
        state.buffer.extend_from_slice(line);
        let after = state.buffer.len();
        drop(state);
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.0.work.notify_one();
        }
    }

    /// Lines from now on go elsewhere; those queued before still go to the old place.
    pub(super) fn switch(&self, sink: Sink) {
        self.0.lock().next = Some(sink);
        self.0.work.notify_one();
    }

    /// Lines from now on go to the file that has the name now; who cannot be opened again stays. Waits for nothing.
    pub(super) fn reopen(&self) {
        self.0.lock().reopen = true;
        self.0.work.notify_one();
    }

    /// Waits until everything queued is written, at most `patience` (a reader that is stuck keeps us no longer).
    /// Returns whether all was written. Blocks the thread.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut state = self.0.lock();
        state.hurry = true;
        self.0.work.notify_one();
        let busy = |state: &mut State| state.writing || !state.is_done();
        let (state, waited) = self
            .0
            .idle
            .wait_timeout_while(state, patience, busy)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !waited.timed_out()
    }
}

/// What all clones of an [`Outlet`] hold together.
struct Sender(Arc<Shared>);

impl Deref for Sender {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.lock().closed = true;
        self.work.notify_one();
    }
}

struct Shared {
    state: Mutex<State>,
    /// Something to write, or to know.
    work: Condvar,
    /// Nothing left to write.
    idle: Condvar,
    loss: Loss,
    warned: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    next: Option<Sink>,
    reopen: bool,
    writing: bool,
    /// Somebody waits in `flush`: do not linger.
    hurry: bool,
    closed: bool,
}

impl State {
    fn is_done(&self) -> bool {
        self.buffer.is_empty() && self.next.is_none() && !self.reopen
    }
}

/// What follows the lines of a batch.
struct After {
    /// Another place.
    next: Option<Sink>,
    /// The same place under its name.
    reopen: bool,
}

impl Shared {
    fn run(&self, mut sink: Sink) {
        let mut batch = Vec::new();
        while let Some(after) = self.take(&mut batch) {
            if !batch.is_empty() {
                let last = after.next.is_some();
                let written = sink.write(&batch, &|| last || self.is_to_leave());
                if let Some(why) = written.why {
                    self.lost(written.lost, &why.to_string());
                }
            }
            batch.clear();
            batch.shrink_to(CAPACITY / 4);
            match after.next {
                Some(next) => sink = next,
                None if after.reopen => self.open_again(&mut sink),
                None => {}
            }
            self.lock().writing = false;
            self.idle.notify_all();
        }
    }

    fn open_again(&self, sink: &mut Sink) {
        if let Err(error) = sink.reopen() {
            let log = self.loss.name;
            tracing::warn!(log, %error, "a log file cannot be opened again: lines go to the old one");
            if !self.loss.warn {
                // The line above goes to the old file itself, which may have been deleted.
                let text = "cannot be opened again: lines go to the old file, and are lost where that was deleted";
                let _ = writeln!(
                    io::stderr(),
                    "howdah: the log of the process {text}: {error}"
                );
            }
        }
    }

    /// There is another place to go to, or nobody to wait with.
    fn is_to_leave(&self) -> bool {
        let state = self.lock();
        state.next.is_some() || state.closed
    }

    /// Waits for work, lets a batch gather, and takes it; `None` when closed and empty.
    fn take(&self, batch: &mut Vec<u8>) -> Option<After> {
        let mut state = self.lock();
        loop {
            let small = !state.buffer.is_empty() && state.buffer.len() < BATCH;
            if small && !state.hurry && !state.closed {
                let gathering =
                    |state: &mut State| state.buffer.len() < BATCH && !state.hurry && !state.closed;
                let waited = self.work.wait_timeout_while(state, LINGER, gathering);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            if !state.is_done() {
                std::mem::swap(&mut state.buffer, batch);
                state.writing = true;
                return Some(After {
                    next: state.next.take(),
                    reopen: std::mem::take(&mut state.reopen),
                });
            }
            state.hurry = false;
            if state.closed {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lost(&self, lines: u64, why: &str) {
        self.loss.counter.inc_by(lines);
        if !self.loss.warn {
            return;
        }
        let log = self.loss.name;
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|last| last.elapsed() >= WARN_EVERY) {
            *warned = Some(Instant::now());
            drop(warned);
            tracing::warn!(
                log,
                why,
                lost = self.loss.counter.get(),
                "log lines are lost"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some 20,000 lines.
const CAPACITY: usize = 8 * 1024 * 1024;
/// Enough for one `write`.
const BATCH: usize = 64 * 1024;
/// How long a line may wait for others to share its `write`.
const LINGER: Duration = Duration::from_millis(10);
const WARN_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::path::Path;

    use rustix::fs::OFlags;

    fn loss() -> Loss {
        let counter = IntCounter::new("lost", "for the test").expect("valid");
        Loss {
            counter,
            name: "access",
            warn: true,
        }
    }

    fn outlet(path: &Path) -> Outlet {
        Outlet::start("test", Sink::file(path).expect("opens"), loss()).expect("starts")
    }

    #[test]
    fn lines_are_there_after_a_flush_in_order() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("log");
        let outlet = outlet(&path);
        let mut expected = String::new();
        for number in 0..50_000 {
            let line = format!("line {number}\n");
            outlet.push(line.as_bytes());
            expected.push_str(&line);
        }
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), expected);
    }

    #[test]
    fn dropping_the_last_clone_writes_what_is_queued() {
        let (mut reader, writer) = io::pipe().expect("pipe");
        let sink = Sink::stream(File::from(std::os::fd::OwnedFd::from(writer)));
        let outlet = Outlet::start("test", sink, loss()).expect("starts");
        let other = outlet.clone();
        outlet.push(b"one\n");
        drop(outlet);
        other.push(b"two\n");
        drop(other);
        let mut all = String::new();
        // Ends only when the writer thread has ended and closed the pipe.
        reader.read_to_string(&mut all).expect("reads");
        assert_eq!(all, "one\ntwo\n");
    }

    #[test]
    fn a_switch_keeps_the_order_of_lines() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let outlet = outlet(&old);
        outlet.push(b"before\n");
        outlet.flush(Duration::from_secs(10));
        outlet.switch(Sink::file(&new).expect("opens"));
        outlet.flush(Duration::from_secs(10));
        outlet.push(b"after\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(std::fs::read_to_string(&old).expect("reads"), "before\n");
        assert_eq!(std::fs::read_to_string(&new).expect("reads"), "after\n");
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_no_time() {
        let (_reader, writer) = io::pipe().expect("pipe");
        let sink = Sink::stream(File::from(std::os::fd::OwnedFd::from(writer)));
        let outlet = Outlet::start("test", sink, loss()).expect("starts");
        let line = [b'x'; 1023]
            .iter()
            .chain(b"\n")
            .copied()
            .collect::<Vec<u8>>();
        let began = Instant::now();
        for _ in 0..20 * 1024 {
            outlet.push(&line);
        }
        assert!(began.elapsed() < Duration::from_secs(5), "a push waited");
        assert!(outlet.0.loss.counter.get() > 0);
        assert!(!outlet.flush(Duration::from_millis(50)));
    }

    #[test]
    fn a_full_disk_is_counted() {
        let sink = Sink::file(Path::new("/dev/full")).expect("Linux has it");
        let outlet = Outlet::start("test", sink, loss()).expect("starts");
        outlet.push(b"one\ntwo\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(outlet.0.loss.counter.get(), 2);
        assert!(outlet.0.warned.lock().expect("not poisoned").is_some());
    }

    #[test]
    fn a_rotation_under_load_loses_no_line_and_doubles_none() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("log");
        let outlet = outlet(&path);
        let (writers, lines, turns) = (4, 20_000, 50);
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let outlet = outlet.clone();
                thread::spawn(move || {
                    for number in 0..lines {
                        outlet.push(format!("{writer} {number}\n").as_bytes());
                    }
                })
            })
            .collect();
        for turn in 0..turns {
            let aside = dir.path().join(format!("log.{turn}"));
            std::fs::rename(&path, aside).expect("renames");
            outlet.reopen();
            assert!(outlet.flush(Duration::from_secs(10)));
        }
        for thread in threads {
            thread.join().expect("pushed them all");
        }
        assert!(outlet.flush(Duration::from_secs(10)));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir.path()).expect("lists") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("reads");
            assert!(text.is_empty() || text.ends_with('\n'), "a torn line");
            found.extend(text.lines().map(str::to_owned));
        }
        found.sort();
        let mut expected: Vec<_> = (0..writers)
            .flat_map(|writer| (0..lines).map(move |number| format!("{writer} {number}")))
            .collect();
        expected.sort();
        assert!(
            found == expected,
            "{} of {} lines",
            found.len(),
            expected.len()
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_again_stays() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("log");
        let outlet = outlet(&path);
        let aside = dir.path().join("aside");
        std::fs::rename(&path, &aside).expect("renames");
        std::fs::create_dir(&path).expect("stands in the way");
        outlet.reopen();
        outlet.push(b"one\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(std::fs::read_to_string(aside).expect("reads"), "one\n");
    }

    #[test]
    fn lines_of_a_deleted_file_that_cannot_be_made_again_are_counted() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("log");
        let outlet = outlet(&path);
        std::fs::remove_file(&path).expect("removes");
        std::fs::create_dir(&path).expect("stands in the way");
        outlet.reopen();
        assert!(outlet.flush(Duration::from_secs(10)));
        outlet.push(b"one\ntwo\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(outlet.0.loss.counter.get(), 2);
        std::fs::remove_dir(&path).expect("out of the way");
        outlet.reopen();
        outlet.push(b"three\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        outlet.push(b"four\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        // The third may have come before the file was opened again; each is counted or kept.
        let kept = std::fs::read_to_string(&path).expect("reads");
        assert!(kept.ends_with("four\n"), "{kept}");
        let lost = outlet.0.loss.counter.get();
        assert_eq!(lost + kept.lines().count() as u64, 4, "{lost} {kept}");
    }

    #[test]
    fn a_named_pipe_without_a_reader_is_an_error_at_once() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        assert!(Sink::file(&path).is_err());
    }

    #[test]
    fn a_stuck_pipe_is_left_for_a_better_place() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (_reader, writer) = io::pipe().expect("pipe");
        let stuck = File::from(std::os::fd::OwnedFd::from(writer));
        rustix::fs::fcntl_setfl(&stuck, OFlags::NONBLOCK).expect("a flag");
        let outlet = Outlet::start("test", Sink::stream(stuck), loss()).expect("starts");
        outlet.push(&[b'x'; 1 << 20]);
        outlet.push(b"\n");
        assert!(!outlet.flush(Duration::from_millis(50)), "a pipe of 1 MiB?");
        let path = dir.path().join("better");
        outlet.switch(Sink::file(&path).expect("opens"));
        assert!(outlet.flush(Duration::from_secs(10)));
        outlet.push(b"after\n");
        assert!(outlet.flush(Duration::from_secs(10)));
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "after\n");
        assert_eq!(outlet.0.loss.counter.get(), 1);
    }
}

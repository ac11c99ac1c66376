//! The service manager (systemd, or whatever speaks as it does): what it is told. The sockets that it gives are in
//! [`super::given`].
//!
//! Connected before the process locks itself in. Where nobody manages, every word goes nowhere.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendFlags, send};
use rustix::time::{ClockId, clock_gettime};

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that started this process, by `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn of_this_process() -> Self {
        Self {
            socket: env::var_os("NOTIFY_SOCKET").and_then(|name| {
                let socket = connect(name.as_encoded_bytes());
                socket.map(Arc::new).ok()
            }),
            watchdog: watchdog(),
        }
    }

    /// Whether anybody listens.
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// How often it wants to hear of us.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_there())
    }

    /// What it told a predecessor counts for us, whom it did not start.
    pub fn inherit_watchdog(&mut self, micros: Option<u64>) {
        self.watchdog = self.watchdog.or(micros.map(Duration::from_micros));
    }

    /// We serve, or stand by.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\n{}", line(status)));
    }

    /// We serve after a takeover: it is we whom it watches from now on. Said only then, as in a container our number is another
    /// one outside.
    pub fn succeeded(&self, status: &str) {
        let pid = std::process::id();
        self.say(&format!("MAINPID={pid}\nREADY=1\n{}", line(status)));
    }

    /// A configuration is read.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// What is to be seen beside the state, until the next word.
    pub fn status(&self, status: &str) {
        self.say(&line(status));
    }

    /// We drain.
    pub fn stopping(&self, sessions: u32) {
        let status = line(&format!("draining, {sessions} sessions open"));
        self.say(&format!("STOPPING=1\n{status}"));
    }

    /// We are alive, the workers too. Where the manager does not read, this is lost, as the next one comes soon.
    pub fn alive(&self) {
        if let Some(socket) = &self.socket {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let _ = send(socket, b"WATCHDOG=1", flags);
        }
    }

    /// Waits a moment where the manager is busy: a word that it misses is not said again.
    fn say(&self, text: &str) {
        // Who does not listen any more cannot be helped.
        if let Some(socket) = &self.socket {
            let _ = socket.send(text.as_bytes());
        }
    }
}

/// One line, and not a long one.
fn line(status: &str) -> String {
    let flat = status.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = flat.chars().take(STATUS).collect();
    format!("STATUS={short}")
}

fn connect(name: &[u8]) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(BUSY))?;
    match name.split_first() {
        Some((b'@', abstract_name)) => {
            socket.connect_addr(&SocketAddr::from_abstract_name(abstract_name)?)?;
        }
        _ => {
            let path = std::str::from_utf8(name).map_err(std::io::Error::other)?;
            socket.connect(path)?;
        }
    }
    Ok(socket)
}

/// Meant for this process alone where it names one.
fn watchdog() -> Option<Duration> {
    let micros = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    let whose = env::var("WATCHDOG_PID").ok();
    let ours = whose.is_none_or(|pid| pid == std::process::id().to_string());
    (ours && micros > 0).then(|| Duration::from_micros(micros))
}

/// For the manager to read what it was told.
const BUSY: Duration = Duration::from_secs(1);
/// Characters of a status.
const STATUS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Manager, UnixDatagram) {
        let (ours, its) = UnixDatagram::pair().expect("a pair");
        ours.set_write_timeout(Some(BUSY)).expect("set");
        let manager = Manager {
            socket: Some(Arc::new(ours)),
            watchdog: Some(BUSY),
        };
        (manager, its)
    }

    fn heard(by: &UnixDatagram) -> String {
        let mut room = [0; 1024];
        let count = by.recv(&mut room).expect("heard");
        String::from_utf8_lossy(&room[..count]).into_owned()
    }

    #[test]
    fn a_busy_manager_misses_beats_and_no_word() {
        let (manager, its) = pair();
        for _ in 0..10_000 {
            manager.alive();
        }
        let late = std::thread::spawn({
            let manager = manager.clone();
            move || manager.ready("serving")
        });
        while heard(&its) == "WATCHDOG=1" {}
        late.join().expect("said");
        its.set_nonblocking(true).expect("set");
        assert!(
            its.recv(&mut [0; 8]).is_err(),
            "beats that nobody read were kept"
        );
    }

    #[test]
    fn a_status_is_one_line() {
        let (manager, its) = pair();
        manager.ready(&format!("one\nREADY=0\n{}", "x".repeat(2000)));
        let said = heard(&its);
        let lines: Vec<_> = said.lines().collect();
        assert!(
            matches!(lines[..], ["READY=1", status] if status.starts_with("STATUS=one READY=0 x") && status.len() < 320)
        );
    }
}

//! The real program under test: started on free ports, watched, and killed when the test is over.

use std::env;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::lines::{Lines, POLL};

/// A running howdah.
pub(crate) struct Howdah {
    child: Child,
    dir: Arc<TempDir>,
    log: Lines,
    access: Lines,
    /// Access lines already handed out.
    ended: usize,
}

/// Where a howdah will find its files; write them here before the start.
pub(crate) struct Site {
    dir: TempDir,
    open_files: Option<u32>,
    resolver: Option<PathBuf>,
    /// A script that mounts there, with `$0` for the path.
    mount: Option<(&'static str, PathBuf)>,
}

/// What every test wants of its howdah: free ports, JSON, access lines on stdout.
const PREAMBLE: &str = r#"
[admin]
bind = "127.0.0.1:0"

[log]
format = "json"
access = "stdout"
"#;

impl Site {
    pub(crate) fn new() -> Self {
        Self {
            dir: TempDir::with_prefix("howdah-test").unwrap(),
            open_files: None,
            resolver: None,
            mount: None,
        }
    }

    /// That folder is on a disk of its own where no byte is free, in a mount namespace.
    pub(crate) fn with_full_disk(mut self, folder: &Path) -> Self {
        self.mount = Some((FULL, folder.to_owned()));
        self
    }

    /// That folder can be read alone, in a mount namespace.
    pub(crate) fn with_read_only(mut self, folder: &Path) -> Self {
        self.mount = Some((READ_ONLY, folder.to_owned()));
        self
    }

    /// The process asks that name server, in a mount namespace of its own.
    pub(crate) fn with_name_server(mut self, server: IpAddr) -> Self {
        self.resolver = Some(self.write("resolv.conf", &format!("nameserver {server}\n")));
        self
    }

    /// The process may open that many files, and no more.
    pub(crate) fn with_open_files(mut self, count: u32) -> Self {
        self.open_files = Some(count);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file beside the configuration.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        write(self.path(), name, content)
    }

    /// Runs it with this configuration; the preamble is added.
    pub(crate) async fn start(self, config: &str) -> Howdah {
        Howdah::start_in(self, config).await
    }

    /// The same as `with` would have it done, whatever that waits for.
    pub(crate) fn spawn(self, config: &str, with: impl FnOnce(Command) -> Command) -> Howdah {
        let path = write(self.path(), "howdah.toml", &with_preamble(config));
        let mut command = program();
        command.arg("run").arg("--config").arg(&path);
        Howdah::spawn(command, Arc::new(self.dir), with)
    }
}

impl Howdah {
    /// Starts it, and waits until its first listener is there; [`Self::address`] waits for the others.
    pub(crate) async fn start(config: &str) -> Self {
        Site::new().start(config).await
    }

    async fn start_in(site: Site, config: &str) -> Self {
        let Site {
            dir,
            open_files,
            resolver,
            mount,
        } = site;
        let path = write(dir.path(), "howdah.toml", &with_preamble(config));
        let mut command = program();
        if let Some(count) = open_files {
            command = limited(&command, count);
        }
        if let Some(resolver) = resolver {
            command = resolving(&command, &resolver);
        }
        if let Some((script, folder)) = mount {
            command = mounting(&command, script, &folder);
        }
        command.arg("run").arg("--config").arg(&path);
        let howdah = Self::spawn(command, Arc::new(dir), |command| command);
        howdah
            .log
            .find(0, |line| address_in(line, "listening"))
            .await;
        howdah
    }

    /// Its control socket lies beside its configuration.
    fn spawn(
        mut command: Command,
        dir: Arc<TempDir>,
        with: impl FnOnce(Command) -> Command,
    ) -> Self {
        command
            .env("RUNTIME_DIRECTORY", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = with(command).spawn().unwrap();
        let access = match child.stdout.take() {
            Some(pipe) => Lines::of(pipe),
            None => Lines::of(std::io::empty()),
        };
        let log = Lines::of(child.stderr.take().unwrap());
        Self {
            child,
            dir,
            log,
            access,
            ended: 0,
        }
    }

    /// Another one with the same file, that takes over from this one, or from whoever has by now.
    pub(crate) fn takeover(&self) -> Self {
        self.takeover_by(|command| command)
    }

    /// The same as `with` would have it done.
    pub(crate) fn takeover_by(&self, with: impl FnOnce(Command) -> Command) -> Self {
        self.beside(&["run", "--takeover"], with)
    }

    /// Another one with the same file and in the same place.
    pub(crate) fn beside(&self, words: &[&str], with: impl FnOnce(Command) -> Command) -> Self {
        let mut command = program();
        command
            .args(words)
            .arg("--config")
            .arg(self.configuration());
        Self::spawn(command, Arc::clone(&self.dir), with)
    }

    /// The same, and it serves.
    pub(crate) async fn successor(&self) -> Self {
        let successor = self.takeover();
        successor.serves().await;
        successor
    }

    /// Waits until every listener does.
    pub(crate) async fn serves(&self) {
        let ready = |line: &Value| (text_of(line, "message")? == "howdah is ready").then_some(());
        self.log.find(0, ready).await;
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.dir().join("howdah.toml")
    }

    /// Where that listener listens now: the last address that the log announced for it.
    pub(crate) async fn address(&self, listener: &str) -> SocketAddr {
        let announced = |line: &Value| {
            let mine = line["listener"] == listener;
            mine.then(|| address_in(line, "listening")).flatten()
        };
        let (mut at, mut address) = self.log.find(0, announced).await;
        let lines = self.log.so_far();
        for (number, line) in lines.iter().enumerate().skip(at) {
            if let Some(next) = serde_json::from_str(line).ok().as_ref().and_then(announced) {
                (at, address) = (number, next);
            }
        }
        let _ = at;
        address
    }

    /// A connection to that listener.
    pub(crate) async fn connect(&self, listener: &str) -> TcpStream {
        let address = self.address(listener).await;
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Where its admin server listens.
    pub(crate) async fn admin(&self) -> SocketAddr {
        let announced = |line: &Value| address_in(line, "admin listening");
        self.log.find(0, announced).await.1
    }

    pub(crate) fn log(&self) -> &Lines {
        &self.log
    }

    /// The lines of its sessions, as they end.
    pub(crate) fn access(&self) -> &Lines {
        &self.access
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The access line of the next session that ended.
    pub(crate) async fn ended(&mut self) -> Value {
        self.ended_where(|_| true).await
    }

    /// The next access line that `wanted` likes; those before it are passed over.
    pub(crate) async fn ended_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let pick = |line: &Value| wanted(line).then(|| line.clone());
        let (at, line) = self.access().find(self.ended, pick).await;
        self.ended = at;
        line
    }

    /// Every access line so far.
    pub(crate) fn access_lines(&self) -> Vec<Value> {
        let lines = self.access.so_far();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }

    /// Writes a new configuration and asks for a reload through the command line.
    pub(crate) async fn reload(&self, config: &str) -> Output {
        self.configure(config);
        self.ctl(&["reload"]).await
    }

    /// Writes a new configuration, and no more.
    pub(crate) fn configure(&self, config: &str) {
        write(self.dir(), "howdah.toml", &with_preamble(config));
    }

    /// Runs a command against this howdah's admin address.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        command
            .args(arguments)
            .arg("--admin")
            .arg(format!("http://{}", self.admin().await));
        run(command).await
    }

    /// The same, and it must go well.
    pub(crate) async fn ctl_ok(&self, arguments: &[&str]) -> String {
        let output = self.ctl(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let end = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                sleep(POLL).await;
            }
        };
        match timeout(PATIENCE, end).await {
            Ok(status) => status,
            Err(_) => panic!("still running after {PATIENCE:?}:\n{}", self.log.tail()),
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Status code and body of a request to the admin server.
    pub(crate) async fn http(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        http(self.admin().await, method, target, body, &[]).await
    }

    /// `/api/v1/status`.
    pub(crate) async fn status(&self) -> Value {
        let (code, body) = self.http("GET", "/api/v1/status", "").await;
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// That server's entry in the status.
    pub(crate) async fn server(&self, pool: &str, server: &str) -> Value {
        let status = self.status().await;
        named(&named(&status["pools"], pool)["servers"], server)
    }

    /// Waits until that server's health is as said.
    pub(crate) async fn healthy(&self, pool: &str, server: &str, health: &str) {
        crate::eventually!(self.server(pool, server).await["health"] == health);
    }

    /// One sample of `/metrics`, the sum over all series that have these labels.
    pub(crate) async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, text) = self.http("GET", "/metrics", "").await;
        sum_of_samples(&text, name, labels)
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib: u64 = line
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|number| number.parse().ok())
            .unwrap();
        kib * 1024
    }
}

impl Drop for Howdah {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- howdah's log ends:\n{}", self.log.tail());
            eprintln!("--- its access lines end:\n{}", self.access.tail());
        }
    }
}

/// The program under test, without the environment's wishes.
pub(crate) fn program() -> Command {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_howdah"));
    let mut command = Command::new(env::var_os("HOWDAH_TEST_PROGRAM").map_or(built, PathBuf::from));
    command
        .env_remove("HOWDAH_ADMIN")
        .env_remove("HOWDAH_TOKEN")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// The same program under a bound that it cannot raise.
fn limited(program: &Command, open_files: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {open_files} && exec \"$0\" \"$@\"");
    command.arg("-c").arg(script).arg(program.get_program());
    command
}

/// The same program with another `/etc/resolv.conf`, for which one needs to be root, if only in a namespace.
fn resolving(program: &Command, resolver: &Path) -> Command {
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    mounting(program, script, resolver)
}

/// The same program in a mount namespace, after a script with that path.
fn mounting(program: &Command, script: &str, path: &Path) -> Command {
    let mut command = Command::new("unshare");
    let root = rustix::process::geteuid().is_root();
    command
        .args(if root { &["-m"][..] } else { &["-m", "-r"] })
        .args(["sh", "-c", script])
        .arg(path)
        .arg(program.get_program());
    command
}

/// One page, and it is taken.
const FULL: &str = "mount -t tmpfs -o size=4k tmpfs \"$0\" && head -c 4096 /dev/zero > \"$0/filler\" && exec \"$@\"";

const READ_ONLY: &str = "mount -t tmpfs -o ro tmpfs \"$0\" && exec \"$@\"";

/// Runs a command to its end without blocking the test's runtime; kills it when it has none.
pub(crate) async fn run(mut command: Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (stdout, stderr) = (Lines::of(stdout), Lines::of(stderr));
    let end = async {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            sleep(POLL).await;
        }
    };
    let Ok(status) = timeout(PATIENCE, end).await else {
        let _ = child.kill();
        panic!(
            "{command:?} did not end; it wrote:\n{}\n{}",
            stdout.tail(),
            stderr.tail()
        );
    };
    Output {
        status,
        stdout: stdout.all_of_it().await,
        stderr: stderr.all_of_it().await,
    }
}

/// The entry of that name in a list of the status.
pub(crate) fn named(list: &Value, name: &str) -> Value {
    let entries = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let found = entries.iter().find(|entry| entry["name"] == name);
    found
        .cloned()
        .unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// A whole HTTP/1.1 exchange on a connection of its own.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    target: &str,
    body: &str,
    headers: &[&str],
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    timeout(PATIENCE, read).await.expect("an answer").unwrap();
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    (code.unwrap_or(0), body.unwrap_or_default().to_owned())
}

pub(crate) fn sum_of_samples(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    text.lines()
        .filter(|line| {
            let rest = line.strip_prefix(name).unwrap_or("x");
            rest.starts_with('{') || rest.starts_with(' ')
        })
        .filter(|line| wanted.iter().all(|label| line.contains(label.as_str())))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn with_preamble(config: &str) -> String {
    let config = with_way(config);
    if config.contains("[admin]") {
        return config;
    }
    format!("{config}\n{PREAMBLE}")
}

/// `HOWDAH_TEST_RELAY=copy` (or `splice`) runs every test with that way of relaying.
fn with_way(config: &str) -> String {
    let Ok(way) = env::var("HOWDAH_TEST_RELAY") else {
        return config.to_owned();
    };
    let global = format!("[global]\nrelay = \"{way}\"\n");
    if config.contains("[global]\n") {
        config.replacen("[global]\n", &global, 1)
    } else {
        format!("{config}\n{global}")
    }
}

fn write(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    // Renamed into place, as careful people do: a reload never sees half a file.
    let half = dir.join(format!("{name}.half"));
    fs::write(&half, content).unwrap();
    fs::rename(&half, &path).unwrap();
    path
}

fn address_in(line: &Value, message: &str) -> Option<SocketAddr> {
    if text_of(line, "message")? != message {
        return None;
    }
    text_of(line, "address")?.parse().ok()
}

/// A field of a log line, at the top or among `fields`.
fn text_of(line: &Value, field: &str) -> Option<String> {
    let value = line.get(field).or_else(|| line.get("fields")?.get(field))?;
    value.as_str().map(str::to_owned)
}

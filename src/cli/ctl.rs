//! Talks to a running howdah: `status`, `drain`, `maintenance`, `ready`, `weight`, `reload`, `events`,
//! `explain`, `sessions`, `doctor`.
//!
//! Each command is one request to the admin address (`drain --wait` asks again until the server is empty) and one
//! exit code: 0 done, 1 failed, 2 usage, 78 a reload of a faulty configuration. What went wrong is a sentence on standard
//! error that says what to do.

mod availability;
mod cluster_table;
pub mod doctor;
mod events;
pub mod explain;
mod http;
mod known;
pub(super) mod session_table;
mod sessions;
mod sse;
mod status;
mod status_table;
pub(super) mod table;
pub(super) mod terminal;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

pub use self::availability::{AvailabilityArgs, availability};
pub use self::events::{EventsArgs, events};
pub(in crate::cli) use self::http::{Client, CtlError};
pub use self::sessions::{SessionsArgs, list_sessions};
pub use self::status::{StatusArgs, status};
use super::{DONE, FAILED, FAULTY, USAGE};
use crate::admin::encode;
use crate::admin::status::ServerStatus;
use crate::base::unit;

/// Which howdah, and by what right.
#[derive(Args, Clone, Debug)]
pub struct Reach {
    /// The admin address of a running howdah: http://, https:// or unix:/PATH [default: unix:/run/howdah/admin.sock where
    /// that answers, else http://127.0.0.1:9600]
    #[arg(long, value_name = "URL", env = "HOWDAH_ADMIN")]
    admin: Option<String>,
    /// A file that holds the admin token [default: the value of HOWDAH_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of those who sign the certificate of an https address [default: the system's store]
    #[arg(long, value_name = "FILE", env = "HOWDAH_CA")]
    ca: Option<PathBuf>,
}

/// `howdah drain`
#[derive(Args, Debug)]
pub struct DrainArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// End the sessions that are left after this time, like 30m; without it they have all the time they need
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Return when the server has no session left
    #[arg(long)]
    wait: bool,
}

/// `howdah maintenance` and `howdah ready`
#[derive(Args, Debug)]
pub struct ServerArgs {
    #[command(flatten)]
    reach: Reach,
    /// The server, as `howdah status` names it, or by its host:port
    #[arg(value_name = "POOL/SERVER")]
    server: Target,
}

/// `howdah weight`
#[derive(Args, Debug)]
pub struct WeightArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A whole number from 1 to 256; a server has 1 unless the file says otherwise
    #[arg(value_name = "N", value_parser = weight_of)]
    weight: u16,
}

/// `howdah reload`
#[derive(Args, Debug)]
pub struct ReloadArgs {
    #[command(flatten)]
    reach: Reach,
    /// Say what would change, with the sessions of servers that would leave, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what the API says, for programs
    #[arg(long)]
    json: bool,
}

/// Lets a server's sessions end and gives it no new ones.
pub fn drain(args: &DrainArgs) -> ExitCode {
    let body = args.timeout.map(|timeout| {
        let timeout = unit::show_duration(timeout);
        serde_json::json!({ "timeout": timeout }).to_string()
    });
    finish(args.server.reach.client().and_then(|client| {
        let server = order(&client, &args.server.server, "drain", body.as_deref())?;
        if !args.wait {
            let server_name = &args.server.server;
            return Ok(match server.sessions_active {
                0 => format!("{server_name} is draining, and empty\n"),
                some => format!("{server_name} is draining: {}\n", sessions(some)),
            });
        }
        wait(&client, &args.server.server, server)
    }))
}

/// Takes a server out until `ready`.
pub fn maintenance(args: &ServerArgs) -> ExitCode {
    simple(args, "maintenance")
}

/// Puts a server back to work.
pub fn ready(args: &ServerArgs) -> ExitCode {
    simple(args, "ready")
}

/// Changes a weight.
pub fn weight(args: &WeightArgs) -> ExitCode {
    finish(args.server.reach.client().and_then(|client| {
        let path = format!("{}/weight", args.server.server.path());
        let body = serde_json::json!({ "weight": args.weight }).to_string();
        let server: ServerStatus = client.ask("PUT", &path, Some(&body))?;
        Ok(format!(
            "{} has weight {}\n",
            args.server.server, server.weight
        ))
    }))
}

/// Has the file read again, or asks what that would change.
pub fn reload(args: &ReloadArgs) -> ExitCode {
    let body = args.dry_run.then_some(r#"{"dry_run": true}"#);
    finish(args.reach.client().and_then(|client| {
        let text = client.send("POST", "/api/v1/reload", body)?;
        if args.json {
            return Ok(text);
        }
        let done: Reloaded = client.read(&text)?;
        for warning in &done.warnings {
            complain(warning.trim_end());
        }
        let generation = done.generation;
        let (head, nothing) = match args.dry_run {
            false => ("runs", "nothing had changed"),
            true => ("runs on; a reload would change", "nothing"),
        };
        let what = match done.changes.as_slice() {
            [] => nothing.to_owned(),
            changes => changes.join("\n  "),
        };
        Ok(format!(
            "configuration no. {generation} {head}:\n  {what}\n"
        ))
    }))
}

#[derive(Deserialize)]
struct Reloaded {
    generation: u64,
    changes: Vec<String>,
    warnings: Vec<String>,
}

/// `POOL/SERVER`; the pool ends at the first slash.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    pool: String,
    server: String,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((pool, server)) if !pool.is_empty() && !server.is_empty() => Ok(Self {
                pool: pool.into(),
                server: server.into(),
            }),
            _ => Err("write it as POOL/SERVER, like hive/hs2-1.example.com:10000; `howdah status` shows them".into()),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.pool, self.server)
    }
}

impl Target {
    fn path(&self) -> String {
        let (pool, server) = (encode(&self.pool), encode(&self.server));
        format!("/api/v1/pools/{pool}/servers/{server}")
    }
}

impl Reach {
    pub(in crate::cli) fn client(&self) -> Result<Client, CtlError> {
        let token = match &self.token_file {
            Some(path) => Some(token_in(path)?),
            None => std::env::var("HOWDAH_TOKEN").ok(),
        };
        let token = token.map(|token| token.trim().to_owned());
        // HOWDAH_ADMIN= is as good as none.
        let admin = self.admin.as_deref().filter(|admin| !admin.is_empty());
        let token = token.filter(|token| !token.is_empty());
        Client::new(admin.unwrap_or_else(nearest), token, self.ca.as_deref())
    }
}

/// What `--token-file` holds. An empty one is a mistake, and not the same as none.
fn token_in(path: &Path) -> Result<String, CtlError> {
    let unread = |error: io::Error| {
        let why = match error.kind() {
            ErrorKind::NotFound => "there is no such file".into(),
            ErrorKind::PermissionDenied => {
                "permission denied: become root or the user that howdah runs as, or have the file's group read it".into()
            }
            ErrorKind::IsADirectory => "it is a folder".into(),
            ErrorKind::InvalidData => "it is no text".into(),
            _ => error.to_string(),
        };
        CtlError::TokenFile(path.into(), why)
    };
    let token = std::fs::read_to_string(path).map_err(unread)?;
    match token.trim() {
        "" => Err(CtlError::NoToken(path.into())),
        _ => Ok(token),
    }
}

/// The socket of a howdah of this machine, if this user may use it.
fn nearest<'a>() -> &'a str {
    match UnixStream::connect(DEFAULT_SOCKET.trim_start_matches("unix:")) {
        Ok(_) => DEFAULT_SOCKET,
        Err(_) => DEFAULT_ADMIN,
    }
}

fn order(
    client: &Client,
    target: &Target,
    verb: &str,
    body: Option<&str>,
) -> Result<ServerStatus, CtlError> {
    client.ask("POST", &format!("{}/{verb}", target.path()), body)
}

fn simple(args: &ServerArgs, verb: &str) -> ExitCode {
    finish(args.reach.client().and_then(|client| {
        let server = order(&client, &args.server, verb, None)?;
        let now = match (server.admin.as_str(), server.health.as_str()) {
            ("ready", "up") => "is back to work".to_owned(),
            ("ready", health) => {
                format!("is ready, and gets sessions once it is up: now it is {health}")
            }
            (admin, _) => format!("is in {admin}: {}", sessions(server.sessions_active)),
        };
        Ok(format!("{} {now}\n", args.server))
    }))
}

/// Asks until the server is empty; somebody else may call the drain off meanwhile.
fn wait(client: &Client, target: &Target, first: ServerStatus) -> Result<String, CtlError> {
    let terminal = io::stderr().is_terminal();
    let mut server = first;
    while server.sessions_active > 0 {
        if server.admin == "ready" {
            return Err(CtlError::CalledOff(target.to_string()));
        }
        if terminal {
            eprint!("\r\x1b[K{target}: {}", sessions(server.sessions_active));
        }
        pause();
        server = client.ask("GET", &target.path(), None)?;
    }
    if terminal {
        eprint!("\r\x1b[K");
    }
    Ok(format!("{target} is drained\n"))
}

fn sessions(count: u64) -> String {
    match count {
        1 => "1 session left".into(),
        count => format!("{count} sessions left"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command has no sessions to block"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(200));
}

/// A length of time, or how to write one.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    unit::duration(text).map_err(|error| format!("{error}; write a duration like 90s, 30m or 2h"))
}

/// How many, of at most so many.
fn count<const MOST: u64>(text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("write a whole number from 1 to {MOST}"))
}

fn weight_of(text: &str) -> Result<u16, String> {
    let weight = text
        .parse()
        .ok()
        .filter(|weight| (1..=256).contains(weight));
    weight.ok_or_else(|| {
        "a weight is a whole number from 1 to 256; to give a server nothing, drain it".to_owned()
    })
}

/// Prints what came, or what went wrong; a reader that left early (`| head`) is nobody's fault.
pub(in crate::cli) fn finish(outcome: Result<String, CtlError>) -> ExitCode {
    match outcome {
        Ok(text) => {
            let mut out = io::stdout().lock();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            ExitCode::from(DONE)
        }
        Err(CtlError::Faulty(error, faults)) => {
            for fault in faults {
                complain(fault.trim_end());
                complain("");
            }
            complain(&format!("howdah: {error}"));
            ExitCode::from(FAULTY)
        }
        Err(error) => {
            complain(&format!("howdah: {error}"));
            let usage = matches!(
                error,
                CtlError::Address(_) | CtlError::Token | CtlError::Usage(_)
            );
            ExitCode::from(if usage { USAGE } else { FAILED })
        }
    }
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Where a howdah's admin server listens unless its file says otherwise.
const DEFAULT_ADMIN: &str = "http://127.0.0.1:9600";
/// Where the documentation puts its socket.
const DEFAULT_SOCKET: &str = "unix:/run/howdah/admin.sock";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn a_target_is_split_at_the_first_slash() {
        let target: Target = "hive/hs2/1 x".parse().expect("valid");
        assert_eq!(
            (target.pool.as_str(), target.server.as_str()),
            ("hive", "hs2/1 x")
        );
        assert_eq!(target.path(), "/api/v1/pools/hive/servers/hs2%2F1%20x");
        for wrong in ["hive", "hive/", "/hs2", ""] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    fn server(admin: &str, sessions_active: u64) -> ServerStatus {
        ServerStatus {
            name: "hs2".into(),
            address: "hs2:10000".into(),
            weight: 1,
            backup: false,
            health: "up".into(),
            since: None,
            role: None,
            load: None,
            on_offer: true,
            admin: admin.into(),
            max_connections: None,
            sessions_active,
            sessions_total: 9,
            reason: None,
            recalled: false,
            ordered: None,
            last_probe: None,
        }
    }

    /// An admin server that says these in turn, and then is gone.
    fn saying(all: Vec<ServerStatus>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            for one in all {
                let (mut stream, _) = listener.accept().expect("accepts");
                let _ = stream.read(&mut [0; 4096]);
                let body = serde_json::to_string(&one).expect("JSON");
                let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\n{body}");
            }
        });
        Client::new(&url, None, None).expect("an address")
    }

    #[test]
    fn waiting_ends_when_the_server_is_empty() {
        let target: Target = "hive/hs2".parse().expect("valid");
        let client = saying(vec![server("draining", 1), server("draining", 0)]);
        let said = wait(&client, &target, server("draining", 2)).expect("drained");
        assert_eq!(said, "hive/hs2 is drained\n");
    }

    #[test]
    fn waiting_ends_when_somebody_calls_the_drain_off() {
        let target: Target = "hive/hs2".parse().expect("valid");
        let client = saying(vec![server("ready", 1)]);
        let said = wait(&client, &target, server("draining", 2));
        assert!(matches!(said, Err(CtlError::CalledOff(_))));
    }

    #[test]
    fn waiting_ends_when_howdah_does() {
        let target: Target = "hive/hs2".parse().expect("valid");
        // Of an address that no other test has: nobody listens there once this is dropped.
        let listener = TcpListener::bind("127.0.53.18:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        drop(listener);
        let client = Client::new(&url, None, None).expect("an address");
        let said = wait(&client, &target, server("draining", 2));
        assert!(matches!(said, Err(CtlError::Nobody(..))));
    }
}

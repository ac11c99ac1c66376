//! `howdah probe`: one question to one server, each step with its time, and the verdict as exit code.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::{FAILED, USAGE};
use crate::base::unit;
use crate::health::{Effort, Endpoint, Finding, Reason, Verdict, probe};
use crate::plan::{
    Ask, ConnectTls, Depth, HiveAuth, HiveTransport, HttpAsk, Identity, ProbePlan, ProxyVersion,
    Roots, Secret,
};
use crate::tls::connect::Connector;

/// The server answers, but must not get new sessions.
pub const ALIVE: u8 = 3;
/// It does not answer as it should.
pub const DOWN: u8 = 4;

/// The words after `howdah probe`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit codes: 0 up, 1 failed (a file that cannot be read, say), 2 usage, 3 alive (answers, but must not get new sessions), 4 down.

Examples:
  howdah probe hiveserver2 hs2-1.example.com:10000
  howdah probe hiveserver2 hs2-1:10000 --depth query --user howdah --password-file pw --ca ca.crt
  howdah probe hiveserver2 hs2-1:10001 --transport http
  howdah probe impala impalad-1:25000
  howdah probe http hue-1:8888 --path /desktop/debug/is_alive --expect-status 200"
)]
pub struct ProbeArgs {
    /// What to ask
    #[arg(value_enum, value_name = "TYPE")]
    pub kind: Kind,
    /// Whom to ask; without a port, the usual one of the type
    #[arg(value_name = "HOST:PORT")]
    pub server: String,
    /// For the whole exchange
    #[arg(long, default_value = "3s", value_parser = unit::duration)]
    pub timeout: Duration,

    /// hiveserver2: how far to go
    #[arg(long, value_enum, default_value_t = DepthWord::Handshake)]
    pub depth: DepthWord,
    /// hiveserver2, impala via thrift: SASL PLAIN or no SASL [default: plain; impala: nosasl]
    #[arg(long, value_enum)]
    pub auth: Option<AuthWord>,
    /// User for SASL PLAIN or HTTP Basic; without one the probe says "anonymous"
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// hiveserver2: Thrift on the socket, or in HTTP requests
    #[arg(long, value_enum, default_value_t = TransportWord::Binary)]
    pub transport: TransportWord,
    /// hiveserver2 with transport http
    #[arg(long, value_name = "PATH", default_value = "/cliservice")]
    pub http_path: String,
    /// impala: the web server, or Thrift [default: thrift on ports 21000 and 21050, else web]
    #[arg(long, value_enum)]
    pub via: Option<ViaWord>,

    /// http, hue: GET, HEAD, OPTIONS or POST
    #[arg(long, default_value = "GET", value_parser = ["GET", "HEAD", "OPTIONS", "POST"])]
    pub method: String,
    /// http, hue [default: /, hue: /desktop/debug/is_alive]
    #[arg(long)]
    pub path: Option<String>,
    /// http, hue: the Host header [default: HOST:PORT]
    #[arg(long)]
    pub host: Option<String>,
    /// http, hue: statuses that are up
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        default_value = "200"
    )]
    pub expect_status: Vec<u16>,
    /// http, hue: text that the body must hold
    #[arg(long, value_name = "TEXT")]
    pub expect_body: Option<String>,

    /// Speak TLS; the certificate is verified
    #[arg(long)]
    pub tls: bool,
    /// PEM file of those who sign the server's certificate; speaks TLS [default: the system's store]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Name that the certificate must carry; speaks TLS [default: HOST]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Client certificate, PEM; speaks TLS
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// The server wants the PROXY protocol's header first
    #[arg(long, value_enum, value_name = "VERSION")]
    pub send_proxy: Option<ProxyWord>,
}

/// TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Kind {
    Tcp,
    Tls,
    Http,
    Hiveserver2,
    Impala,
    Hue,
}

/// `--depth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum DepthWord {
    Handshake,
    Session,
    Query,
}

/// `--auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum AuthWord {
    Plain,
    Nosasl,
}

/// `--transport`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum TransportWord {
    Binary,
    Http,
}

/// `--via`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ViaWord {
    Web,
    Thrift,
}

/// `--send-proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ProxyWord {
    V1,
    V2,
}

/// Asks, prints, and tells the verdict by the exit code.
pub fn run(args: &ProbeArgs) -> ExitCode {
    let (host, port) = match host_and_port(args) {
        Ok(found) => found,
        Err(error) => return complain(&error, USAGE),
    };
    let finding = match asked(args, host, port) {
        Ok(finding) => finding,
        Err(error) => return complain(&error, FAILED),
    };
    print!("{}", report(&finding));
    ExitCode::from(match finding.verdict {
        Verdict::Up => super::DONE,
        Verdict::Alive => ALIVE,
        Verdict::Down => DOWN,
    })
}

fn complain(error: &str, code: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}

/// What is printed: a line a step, and the verdict with its reason.
pub fn report(finding: &Finding) -> String {
    let mut text = String::new();
    for (step, took) in &finding.steps {
        let _ = writeln!(text, "{step:<14} {:>9.1} ms", took.as_secs_f64() * 1e3);
    }
    let verdict = finding.verdict.as_str();
    let reason = finding.reason.as_str();
    let _ = match (finding.reason, finding.detail.as_str()) {
        (Reason::Ok, "") => writeln!(text, "{verdict}"),
        (_, "") => writeln!(text, "{verdict}: {reason} in step {}", finding.step),
        (_, detail) => writeln!(
            text,
            "{verdict}: {reason} in step {}: {detail}",
            finding.step
        ),
    };
    text
}

fn asked(args: &ProbeArgs, host: String, port: u16) -> Result<Finding, String> {
    let plan = plan(args, port)?;
    let connector = match &plan.tls {
        Some(tls) => Some(Connector::new(tls).map_err(|error| error.to_string())?),
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    Ok(runtime.block_on(async {
        let started = Instant::now();
        let addresses = match resolve(&host, port, plan.timeout).await {
            Ok(addresses) => addresses,
            Err(detail) => return unresolved(started.elapsed(), detail),
        };
        let resolved = started.elapsed();
        let endpoint = Endpoint {
            addresses: &addresses,
            host: &host,
            send_proxy: args.send_proxy.map(ProxyWord::version),
        };
        let mut strangers = probe::ProbeMemory::default();
        let tls = connector.as_ref();
        let mut finding = probe::ask(&endpoint, &plan, Effort::Full, tls, &mut strangers).await;
        finding.steps.insert(0, ("resolve", resolved));
        finding
    }))
}

/// `HOST:PORT`, `[V6]:PORT`, or either without the port.
fn host_and_port(args: &ProbeArgs) -> Result<(String, u16), String> {
    let text = args.server.as_str();
    let fault = || format!("{text:?} is no address; write HOST:PORT, or [ADDRESS]:PORT for IPv6");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(fault)?;
            (host, port.strip_prefix(':'))
        }
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| fault())?,
        None => args.usual_port().ok_or_else(fault)?,
    };
    if host.is_empty() || port == 0 {
        return Err(fault());
    }
    Ok((host.to_owned(), port))
}

async fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    match tokio::time::timeout(timeout, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {timeout:?}")),
    }
}

fn unresolved(took: Duration, detail: String) -> Finding {
    Finding {
        verdict: Verdict::Down,
        reason: Reason::ResolveFailed,
        step: "resolve",
        detail,
        role: None,
        steps: vec![("resolve", took)],
        took,
        logs_error: false,
    }
}

fn plan(args: &ProbeArgs, port: u16) -> Result<ProbePlan, String> {
    let impala_web = args.kind == Kind::Impala && args.via_web(port);
    Ok(ProbePlan {
        ask: ask(args)?,
        port: impala_web.then_some(port),
        tls: tls(args)?,
        interval: args.timeout,
        fast_interval: args.timeout,
        deep_interval: args.timeout,
        timeout: args.timeout,
        rise: 1,
        fall: 1,
        observe: crate::plan::ObservePlan::DEFAULT,
    })
}

fn ask(args: &ProbeArgs) -> Result<Ask, String> {
    Ok(match args.kind {
        Kind::Tcp => Ask::Tcp,
        Kind::Tls => Ask::Tls,
        Kind::Http => Ask::Http(args.http_ask("/")),
        Kind::Hue => Ask::Hue(args.http_ask("/desktop/debug/is_alive")),
        Kind::Impala => Ask::Impala {
            auth: auth(args, AuthWord::Nosasl)?,
        },
        Kind::Hiveserver2 => Ask::HiveServer2 {
            depth: match args.depth {
                DepthWord::Handshake => Depth::Handshake,
                DepthWord::Session => Depth::Session,
                DepthWord::Query => Depth::Query,
            },
            transport: match args.transport {
                TransportWord::Binary => HiveTransport::Binary,
                TransportWord::Http => HiveTransport::Http {
                    path: args.http_path.clone(),
                },
            },
            auth: auth(args, AuthWord::Plain)?,
        },
    })
}

/// An account that is given means PLAIN, unless said otherwise.
fn auth(args: &ProbeArgs, usual: AuthWord) -> Result<HiveAuth, String> {
    let usual = if args.user.is_some() {
        AuthWord::Plain
    } else {
        usual
    };
    if args.auth.unwrap_or(usual) == AuthWord::Nosasl {
        return Ok(HiveAuth::NoSasl);
    }
    let Some(user) = args.user.clone() else {
        return Ok(HiveAuth::Plain { account: None });
    };
    let password = match &args.password_file {
        Some(path) => first_line(&read(path)?),
        None => "anonymous".to_owned(),
    };
    let account = Some((user, Secret::new(&password)));
    Ok(HiveAuth::Plain { account })
}

fn tls(args: &ProbeArgs) -> Result<Option<ConnectTls>, String> {
    let implied = args.ca.is_some() || args.server_name.is_some() || args.cert.is_some();
    if !(args.tls || implied || args.kind == Kind::Tls) {
        return Ok(None);
    }
    let roots = match &args.ca {
        Some(path) => {
            let none = || format!("{}: holds no certificate in PEM form", path.display());
            Some(Roots::from_pem(path.clone(), &read(path)?).ok_or_else(none)?)
        }
        None => None,
    };
    let identity = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            let made = Identity::from_pem(cert.clone(), &read(cert)?, key.clone(), &read(key)?);
            let told = |error| format!("{}, {}: {error}", cert.display(), key.display());
            Some(made.map_err(told)?.into())
        }
        _ => None,
    };
    Ok(Some(ConnectTls {
        roots,
        server_name: args.server_name.clone(),
        identity,
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or("").to_owned()
}

impl ProbeArgs {
    fn usual_port(&self) -> Option<u16> {
        match (self.kind, self.transport, self.via) {
            (Kind::Hiveserver2, TransportWord::Binary, _) => Some(10000),
            (Kind::Hiveserver2, TransportWord::Http, _) => Some(10001),
            (Kind::Impala, _, Some(ViaWord::Thrift)) => Some(21050),
            (Kind::Impala, ..) => Some(25000),
            (Kind::Hue, ..) => Some(8888),
            (Kind::Tcp | Kind::Tls | Kind::Http, ..) => None,
        }
    }

    fn via_web(&self, port: u16) -> bool {
        match self.via {
            Some(via) => via == ViaWord::Web,
            None => !matches!(port, 21000 | 21050),
        }
    }

    fn http_ask(&self, usual_path: &str) -> HttpAsk {
        HttpAsk {
            method: self.method.clone(),
            path: self.path.clone().unwrap_or_else(|| usual_path.to_owned()),
            host: self.host.clone(),
            expect_status: self.expect_status.clone(),
            expect_body: self.expect_body.clone(),
        }
    }
}

impl ProxyWord {
    fn version(self) -> ProxyVersion {
        match self {
            Self::V1 => ProxyVersion::V1,
            Self::V2 => ProxyVersion::V2,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProbeArgs,
    }

    fn args(line: &str) -> ProbeArgs {
        let words = std::iter::once("probe").chain(line.split(' '));
        Line::try_parse_from(words).unwrap().args
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |line: &str| host_and_port(&args(line));
        let of = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(read("tcp hs2:10009"), of("hs2", 10009));
        assert_eq!(read("hiveserver2 hs2"), of("hs2", 10000));
        assert_eq!(read("hiveserver2 hs2 --transport http"), of("hs2", 10001));
        assert_eq!(read("impala i"), of("i", 25000));
        assert_eq!(read("impala i --via thrift"), of("i", 21050));
        assert_eq!(read("hue [::1]"), of("::1", 8888));
        assert_eq!(read("hue [::1]:99"), of("::1", 99));
        assert_eq!(read("hue ::1"), of("::1", 8888));
        for fault in [
            "tcp hs2",
            "tcp :1",
            "tcp hs2:x",
            "tcp hs2:0",
            "tcp hs2:70000",
            "tcp [::1",
        ] {
            assert!(read(fault).is_err(), "{fault}");
        }
    }

    #[test]
    fn words_become_the_question() {
        let plan = |line: &str| plan(&args(line), 1).unwrap();
        assert_eq!(plan("tls x").ask, Ask::Tls);
        assert!(plan("tls x").tls.is_some());
        assert!(plan("tcp x").tls.is_none());
        let named = plan("http x --server-name y").tls.unwrap();
        assert_eq!(named.server_name.as_deref(), Some("y"));
        let Ask::HiveServer2 { depth, auth, .. } = plan("hiveserver2 x --depth query").ask else {
            panic!("another question");
        };
        assert_eq!(
            (depth, auth),
            (Depth::Query, HiveAuth::Plain { account: None })
        );
        let impala = |auth| Ask::Impala { auth };
        assert_eq!(plan("impala x").ask, impala(HiveAuth::NoSasl));
        let account = Some(("u".to_owned(), Secret::new("anonymous")));
        assert_eq!(
            plan("impala x --user u").ask,
            impala(HiveAuth::Plain { account })
        );
        let Ask::Http(http) = plan("http x --expect-status 200,204").ask else {
            panic!("another question");
        };
        assert_eq!(
            (http.path.as_str(), http.expect_status),
            ("/", vec![200, 204])
        );
    }

    #[test]
    fn impala_is_asked_where_the_port_leads() {
        assert_eq!(plan(&args("impala x"), 25000).unwrap().port, Some(25000));
        assert_eq!(plan(&args("impala x"), 21050).unwrap().port, None);
        assert_eq!(
            plan(&args("impala x --via web"), 21050).unwrap().port,
            Some(21050)
        );
    }

    #[test]
    fn the_report_has_a_line_a_step_and_the_verdict() {
        let finding = Finding {
            steps: vec![
                ("connect", Duration::from_micros(1234)),
                ("sasl", Duration::ZERO),
            ],
            step: "sasl",
            reason: Reason::Timeout,
            ..unresolved(Duration::ZERO, "no answer".to_owned())
        };
        let text = "connect              1.2 ms\nsasl                 0.0 ms\ndown: timeout in step sasl: no answer\n";
        assert_eq!(report(&finding), text);
    }
}

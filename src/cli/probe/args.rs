//! The words after `howdah probe`, as the command line takes them; what they mean is said by `question`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::cli::ctl::duration;
use crate::config;

/// The words after `howdah probe`.
#[derive(Args, Clone, Debug)]
#[command(after_help = crate::cli::help::PROBE)]
pub struct ProbeArgs {
    /// What to ask: any server by tcp, tls or http, or a service as it needs it. Or in its place a URL, or a server of a pool, which
    /// is asked with the pool's own probe, TLS and login
    #[arg(value_name = "TYPE | URL | POOL/SERVER", value_parser = What)]
    pub kind: String,
    /// Whom to ask; without a port, the usual one of the type
    #[arg(value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// POOL/SERVER: the configuration that has them [default: /etc/howdah/howdah.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// For the whole exchange, like 500ms or 5s [default: 3s; POOL/SERVER: as the pool's probe]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// hiveserver2: how far to go [default: handshake]
    #[arg(long, value_parser = ["handshake", "session", "query"])]
    pub depth: Option<String>,
    /// hiveserver2, impala via thrift: SASL PLAIN, no SASL, or a ticket [default: plain; impala: nosasl; kerberos with a keytab]
    #[arg(long, value_parser = ["plain", "nosasl", "kerberos"])]
    pub auth: Option<String>,
    /// User for SASL PLAIN or HTTP Basic; without one the probe says "anonymous". postgresql, mysql: who logs in to ask for the role
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File that holds the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<String>,
    /// postgresql, mysql: where the user logs in [default: postgres; mysql: nowhere]
    #[arg(long, value_name = "NAME", requires = "user")]
    pub database: Option<String>,
    /// postgresql, mysql: a standby that is further behind, like 30s, is alive and no more
    #[arg(long, value_name = "TIME", requires = "user", value_parser = duration)]
    pub max_lag: Option<Duration>,
    /// Kerberos: file with the keys of the principal
    #[arg(long, value_name = "FILE", requires = "principal")]
    pub keytab: Option<String>,
    /// Kerberos: in whose name tickets are asked for
    #[arg(long, value_name = "NAME", requires = "keytab")]
    pub principal: Option<String>,
    /// Kerberos: what the server calls itself [default: hive/_HOST, impala/_HOST; HTTP/_HOST for requests]
    #[arg(long, value_name = "NAME", requires = "keytab")]
    pub service_principal: Option<String>,
    /// hiveserver2: Thrift on the socket, or in HTTP requests [default: binary]
    #[arg(long, value_parser = ["binary", "http"])]
    pub transport: Option<String>,
    /// hiveserver2 with transport http [default: /cliservice]
    #[arg(long, value_name = "PATH")]
    pub http_path: Option<String>,
    /// impala: the web server, or Thrift [default: thrift on ports 21000 and 21050, else web]
    #[arg(long, value_parser = ["web", "thrift"])]
    pub via: Option<String>,

    /// What asks in steps, such as dns and kerberos-kdc: over which [default: tcp; ntp: udp]
    #[arg(long, value_parser = ["tcp", "udp"])]
    pub protocol: Option<String>,

    /// What asks by a request: GET, HEAD, OPTIONS or POST [default: GET]
    #[arg(long, value_parser = ["GET", "HEAD", "OPTIONS", "POST"])]
    pub method: Option<String>,
    /// What asks by a request [default: /, or the service's own]
    #[arg(long)]
    pub path: Option<String>,
    /// What asks by a request: the Host header [default: HOST:PORT]
    #[arg(long)]
    pub host: Option<String>,
    /// What asks by a request: statuses that are up [default: 200, or the service's own]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub expect_status: Vec<u16>,
    /// What asks by a request: text that the body must hold
    #[arg(long, value_name = "TEXT")]
    pub expect_body: Option<String>,

    /// ldap: turn the plain connection to TLS first
    #[arg(long)]
    pub starttls: bool,

    /// Speak TLS; the certificate is verified
    #[arg(long)]
    pub tls: bool,
    /// PEM file of those who sign the server's certificate; speaks TLS [default: the system's store]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<String>,
    /// Name that the certificate must carry; speaks TLS [default: HOST]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Client certificate, PEM; speaks TLS
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<String>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<String>,
    /// The server wants the PROXY protocol's header first
    #[arg(long, value_parser = ["v1", "v2"], value_name = "VERSION")]
    pub send_proxy: Option<String>,
}

impl ProbeArgs {
    /// The options that say how to ask, as far as they were given.
    pub(super) fn said(&self) -> Vec<&'static str> {
        let all = [
            ("--depth", self.depth.is_some()),
            ("--auth", self.auth.is_some()),
            ("--user", self.user.is_some()),
            ("--password-file", self.password_file.is_some()),
            ("--database", self.database.is_some()),
            ("--max-lag", self.max_lag.is_some()),
            ("--keytab", self.keytab.is_some()),
            ("--principal", self.principal.is_some()),
            ("--service-principal", self.service_principal.is_some()),
            ("--transport", self.transport.is_some()),
            ("--http-path", self.http_path.is_some()),
            ("--via", self.via.is_some()),
            ("--protocol", self.protocol.is_some()),
            ("--method", self.method.is_some()),
            ("--path", self.path.is_some()),
            ("--host", self.host.is_some()),
            ("--expect-status", !self.expect_status.is_empty()),
            ("--expect-body", self.expect_body.is_some()),
            ("--starttls", self.starttls),
            ("--tls", self.tls),
            ("--ca", self.ca.is_some()),
            ("--server-name", self.server_name.is_some()),
            ("--cert", self.cert.is_some()),
            ("--key", self.key.is_some()),
            ("--send-proxy", self.send_proxy.is_some()),
        ];
        let given = all.into_iter().filter(|(_, given)| *given);
        given.map(|(option, _)| option).collect()
    }
}

/// Any word; the types are what help and completion offer.
#[derive(Clone)]
struct What;

impl TypedValueParser for What {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            config::probe_types().into_iter().map(PossibleValue::new),
        ))
    }
}

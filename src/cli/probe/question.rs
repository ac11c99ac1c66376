//! The words of `howdah probe` → whom to ask, and what: written as a probe's table of the file, and lowered as one.
//!
//! So a word means here what it means there, and what does not go together is said as it is said of a file.

use std::net::IpAddr;
use std::time::Duration;

use super::args::ProbeArgs;
use crate::base::word::Label;
use crate::cli::exit::{FAILED, USAGE};
use crate::config;
use crate::plan::{self, Host, ProbePlan, ProxyVersion, Service};

/// What was asked for.
pub(super) struct Question {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) plan: ProbePlan,
    pub(super) send_proxy: Option<ProxyVersion>,
}

/// Why nothing is asked.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The exit code.
    pub(super) code: u8,
    /// A line each.
    pub(super) faults: Vec<String>,
}

/// Whom to ask, and what. What is wrong before any file is read is a matter of usage.
pub(super) fn question(args: &ProbeArgs) -> Result<Question, Refusal> {
    let refused = |code| move |faults| Refusal { code, faults };
    let (host, port) = server(args).map_err(|fault| refused(USAGE)(vec![fault]))?;
    let whom = args.server.as_deref().unwrap_or_default();
    let lower = |files| config::probe(&words(args, port, files), whom);
    lower(false).map_err(refused(USAGE))?;
    let plan = lower(true).map_err(refused(FAILED))?;
    Ok(Question {
        host,
        port,
        plan,
        send_proxy: args.send_proxy.as_deref().and_then(ProxyVersion::named),
    })
}

/// `HOST:PORT`, `[V6]:PORT`, or either without the port.
fn server(args: &ProbeArgs) -> Result<(String, u16), String> {
    let text = args.server.as_deref().unwrap_or_default();
    let fault = |why: &str| {
        format!("{text:?} is no address ({why}); write HOST:PORT, or [ADDRESS]:PORT for IPv6")
    };
    let (host, port) = config::address(text).map_err(|why| fault(&why))?;
    let port = port.or_else(|| usual_port(args));
    let port = port.ok_or_else(|| fault("the port is missing"))?;
    let host = match host {
        Host::Ip(ip) => IpAddr::to_string(&ip),
        Host::Name(name) => name,
    };
    Ok((host, port))
}

/// Where the servers of that type usually take this question.
fn usual_port(args: &ProbeArgs) -> Option<u16> {
    let service = Service::named(&args.kind)?;
    match service.probe {
        plan::Question::HiveServer2 { http_port } if args.transport.as_deref() == Some("http") => {
            Some(http_port)
        }
        plan::Question::Impala { web_port, .. } if args.via.as_deref() != Some("thrift") => {
            Some(web_port)
        }
        _ if has_tls(args) => service.tls_port.or(service.port),
        _ => service.port,
    }
}

/// The lines of `[pool.NAME.probe]`, with those that name files or without.
fn words(args: &ProbeArgs, port: u16, files: bool) -> String {
    let mut lines = String::new();
    let mut say = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            lines.push_str(&format!("{key} = {}\n", quoted(value)));
        }
    };
    say("type", Some(&args.kind));
    say("timeout", args.timeout.map(milliseconds).as_deref());
    say("depth", args.depth.as_deref());
    // Without files nothing is said of tickets, which need one.
    let kerberos = args.auth.as_deref() == Some("kerberos");
    say("auth", args.auth.as_deref().filter(|_| files || !kerberos));
    say("username", args.user.as_deref());
    say("database", args.database.as_deref());
    say("max_lag", args.max_lag.map(milliseconds).as_deref());
    say("transport", args.transport.as_deref());
    say("http_path", args.http_path.as_deref());
    let (via, web) = impala(args, port);
    say("via", via);
    say("protocol", args.protocol.as_deref());
    say("method", args.method.as_deref());
    say("path", args.path.as_deref());
    say("host", args.host.as_deref());
    say("expect_body", args.expect_body.as_deref());
    say("tls.server_name", args.server_name.as_deref());
    for (key, path) in [
        ("password_file", &args.password_file),
        ("keytab", &args.keytab),
        ("principal", &args.principal),
        ("service_principal", &args.service_principal),
        ("tls.ca", &args.ca),
        ("tls.certificate", &args.cert),
        ("tls.key", &args.key),
    ] {
        say(key, path.as_deref().filter(|_| files));
    }
    if !args.expect_status.is_empty() {
        lines.push_str(&format!("expect_status = {:?}\n", args.expect_status));
    }
    if args.starttls {
        lines.push_str("starttls = true\n");
    }
    if web {
        lines.push_str(&format!("port = {port}\n"));
    }
    let settings = args.ca.is_some() || args.cert.is_some();
    if has_tls(args) && args.server_name.is_none() && !(files && settings) {
        lines.push_str("tls = true\n");
    }
    lines
}

/// The way in, and whether it is the web server: where the port leads, unless said otherwise.
fn impala(args: &ProbeArgs, port: u16) -> (Option<&str>, bool) {
    let own = args.via.as_deref();
    let service = Service::named(&args.kind);
    let Some(plan::Question::Impala { thrift_ports, .. }) = service.map(|of| of.probe) else {
        return (own, false);
    };
    let led = if thrift_ports.contains(&port) {
        "thrift"
    } else {
        "web"
    };
    let via = own.unwrap_or(led);
    (Some(via), via == "web")
}

fn has_tls(args: &ProbeArgs) -> bool {
    args.tls || args.ca.is_some() || args.server_name.is_some() || args.cert.is_some()
}

fn milliseconds(length: Duration) -> String {
    format!("{}ms", length.as_millis())
}

/// A basic string of TOML 1.0.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::plan::{Ask, Depth, HiveAuth, HiveTransport, Secret};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProbeArgs,
    }

    fn args(line: &str) -> ProbeArgs {
        let words = std::iter::once("probe").chain(line.split(' '));
        Line::try_parse_from(words).unwrap().args
    }

    fn plan(line: &str) -> ProbePlan {
        question(&args(line)).unwrap().plan
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |line: &str| server(&args(line));
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
        assert_eq!(plan("tls x:1").ask, Ask::Tls);
        assert!(plan("tls x:1").tls.is_some());
        assert!(plan("tcp x:1").tls.is_none());
        assert!(plan("http x:1 --tls").tls.is_some());
        let named = plan("http x:1 --tls --server-name y").tls.unwrap();
        assert_eq!(named.server_name.as_deref(), Some("y"));
        let hive = Ask::HiveServer2 {
            depth: Depth::Query,
            transport: HiveTransport::Binary,
            auth: HiveAuth::Plain { account: None },
        };
        assert_eq!(plan("hiveserver2 x --depth query").ask, hive);
        let impala = |auth| Ask::Impala { auth };
        assert_eq!(plan("impala x").ask, impala(HiveAuth::NoSasl));
        let account = Some(("u".to_owned(), Secret::new("anonymous")));
        let ping = impala(HiveAuth::Plain { account });
        assert_eq!(plan("impala x:21050 --user u").ask, ping);
        let Ask::Http(http) = plan("http x:1 --expect-status 200,204").ask else {
            panic!("another question");
        };
        let path = http.path.as_str();
        assert_eq!((path, http.expect_status), ("/", vec![200, 204]));
    }

    #[test]
    fn impala_is_asked_where_the_port_leads() {
        assert_eq!(plan("impala x:25000").port, Some(25000));
        assert_eq!(plan("impala x:21050").port, None);
        assert_eq!(plan("impala x:21050 --via web").port, Some(21050));
    }

    #[test]
    fn what_does_not_go_together_is_usage_and_a_missing_file_is_not() {
        let refused = |line: &str| question(&args(line)).err().map(|refusal| refusal.code);
        assert_eq!(refused("tcp x:1 --depth query"), Some(USAGE));
        assert_eq!(refused("impala x:25000 --user u"), Some(USAGE));
        assert_eq!(refused("http x:1 --path y"), Some(USAGE));
        assert_eq!(refused("tcp x:1 --ca /nowhere/ca.crt"), Some(USAGE));
        assert_eq!(refused("tls x:1 --ca /nowhere/ca.crt"), Some(FAILED));
        let line = "hiveserver2 x --user u --password-file /nowhere/pw";
        let said = question(&args(line)).err().unwrap().faults.join("\n");
        assert!(
            said.contains("password_file") && said.contains("/nowhere/pw"),
            "{said}"
        );
    }

    /// Whatever is quoted is read as it was.
    #[test]
    fn strange_letters_arrive() {
        let mut args = args("http x:1");
        args.expect_body = Some("a\"b\\c\n\u{7f}\u{85}é".to_owned());
        let Ask::Http(http) = question(&args).unwrap().plan.ask else {
            panic!("another question");
        };
        assert_eq!(http.expect_body, args.expect_body);
    }
}

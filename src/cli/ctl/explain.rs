//! `howdah explain`: asks the running howdah, or a file, where a client would go.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{Reach, finish};
use crate::admin::encode;
use crate::cli::check::show_report;
use crate::cli::{FAILED, FAULTY};
use crate::config;
use crate::explain::file::explain_file;
use crate::explain::{Decision, Explanation, Query};
use crate::plan::Protocol;

/// `howdah explain`
#[derive(Args, Debug)]
#[command(after_help = crate::cli::help::EXPLAIN)]
pub struct ExplainArgs {
    #[command(flatten)]
    reach: Reach,
    /// The listener that the client comes to, as `howdah status` names it
    #[arg(long, value_name = "NAME")]
    listener: String,
    /// The client's own IP address
    #[arg(long, value_name = "IP", value_parser = address)]
    client: IpAddr,
    /// The name that it asks for by TLS (SNI)
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The proxy that it comes through, where that says so by a PROXY header (accept_proxy)
    #[arg(long, value_name = "IP", value_parser = address)]
    via: Option<IpAddr>,
    /// Over which protocol [default: the first that the listener speaks]
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<Spoken>,
    /// Ask this file instead of the running howdah: nobody is here yet, and every server counts as up
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print what the API says, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Spoken {
    Tcp,
    Udp,
}

fn address(text: &str) -> Result<IpAddr, String> {
    let wrong = |_| "write an IP address, like 10.1.2.3; names are not looked up".to_owned();
    text.parse().map_err(wrong)
}

/// Says where such a client would go.
pub fn explain(args: &ExplainArgs) -> ExitCode {
    match &args.config {
        Some(path) => of_file(args, path),
        None => of_running(args),
    }
}

fn of_running(args: &ExplainArgs) -> ExitCode {
    finish(args.reach.client().and_then(|client| {
        let text = client.send("GET", &args.path(), None)?;
        if args.json {
            return Ok(text);
        }
        let told: Explanation = client.read(&text)?;
        Ok(print(&told, "now"))
    }))
}

fn of_file(args: &ExplainArgs, path: &std::path::Path) -> ExitCode {
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(report) => {
            show_report(&report);
            return FAULTY.into();
        }
    };
    let query = Query {
        client: args.client,
        via: args.via,
        sni: args.sni.clone(),
        protocol: args.protocol.map(Spoken::protocol),
    };
    let Some(told) = explain_file(&loaded.plan, &args.listener, &query) else {
        let known = loaded.plan.listeners.iter();
        let known: Vec<&str> = known.map(|one| one.name.as_str()).collect();
        super::complain(&format!(
            "{} has no listener \"{}\": its listeners are {}",
            path.display(),
            args.listener,
            known.join(", ")
        ));
        return FAILED.into();
    };
    finish(Ok(match args.json {
        true => serde_json::to_string_pretty(&told).unwrap_or_default() + "\n",
        false => print(&told, "with every server up"),
    }))
}

impl ExplainArgs {
    fn path(&self) -> String {
        let (listener, client) = (encode(&self.listener), self.client);
        let mut path = format!("/api/v1/explain?listener={listener}&client={client}");
        if let Some(sni) = &self.sni {
            path += &format!("&sni={}", encode(sni));
        }
        if let Some(via) = self.via {
            path += &format!("&via={via}");
        }
        if let Some(protocol) = self.protocol {
            path += &format!("&protocol={}", protocol.protocol());
        }
        path
    }
}

impl Spoken {
    fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::Tcp,
            Self::Udp => Protocol::Udp,
        }
    }
}

/// The decision, then the rules one a line.
fn print(told: &Explanation, when: &str) -> String {
    let mut text = format!("{}\n\n", decided(told, when));
    let width = told.steps.iter().map(|step| step.rule.as_str().len());
    let width = width.max().unwrap_or(0);
    for step in &told.steps {
        let (outcome, rule) = (step.outcome.as_str(), step.rule.as_str());
        text += &format!("  {outcome:<6}  {rule:<width$}  {}\n", step.text);
    }
    text
}

fn decided(told: &Explanation, when: &str) -> String {
    let who = format!("{} at listener \"{}\"", told.client, told.listener);
    let pool = told.pool.as_deref().unwrap_or_default();
    let reason = told.reason.as_deref().unwrap_or_default();
    match told.decision {
        Decision::Server => {
            let server = told.server.as_deref().unwrap_or_default();
            let pick = told.pick.as_deref().unwrap_or_default();
            let chance = match told.alternatives.len() {
                0 => String::new(),
                2 => " or the other, by chance,".into(),
                some => format!(" or one of {} others, by chance,", some - 1),
            };
            format!("{who} goes to {pool}/{server}{chance} {when} ({pick})")
        }
        Decision::Queue => format!("{who} waits for a server of pool \"{pool}\" {when} ({reason})"),
        Decision::Refused => format!("{who} is refused {when} ({reason})"),
        Decision::Unknown => {
            format!("{who} goes to pool \"{pool}\"; its servers are named at run time")
        }
    }
}

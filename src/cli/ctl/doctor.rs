//! `howdah doctor`: looks for what goes wrong in practice, in the running howdah or in a file, and says how to mend it.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::http::CtlError;
use super::{Reach, finish};
use crate::cli::check::show_report;
use crate::cli::{FAILED, FAULTY};
use crate::config::{self, Fault, Loaded};
use crate::doctor::{self, Findings, System};

/// `howdah doctor`
#[derive(Args, Debug)]
#[command(after_help = crate::cli::help::DOCTOR)]
pub struct DoctorArgs {
    #[command(flatten)]
    reach: Reach,
    /// Look at this file, and at the names in it, instead of at the running howdah; what `howdah check` warns of is said too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print what the API says, for programs
    #[arg(long)]
    json: bool,
}

/// Says what it finds.
pub fn doctor(args: &DoctorArgs) -> ExitCode {
    let found = match &args.config {
        None => of_running(args),
        Some(path) => match config::load(path) {
            Ok(loaded) => Ok(of_file(&loaded)),
            Err(report) => {
                show_report(&report);
                return FAULTY.into();
            }
        },
    };
    let serious = found.as_ref().is_ok_and(Findings::is_serious);
    let shown = finish(found.map(|found| match args.json {
        true => serde_json::to_string_pretty(&found).unwrap_or_default() + "\n",
        false => print(&found, args.config.as_deref()),
    }));
    if serious { FAILED.into() } else { shown }
}

fn of_running(args: &DoctorArgs) -> Result<Findings, CtlError> {
    let client = args.reach.client()?;
    client.ask("GET", "/api/v1/doctor", None)
}

fn of_file(loaded: &Loaded) -> Findings {
    let plan = &loaded.plan;
    let mut found: Vec<_> = loaded.warnings.iter().map(of_warning).collect();
    found.extend(doctor::of_plan(plan));
    found.extend(doctor::of_names(plan, resolve));
    found.extend(doctor::of_system(plan, &System::here()));
    Findings::new(found)
}

fn of_warning(warning: &Fault) -> doctor::Finding {
    let place = warning.place.as_ref();
    let place = place.map(|place| format!("{}:{}", place.file, place.line));
    doctor::of_check(
        place.as_deref().unwrap_or("the file"),
        &warning.what,
        &warning.why,
        &warning.fix.join("; "),
    )
}

/// By this machine's own resolver, which may take a while.
fn resolve(name: &str) -> Vec<IpAddr> {
    let found = (name, 0u16).to_socket_addrs();
    let ips = found.into_iter().flatten().map(|address| address.ip());
    let mut ips: Vec<IpAddr> = ips.collect();
    ips.dedup();
    ips
}

fn print(found: &Findings, file: Option<&Path>) -> String {
    let where_from = file.map_or_else(
        || "the running howdah".to_owned(),
        |file| file.display().to_string(),
    );
    if found.findings.is_empty() {
        return format!("nothing found in {where_from}\n");
    }
    let mut text = String::new();
    for one in &found.findings {
        let (level, code, place) = (one.level.as_str(), &one.code, &one.place);
        text += &format!("{level}: {place}: {} [{code}]\n", one.what);
        for (word, said) in [("why", &one.why), ("fix", &one.fix)] {
            if !said.is_empty() {
                text += &format!("  {word}: {said}\n");
            }
        }
        text.push('\n');
    }
    text += &format!("{} in {where_from}\n", count(found.findings.len()));
    text
}

fn count(findings: usize) -> String {
    match findings {
        1 => "1 finding".into(),
        some => format!("{some} findings"),
    }
}

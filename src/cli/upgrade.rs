//! `howdah upgrade`: this program takes over from the howdah that runs, in the background.

use std::path::PathBuf;
use std::process::ExitCode;

use super::detached::{Began, start};
use super::{DEFAULT_CONFIG, DONE, FAILED};
use crate::app::heritage::program;
use crate::config;
use crate::handover::claim::look;
use crate::handover::message::Welcome;
use crate::handover::place;

/// Of `howdah upgrade`.
#[derive(clap::Args)]
pub struct UpgradeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Also where this very program runs already, for settings that wait for a start
    #[arg(long)]
    force: bool,
}

/// Exit codes: 0 it serves, or there was nothing to do; 1 the one that ran goes on, or none did; 78 faulty configuration.
pub fn run(args: &UpgradeArgs) -> ExitCode {
    let former = match former(args) {
        Ok(former) => former,
        Err(why) => {
            eprintln!("error: {why}");
            return FAILED.into();
        }
    };
    let (pid, version) = (former.pid, &former.version);
    if !args.force && !former.program.is_empty() && former.program == program() {
        println!("process {pid} runs this very program (howdah {version}): nothing to do");
        return DONE.into();
    }
    if let Some(why) = unknown_to_its_manager(&former) {
        eprintln!("error: {why}");
        return FAILED.into();
    }
    match start(&args.config) {
        Ok(Began::Serves) => {
            let new = env!("CARGO_PKG_VERSION");
            println!("howdah {new} took over from process {pid} (howdah {version}), which drains");
            DONE.into()
        }
        Ok(Began::Ended(code, why)) => {
            eprintln!("error: the new howdah did not take over, and process {pid} goes on: {why}");
            code.and_then(|code| u8::try_from(code).ok())
                .filter(|code| *code != DONE)
                .unwrap_or(FAILED)
                .into()
        }
        Err(error) => {
            eprintln!(
                "error: the new howdah cannot be started, and process {pid} goes on: {error}"
            );
            FAILED.into()
        }
    }
}

fn former(args: &UpgradeArgs) -> Result<Welcome, String> {
    // A faulty file is for the new one to tell of.
    let loaded = config::load(&args.config).ok();
    let user = loaded.and_then(|loaded| loaded.plan.global.user);
    let Some((stream, _)) = place::find(&args.config, user.map(|user| user.uid)) else {
        return Err(format!(
            "no howdah that can be taken over from runs with {}: start one by `howdah run`",
            args.config.display()
        ));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime
        .block_on(look(stream))
        .map_err(|error| error.to_string())
}

/// The end of the old one would be the end of its service, which would be started beside the new one. In a container the process
/// that was started stays, so nobody needs to know.
fn unknown_to_its_manager(former: &Welcome) -> Option<String> {
    let is_known = std::env::var_os("NOTIFY_SOCKET").is_some();
    if !former.is_managed || former.pid == 1 || is_known {
        return None;
    }
    let pid = former.pid;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mut units = groups.lines().filter_map(|line| line.rsplit('/').next());
    let unit = units.find(|unit| unit.ends_with(".service"));
    Some(format!(
        "process {pid} is a service of systemd, which would not know of the new one: systemctl reload {}",
        unit.unwrap_or("UNIT")
    ))
}

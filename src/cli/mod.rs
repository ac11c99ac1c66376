//! What users type: the grammar of the command line, and one module a command.

mod asking;
mod budget;
pub mod check;
pub mod ctl;
pub mod demo;
mod detached;
mod exit;
mod help;
pub mod pages;
pub mod probe;
pub mod run;
pub mod schema;
mod summary;
pub mod top;
pub mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use self::exit::{DEFAULT_CONFIG, DONE, FAILED, FAULTY, USAGE};

#[derive(Parser)]
#[command(
    name = "howdah",
    version,
    about = "A load balancer for HiveServer2, Impala, Hue and the rest of a Hadoop platform",
    after_help = help::HOWDAH,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve in the foreground
    #[command(after_help = help::RUN)]
    Run {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
        /// Take the sockets over from the howdah that runs with this file, which then drains and ends
        #[arg(long)]
        takeover: bool,
        /// What `upgrade` starts
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Let this program take over from the howdah that runs, in the background; no session notices
    #[command(after_help = help::UPGRADE)]
    Upgrade(upgrade::UpgradeArgs),
    /// What `run` starts for probes of type command
    #[command(name = crate::health::command::runner::WORD, hide = true)]
    RunCommands,
    /// Judge a configuration: print what would run, or every fault at once
    Check(check::CheckArgs),
    /// Show it all without a cluster: stand-in servers, a balancer before them, light traffic
    Demo(demo::DemoArgs),
    /// Ask one server once, show each step with its time, and the verdict
    Probe(Box<probe::ProbeArgs>),
    /// Show listeners, pools and servers of a running howdah
    Status(ctl::StatusArgs),
    /// Say where a client would go and why, rule by rule
    Explain(Box<ctl::explain::ExplainArgs>),
    /// Look for what goes wrong in practice, and say how to mend it
    Doctor(ctl::doctor::DoctorArgs),
    /// Show how available pools and listeners were: shares, outages, times
    #[command(after_help = help::AVAILABILITY)]
    Availability(ctl::AvailabilityArgs),
    /// Take no new sessions on a server, and let the present ones end
    #[command(after_help = help::DRAIN)]
    Drain(ctl::DrainArgs),
    /// Take a server out by order; probes go on
    #[command(after_help = help::MAINTENANCE)]
    Maintenance(ctl::ServerArgs),
    /// Put a server back to work
    #[command(after_help = help::READY)]
    Ready(ctl::ServerArgs),
    /// Change the weight of a server while running
    #[command(after_help = help::WEIGHT)]
    Weight(ctl::WeightArgs),
    /// List the sessions that are open, or ended last; end those listed
    #[command(after_help = help::SESSIONS)]
    Sessions(ctl::SessionsArgs),
    /// Show what happened: transitions, orders, reloads, in order
    #[command(after_help = help::EVENTS)]
    Events(ctl::EventsArgs),
    /// Watch a running howdah live at the terminal, and give orders by keys
    #[command(after_help = help::TOP)]
    Top(top::TopArgs),
    /// Read the configuration again (the same as SIGHUP)
    #[command(after_help = help::RELOAD)]
    Reload(ctl::ReloadArgs),
    /// Print the JSON Schema of the configuration, for editors
    Schema(schema::SchemaArgs),
    /// Print what a shell needs to complete commands: bash, zsh, fish and others
    Completions(pages::CompletionsArgs),
    /// Write the manual's pages, for `man`
    Man(pages::ManArgs),
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run {
            config,
            takeover,
            detached,
        } => run::run(&config, run::Way { takeover, detached }),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::RunCommands => crate::health::command::runner::serve(),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Status(args) => ctl::status(&args),
        Command::Explain(args) => ctl::explain::explain(&args),
        Command::Doctor(args) => ctl::doctor::doctor(&args),
        Command::Availability(args) => ctl::availability(&args),
        Command::Drain(args) => ctl::drain(&args),
        Command::Maintenance(args) => ctl::maintenance(&args),
        Command::Ready(args) => ctl::ready(&args),
        Command::Weight(args) => ctl::weight(&args),
        Command::Sessions(args) => ctl::list_sessions(&args),
        Command::Top(args) => top::run(&args),
        Command::Reload(args) => ctl::reload(&args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => pages::completions(args, Cli::command()),
        Command::Man(args) => pages::man(&args, Cli::command()),
        Command::Events(args) => ctl::events(&args),
    }
}

//! What users type: the grammar of the command line, and one module a command.

pub mod check;
pub mod probe;
pub mod run;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Done.
pub const DONE: u8 = 0;
/// It did not work.
pub const FAILED: u8 = 1;
/// The configuration is faulty.
pub const FAULTY: u8 = 78;

/// Where the configuration is, unless said otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/howdah/howdah.toml";

#[derive(Parser)]
#[command(
    name = "howdah",
    version,
    about = "A load balancer for HiveServer2, Impala and Hue",
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
    #[command(after_help = "Example: howdah run --config conf/hive.toml")]
    Run {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
    /// Ask one server once, show each step with its time, and the verdict
    Probe(Box<probe::ProbeArgs>),
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { config } => run::run(&config),
        Command::Probe(args) => probe::run(&args),
    }
}

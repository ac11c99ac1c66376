//! `howdah schema`: what editors may know of the configuration.

use std::io::{self, Write};
use std::process::ExitCode;

use super::DONE;
use crate::config;

/// What `howdah schema` takes.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = crate::cli::help::SCHEMA)]
pub struct SchemaArgs {
    /// As it always is
    #[arg(long, hide = true)]
    json: bool,
}

/// Prints the schema; a reader that left early is nobody's fault.
pub fn run(_: SchemaArgs) -> ExitCode {
    let _ = io::stdout().write_all(config::schema().as_bytes());
    DONE.into()
}

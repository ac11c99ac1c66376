//! `howdah completions` and `howdah man`: what a shell and `man` know of the commands, from the grammar that `--help` shows.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::{DONE, FAILED};

/// What `howdah completions` takes.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = crate::cli::help::COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell that is to complete commands
    shell: Shell,
}

/// What `howdah man` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = crate::cli::help::MAN)]
pub struct ManArgs {
    /// The folder that the pages are written into; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Prints the script; a reader that left early is nobody's fault.
pub fn completions(args: CompletionsArgs, mut grammar: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut grammar, NAME, &mut script);
    let _ = io::stdout().write_all(&script);
    DONE.into()
}

/// Writes `howdah.1`, and `howdah-COMMAND.1` for each command that is not hidden.
pub fn man(args: &ManArgs, grammar: Command) -> ExitCode {
    let folder = &args.out;
    // Of each page, and no flag of each command.
    let grammar = grammar.mut_subcommands(|command| {
        let command = command.version(env!("CARGO_PKG_VERSION"));
        command.disable_version_flag(true)
    });
    let made = std::fs::create_dir_all(folder);
    match made.and_then(|()| clap_mangen::generate_to(grammar, folder)) {
        Ok(()) => DONE.into(),
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                    "there is a file of that name; name a folder".to_owned()
                }
                _ => error.to_string(),
            };
            eprintln!("howdah: {} cannot be written: {why}", folder.display());
            FAILED.into()
        }
    }
}

const NAME: &str = "howdah";

//! `howdah completions` and `howdah man`: what a shell and `man` know of the commands, from the grammar that `--help` shows.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::{DONE, FAILED};

/// What `howdah completions` takes.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(
    after_help = "Example: howdah completions bash > /usr/share/bash-completion/completions/howdah"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// What `howdah man` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: howdah man --out /usr/local/share/man/man1")]
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
    let made = std::fs::create_dir_all(folder);
    match made.and_then(|()| clap_mangen::generate_to(grammar, folder)) {
        Ok(()) => DONE.into(),
        Err(error) => {
            eprintln!("howdah: {} cannot be written: {error}", folder.display());
            FAILED.into()
        }
    }
}

const NAME: &str = "howdah";

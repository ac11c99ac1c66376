//! `howdah check`: judge a file; say what would run, or every fault at once.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::summary::Summary;
use crate::config;

/// What `howdah check` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  howdah check --config conf/hive.toml\n\n\
    Exit code 0 when the file can be used (warnings may be shown), 78 when it cannot.")]
pub struct CheckArgs {
    /// The configuration to judge
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = super::DEFAULT_CONFIG
    )]
    pub config: PathBuf,
}

/// Judges the file: the summary goes to stdout, warnings and faults to stderr.
pub fn run(args: &CheckArgs) -> ExitCode {
    match config::load(&args.config) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                show(io::stderr(), &format!("{warning}\n\n"));
            }
            let warnings = match loaded.warnings.len() {
                0 => String::new(),
                1 => ", 1 warning".into(),
                count => format!(", {count} warnings"),
            };
            let path = args.config.display();
            show(
                io::stdout(),
                &format!("{path} can be used{warnings}\n\n{}", Summary(&loaded.plan)),
            );
            super::DONE.into()
        }
        Err(report) => {
            show(io::stderr(), &format!("{report}\n"));
            super::FAULTY.into()
        }
    }
}

/// A reader that left early, such as `head`, is no failure.
fn show(mut stream: impl Write, text: &str) {
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}

//! `howdah check`: judge a file; say what would run, or every fault at once.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::summary::Summary;
use super::{DEFAULT_CONFIG, DONE, FAULTY};
use crate::config::{self, Fault, Report};

/// What `howdah check` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: howdah check --config conf/hive.toml\n\n\
    Exit code 0 when the file can be used (warnings may be shown), 78 when it cannot.")]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// Judges the file: the summary goes to stdout, warnings and faults to stderr.
pub fn run(args: &CheckArgs) -> ExitCode {
    let loaded = match config::load(&args.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            show_report(&report);
            return FAULTY.into();
        }
    };
    show_warnings(&loaded.warnings);
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        1 => ", with 1 warning".into(),
        count => format!(", with {count} warnings"),
    };
    let path = args.config.display();
    let summary = Summary(&loaded.plan);
    show(
        io::stdout(),
        &format!("{path} can be used{warnings}\n\n{summary}"),
    );
    DONE.into()
}

/// Every fault, on stderr.
pub(in crate::cli) fn show_report(report: &Report) {
    let text = if colours() {
        report.coloured()
    } else {
        report.to_string()
    };
    show(io::stderr(), &format!("{text}\n"));
}

/// What someone should look at, on stderr.
pub(super) fn show_warnings(warnings: &[Fault]) {
    for warning in warnings {
        let text = if colours() {
            warning.coloured()
        } else {
            warning.to_string()
        };
        show(io::stderr(), &format!("{text}\n\n"));
    }
}

/// On a terminal, unless <https://no-color.org> is asked for.
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A reader that left early, such as `head`, is no failure.
fn show(mut stream: impl Write, text: &str) {
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}

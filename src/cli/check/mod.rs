//! `howdah check`: judge a file; say what would run, or every fault at once.

mod connect;
mod json;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use self::connect::{Connected, connect};
use super::ctl::terminal::View;
use super::summary::Summary;
use super::{DEFAULT_CONFIG, DONE, FAILED, FAULTY};
use crate::config::{self, Fault, Loaded, Report};

/// What `howdah check` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = crate::cli::help::CHECK)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Also look up, dial and probe every server once, as its pool does
    #[arg(long)]
    pub connect: bool,
    /// Print one JSON object, for programs
    #[arg(long)]
    pub json: bool,
}

/// Judges the file: the summary goes to stdout, warnings and faults to stderr; with `--json` all of it to stdout.
pub fn run(args: &CheckArgs) -> ExitCode {
    let loaded = match config::load(&args.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            match args.json {
                true => show(
                    io::stdout(),
                    &json::json(&args.config, &report.faults, None, None),
                ),
                false => show_report(&report),
            }
            return FAULTY.into();
        }
    };
    if !args.json {
        show_warnings(&loaded.warnings);
        show(io::stdout(), &usable(args, &loaded));
    }
    let connected = args.connect.then(|| connect(&loaded.plan)).transpose();
    let connected = match connected {
        Ok(connected) => connected,
        Err(error) => {
            show(
                io::stderr(),
                &format!("error: nobody can be asked: {error}\n"),
            );
            return FAILED.into();
        }
    };
    if args.json {
        let (faults, plan) = (&loaded.warnings, Some(&loaded.plan));
        let text = json::json(&args.config, faults, plan, connected.as_ref());
        show(io::stdout(), &text);
    } else if let Some(connected) = &connected {
        let view = View::now();
        let text = connected.print(view.colour, view.width);
        show(io::stdout(), &format!("\n{text}"));
    }
    match connected.as_ref().is_none_or(Connected::is_fine) {
        true => DONE.into(),
        false => FAILED.into(),
    }
}

/// That the file can be used, and what would run.
fn usable(args: &CheckArgs, loaded: &Loaded) -> String {
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        1 => ", with 1 warning".into(),
        count => format!(", with {count} warnings"),
    };
    let (path, summary) = (args.config.display(), Summary(&loaded.plan));
    format!("{path} can be used{warnings}\n\n{summary}")
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
pub(in crate::cli) fn show_warnings(warnings: &[Fault]) {
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

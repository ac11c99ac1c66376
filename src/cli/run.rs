//! `howdah run`: serve in the foreground until told to stop.

use std::path::Path;
use std::process::ExitCode;

use tokio::sync::mpsc;

use super::{DONE, FAILED, FAULTY, budget, check};
use crate::app::signal::Signals;
use crate::app::{App, Source};
use crate::config::{self, Loaded};
use crate::confine;
use crate::doctor::System;
use crate::health::command::{Runner, commands};
use crate::telemetry::Metrics;
use crate::telemetry::log::Log;

/// Runs until a signal ends it. Exit codes: 0 stopped as told, 1 could not start, 78 faulty configuration.
pub fn run(path: &Path) -> ExitCode {
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(report) => {
            check::show_report(&report);
            return FAULTY.into();
        }
    };
    check::show_warnings(&loaded.warnings);
    match serve(loaded, path) {
        Ok(()) => DONE.into(),
        Err(error) => {
            eprintln!("error: {error}");
            FAILED.into()
        }
    }
}

fn serve(loaded: Loaded, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (plan, words) = (loaded.plan, loaded.words);
    let source = Source {
        path: path.to_owned(),
        words,
    };
    let metrics = Metrics::new();
    let files = budget::raise_open_files();
    // What the doctor will say of this machine: the locks hide it.
    System::here();
    // Before the first thread, the log's: threads inherit what their maker is.
    let settled = confine::settle(&plan)?;
    // From the next line on nothing starts programs.
    let runner = Runner::start(commands(&plan))?;
    let confined = settled.lock(&plan, path, &loaded.files);
    let log = Log::start(&plan.log, &metrics)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = %std::path::absolute(path).as_deref().unwrap_or(path).display(),
        pid = std::process::id(),
        "howdah starts"
    );
    confined.tell();
    // Reloads and commands are rare and small: one thread is enough for all that is not a session.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    budget::tell(files, &plan);
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let programs = runner.map(Runner::attend).transpose()?;
        let programs = programs.unwrap_or_default();
        let (sender, received) = mpsc::channel(1);
        let app = App::start(plan, Some(source), metrics, programs).await?;
        tokio::spawn(async move { while sender.send(signals.next().await).await.is_ok() {} });
        app.run(received).await;
        log.flush(std::time::Duration::from_secs(1));
        Ok(())
    });
    // A silent name server holds a look-up, and the thread that it blocks, for many seconds: nobody waits for that.
    runtime.shutdown_background();
    ended
}

//! `howdah demo`: a cluster of stand-ins, a balancer before them, light traffic, and a failure every now and then.
//!
//! Everything is real but the servers: the balancer is the [`App`] that `howdah run` starts, from a configuration
//! that [`cluster`] writes; clients come through its listeners, and anybody may join them. All of it lives in
//! this one process and ends with it.

mod cluster;
mod narrator;
mod traffic;
mod welcome;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::cluster::{Cluster, ClusterError, Ports};
use self::narrator::Narrator;
use super::{DONE, FAILED};
use crate::app::signal::{Signal, Signals};
use crate::app::{App, StartError};
use crate::cli::ctl::duration;
use crate::health::command::Programs;
use crate::telemetry::Metrics;
use crate::telemetry::log::Log;

/// `howdah demo`
#[derive(Args, Debug)]
#[command(after_help = crate::cli::help::DEMO)]
pub struct DemoArgs {
    /// How often a stand-in dies, like 90s or 5m, a second at least; it comes back after half of that
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = period)]
    every: Duration,
}

/// Nobody can read what happens faster than that.
fn period(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        every if every < Duration::from_secs(1) => {
            Err("nobody could follow: write 1s or more".into())
        }
        every => Ok(every),
    }
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the demo cannot run: {0}")]
    System(#[from] io::Error),
}

/// Runs until Ctrl-C. Exit codes: 0 ended as told, 1 could not start.
pub fn run(args: &DemoArgs) -> ExitCode {
    match show(args.every) {
        Ok(()) => DONE.into(),
        Err(error) => {
            eprintln!("error: {error}");
            FAILED.into()
        }
    }
}

fn show(every: Duration) -> Result<(), DemoError> {
    // One thread for stand-ins, clients and all that is not a session: the traffic is light.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let cluster = Cluster::start()?;
        let plan = cluster.plan(Ports::Familiar)?;
        let metrics = Metrics::new();
        let _log = Log::start(&plan.log, &metrics)?;
        let app = match App::start(plan, None, metrics.clone(), Programs::default()).await {
            Ok(app) => app,
            // Somebody took a port in the same moment: another demo, as a rule.
            Err(_) => {
                let plan = cluster.plan(Ports::Any)?;
                App::start(plan, None, metrics, Programs::default()).await?
            }
        };
        let places = cluster::places(&app)?;
        welcome::welcome(&cluster, &places);
        let narrator = Narrator::start();
        let mut play = JoinSet::new();
        play.spawn(narrator.clone().watch(app.pools()));
        play.spawn(cluster.fail_now_and_then(every, narrator.clone()));
        traffic::start(&mut play, &places, &narrator);
        let (sender, received) = mpsc::channel(2);
        play.spawn(async move {
            while signals.next().await != Signal::Stop {}
            // Nobody's work is at stake: stop, and at once.
            for _ in 0..2 {
                if sender.send(Signal::Stop).await.is_err() {
                    return;
                }
            }
            std::future::pending().await
        });
        // Nobody takes over from a demo, nor it from anybody.
        let _ = Box::pin(app.run(received, || {})).await;
        play.shutdown().await;
        // A terminal that is gone needs no farewell.
        let _ = writeln!(io::stdout(), "\nThe demo is over.");
        Ok(())
    })
}

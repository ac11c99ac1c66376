//! `howdah status`: what runs, once or kept current.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;

use super::http::{Client, CtlError};
use super::terminal::{View, watch};
use super::{Reach, cluster_table, finish, status_table};
use crate::admin::status::Status;

/// `howdah status`
#[derive(Args, Debug)]
#[command(after_help = crate::cli::help::STATUS)]
pub struct StatusArgs {
    #[command(flatten)]
    reach: Reach,
    /// Keep it current, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// The howdahs that are one with this, and each server as each of them sees it
    #[arg(long, conflicts_with = "pool")]
    cluster: bool,
    /// This pool alone, and the listeners that lead to it
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Print what the API says, for programs
    #[arg(long)]
    json: bool,
}

/// Shows listeners, pools and servers.
pub fn status(args: &StatusArgs) -> ExitCode {
    let client = match args.reach.client() {
        Ok(client) => client,
        Err(error) => return finish(Err(error)),
    };
    let asked = Asked {
        pool: args.pool.clone(),
        cluster: args.cluster,
        json: args.json,
    };
    if !args.watch {
        return finish(asked.show(&client, View::now()));
    }
    // What is wrong from the beginning is told, and not watched.
    if let Err(error) = asked.show(&client, View::now()) {
        return finish(Err(error));
    }
    watch(move |view| match asked.show(&client, view) {
        Ok(text) => text,
        Err(error) => format!("{error}\n"),
    })
}

/// What of the status, and how.
struct Asked {
    pool: Option<String>,
    cluster: bool,
    json: bool,
}

impl Asked {
    fn show(&self, client: &Client, view: View) -> Result<String, CtlError> {
        if self.cluster {
            let text = client.send("GET", "/api/v1/cluster", None)?;
            let answer = client.read(&text)?;
            return Ok(match self.json {
                true => text,
                false => cluster_table::print(&answer, view),
            });
        }
        let text = client.send("GET", "/api/v1/status", None)?;
        let mut status: Status = client.read(&text)?;
        if let Some(pool) = &self.pool {
            only(&mut status, pool)?;
        }
        if !self.json {
            return Ok(status_table::print(&status, SystemTime::now(), view));
        }
        // What a newer howdah says beyond this is kept, where nothing is left out.
        let text = match self.pool {
            None => text,
            Some(_) => serde_json::to_string(&status).unwrap_or_default() + "\n",
        };
        Ok(text)
    }
}

/// Leaves the pool, and who leads to it.
fn only(status: &mut Status, pool: &str) -> Result<(), CtlError> {
    if !status.pools.iter().any(|one| one.name == pool) {
        let known: Vec<&str> = status.pools.iter().map(|one| one.name.as_str()).collect();
        let known = known.join(", ");
        return Err(CtlError::Refused(format!(
            "there is no pool \"{pool}\": the pools are {known}"
        )));
    }
    status.pools.retain(|one| one.name == pool);
    let leads = |pools: &[String]| pools.iter().any(|one| one == pool);
    status.listeners.retain(|one| leads(&one.pools));
    Ok(())
}

//! `howdah sessions`: who is there, who ended last, and the end of those that are listed.
//!
//! To end sessions asks once at a terminal; elsewhere it wants `--yes`. Without anything that says which, nothing is
//! ended.

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;

use super::http::{Client, CtlError};
use super::known::Named;
use super::session_table::{counted, ended_table, table};
use super::{Reach, complain, count, duration, finish};
use crate::admin::encode;
use crate::admin::sessions::{EndedList, Session, SessionList};

/// `howdah sessions`
#[derive(Args, Debug)]
pub struct SessionsArgs {
    #[command(flatten)]
    reach: Reach,
    /// Only these, by the number that the table and the session log show
    #[arg(value_name = "SESSION")]
    sessions: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// At most so many, those that began first
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = count::<LIMIT_MAX>)]
    limit: u64,
    /// The last thousand that ended, with the reason
    #[arg(long, conflicts_with = "end")]
    ended: bool,
    /// End the sessions that are listed
    #[arg(long)]
    end: bool,
    /// Do not ask before
    #[arg(long, requires = "end")]
    yes: bool,
    /// Print what the API says, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct FilterArgs {
    /// Of this listener
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// For this pool
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// On this server: its name, its host:port, or POOL/SERVER
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Of clients of this network, like 10.1.0.0/16, or of one address
    #[arg(long, value_name = "NET", value_parser = network)]
    client: Option<String>,
    /// Without a byte for so long, like 90s or 1h; with --ended, those that lasted so long
    #[arg(long, value_name = "TIME", value_parser = time)]
    idle: Option<String>,
}

fn network(text: &str) -> Result<String, String> {
    let is_one = text.parse::<IpNet>().is_ok() || text.parse::<IpAddr>().is_ok();
    let wrong =
        || "write a network like 10.1.0.0/16, or an IP address; names are not looked up".to_owned();
    is_one.then(|| text.to_owned()).ok_or_else(wrong)
}

fn time(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}

/// Lists sessions, or ends those that it lists.
pub fn list_sessions(args: &SessionsArgs) -> ExitCode {
    finish(args.reach.client().and_then(|client| {
        if args.ended {
            return ended(args, &client);
        }
        let text = client.send("GET", &args.path(), None)?;
        if args.json && !args.end && args.sessions.is_empty() {
            return Ok(text);
        }
        let mut list: SessionList = client.read(&text)?;
        args.keep(&mut list);
        if list.sessions.is_empty() {
            args.filter.named().look_up(&client)?;
        }
        match (args.end, args.json) {
            (true, _) => end(args, &client, list),
            (false, true) => Ok(json(&list)),
            (false, false) => Ok(table(&list)),
        }
    }))
}

fn ended(args: &SessionsArgs, client: &Client) -> Result<String, CtlError> {
    let path = format!("/api/v1/sessions/ended{}", args.filter.query(None));
    let mut list: EndedList = client.ask("GET", &path, None)?;
    let named = |id: &String| args.sessions.is_empty() || args.sessions.contains(id);
    list.sessions.retain(|one| named(&one.session));
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    list.sessions.truncate(limit);
    if list.sessions.is_empty() {
        args.filter.named().look_up(client)?;
    }
    Ok(match args.json {
        true => json(&list),
        false => ended_table(&list),
    })
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Done {
    ended: u64,
    /// That ended by themselves before.
    gone: u64,
    sessions: Vec<Session>,
}

fn end(args: &SessionsArgs, client: &Client, list: SessionList) -> Result<String, CtlError> {
    if args.sessions.is_empty() && args.filter.is_empty() {
        let what = "say which sessions to end: by their numbers, or by --listener, --pool, --server, --client or --idle";
        return Err(CtlError::Usage(what.into()));
    }
    let all = list.sessions.len();
    if all > 0 && !args.yes {
        complain(table(&list).trim_end());
        if !confirmed(all)? {
            return Err(CtlError::Refused("nothing was ended".into()));
        }
    }
    let mut done = Done {
        ended: 0,
        gone: 0,
        sessions: Vec::new(),
    };
    for session in list.sessions {
        match client.ask::<Session>("DELETE", &path_of(&session), None) {
            Ok(session) => {
                done.ended += 1;
                done.sessions.push(session);
            }
            Err(CtlError::Unknown(_)) => done.gone += 1,
            Err(error) => {
                complain(&format!("{} of {all} were ended", done.ended));
                return Err(error);
            }
        }
    }
    if args.json {
        return Ok(json(&done));
    }
    let gone = match done.gone {
        0 => String::new(),
        some => format!("; {some} had ended before"),
    };
    Ok(format!("ended {}{gone}\n", counted(done.ended)))
}

fn path_of(session: &Session) -> String {
    format!("/api/v1/sessions/{}", encode(&session.id))
}

/// Asks whoever sits there.
fn confirmed(all: usize) -> Result<bool, CtlError> {
    if !io::stdin().is_terminal() {
        let what = "there is no terminal to ask at: say --yes, and the sessions listed are ended";
        return Err(CtlError::Usage(what.into()));
    }
    let all = counted(all.try_into().unwrap_or(u64::MAX));
    let _ = write!(io::stderr(), "End {all}? [y/N] ").and_then(|()| io::stderr().flush());
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

impl SessionsArgs {
    fn path(&self) -> String {
        // Who names sessions wants them wherever they are in the list.
        let limit = if self.sessions.is_empty() {
            self.limit
        } else {
            LIMIT_MAX
        };
        format!("/api/v1/sessions{}", self.filter.query(Some(limit)))
    }

    /// Those that are named, if any are.
    fn keep(&self, list: &mut SessionList) {
        if !self.sessions.is_empty() {
            list.sessions.retain(|one| self.sessions.contains(&one.id));
            list.total = list.sessions.len().try_into().unwrap_or(u64::MAX);
        }
    }
}

impl FilterArgs {
    fn is_empty(&self) -> bool {
        let all = [
            &self.listener,
            &self.pool,
            &self.server,
            &self.client,
            &self.idle,
        ];
        all.iter().all(|one| one.is_none())
    }

    /// A server may bring its pool.
    fn named(&self) -> Named<'_> {
        let (pool, server) = match self
            .server
            .as_deref()
            .and_then(|named| named.split_once('/'))
        {
            Some((pool, server)) => (Some(pool), Some(server)),
            None => (self.pool.as_deref(), self.server.as_deref()),
        };
        Named {
            listener: self.listener.as_deref(),
            pool,
            server,
        }
    }

    /// With the question mark, if anything is asked.
    fn query(&self, limit: Option<u64>) -> String {
        let Named {
            listener,
            pool,
            server,
        } = self.named();
        let limit = limit.map(|limit| limit.to_string());
        let all = [
            ("listener", listener),
            ("pool", pool),
            ("server", server),
            ("client", self.client.as_deref()),
            ("idle", self.idle.as_deref()),
            ("limit", limit.as_deref()),
        ];
        let said = all.iter().filter_map(|(key, value)| Some((key, (*value)?)));
        let said: Vec<String> = said
            .map(|(key, value)| format!("{key}={}", encode(value)))
            .collect();
        match said.is_empty() {
            true => String::new(),
            false => format!("?{}", said.join("&")),
        }
    }
}

const LIMIT_MAX: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_encoded_and_a_server_may_bring_its_pool() {
        let filter = FilterArgs {
            listener: None,
            pool: Some("other".into()),
            server: Some("hive/hs2 1".into()),
            client: Some("10.0.0.0/8".into()),
            idle: Some("1h".into()),
        };
        let query = "?pool=hive&server=hs2%201&client=10.0.0.0%2F8&idle=1h&limit=5";
        assert_eq!(filter.query(Some(5)), query);
    }
}

//! `howdah events`: what happened, in order; with `--follow` also what happens, through a restart of howdah.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;

use super::http::{Client, CtlError};
use super::known::Named;
use super::sse::{Message, Messages};
use super::{Reach, complain, count, duration, finish, pause};
use crate::admin::encode;
use crate::base::unit;
use crate::base::word::Label;
use crate::telemetry::journal::{Kind, Severity};

/// `howdah events`
#[derive(Args, Debug)]
pub struct EventsArgs {
    #[command(flatten)]
    reach: Reach,
    /// Go on with what happens, until Ctrl-C; where howdah ends, wait for it
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
    /// Only those of the last so long, like 90s, 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// At most so many, the newest [default: 1000; before what happens, 10]
    #[arg(long, value_name = "N", value_parser = count::<10_000>)]
    limit: Option<u64>,
    /// Print what the API says, one event a line
    #[arg(long)]
    json: bool,
}

/// Which events.
#[derive(Args, Debug)]
struct Filter {
    /// Only those of this pool
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// Only those of this server
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// Only those of this listener
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(words::<Kind>()))]
    kind: Option<String>,
    /// Only those that matter so much, or more
    #[arg(long, value_name = "SEVERITY", value_parser = PossibleValuesParser::new(words::<Severity>()))]
    severity: Option<String>,
}

fn words<L: Label>() -> Vec<&'static str> {
    L::ALL.iter().map(|word| word.as_str()).collect()
}

/// Shows what happened.
pub fn events(args: &EventsArgs) -> ExitCode {
    let done = args.reach.client().and_then(|client| {
        let page: Page = client.ask("GET", &args.path(), None)?;
        if page.lost > 0 {
            complain(&format!("howdah: {} events are kept no more", page.lost));
        }
        let mut width = 0;
        let mut lines = || -> serde_json::Result<String> {
            let all = page.events.iter();
            all.map(|event| args.line(event.get(), &mut width))
                .collect()
        };
        // The first time for the widest place.
        let text = lines().and_then(|_| lines());
        let text = text.map_err(|error| client.stranger(error))?;
        if page.events.is_empty() {
            args.filter.named().look_up(&client)?;
            if !args.json && !args.follow {
                complain("no event fits");
            }
        }
        if !args.follow {
            return Ok(text);
        }
        if print(&text).is_err() {
            return Ok(String::new());
        }
        follow(&client, args, page.last, width)
    });
    finish(done)
}

/// Until Ctrl-C, or until nobody reads on.
fn follow(
    client: &Client,
    args: &EventsArgs,
    last: u64,
    mut width: usize,
) -> Result<String, CtlError> {
    let (mut after, mut is_gone) = (last, false);
    loop {
        match client.open(
            &format!("/api/v1/stream?only=events&after={after}"),
            SILENCE,
        ) {
            Ok(body) => {
                if std::mem::take(&mut is_gone) {
                    complain("howdah: it answers again");
                }
                for message in Messages::of(body) {
                    after = message.id.unwrap_or(after);
                    let Some(text) = args.shown(&message, &mut width) else {
                        continue;
                    };
                    if print(&text.map_err(|error| client.stranger(error))?).is_err() {
                        return Ok(String::new());
                    }
                }
            }
            Err(CtlError::Nobody(..)) => {}
            // Between an end and a start anything may answer.
            Err(_) if is_gone => {}
            Err(error) => return Err(error),
        }
        if !std::mem::replace(&mut is_gone, true) {
            complain("howdah: the connection has ended; waiting until a howdah answers");
        }
        pause();
    }
}

impl EventsArgs {
    fn path(&self) -> String {
        let Filter {
            pool,
            server,
            listener,
            kind,
            severity,
        } = &self.filter;
        let usual = if self.follow { BEFORE } else { USUAL };
        let mut path = format!("/api/v1/events?limit={}", self.limit.unwrap_or(usual));
        let named = [
            ("pool", pool),
            ("server", server),
            ("listener", listener),
            ("kind", kind),
            ("severity", severity),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                let _ = write!(path, "&{name}={}", encode(value));
            }
        }
        if let Some(since) = self.since {
            let _ = write!(path, "&since={}", unit::show_duration(since));
        }
        path
    }

    /// `None` where nothing is to be shown.
    fn shown(&self, message: &Message, width: &mut usize) -> Option<serde_json::Result<String>> {
        match message.event.as_str() {
            "lost" => complain(&format!("howdah: events were missed: {}", message.data)),
            "event" => match serde_json::from_str::<Shown>(&message.data) {
                Ok(event) if self.filter.takes(&event) => {
                    return Some(self.line(&message.data, width));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            },
            _ => {}
        }
        None
    }

    fn line(&self, event: &str, width: &mut usize) -> serde_json::Result<String> {
        match self.json {
            true => Ok(format!("{event}\n")),
            false => Ok(serde_json::from_str::<Shown>(event)?.line(width)),
        }
    }
}

impl Filter {
    fn named(&self) -> Named<'_> {
        Named {
            listener: self.listener.as_deref(),
            pool: self.pool.as_deref(),
            server: self.server.as_deref(),
        }
    }

    /// As the API does it.
    fn takes(&self, event: &Shown) -> bool {
        let is =
            |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        let of = |own: &Option<String>| own.clone().unwrap_or_default();
        let rank = |word: &str| Severity::named(word).map(Label::index);
        let wanted = self.severity.as_deref().and_then(rank);
        is(&self.pool, &of(&event.pool))
            && is(&self.server, &of(&event.server))
            && is(&self.listener, &of(&event.listener))
            && is(&self.kind, &event.kind)
            && wanted.is_none_or(|wanted| rank(&event.severity).is_some_and(|own| own <= wanted))
    }
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Box<serde_json::value::RawValue>>,
    last: u64,
    lost: u64,
}

/// What is shown of an event. Words stay words: a newer howdah may know more of them.
#[derive(Deserialize)]
struct Shown {
    at: String,
    kind: String,
    severity: String,
    pool: Option<String>,
    server: Option<String>,
    listener: Option<String>,
    by: Option<String>,
    #[serde(default)]
    changes: Vec<String>,
    text: String,
}

impl Shown {
    /// `width`: of the widest place so far, so that sentences stand below each other.
    fn line(&self, width: &mut usize) -> String {
        let place = match (&self.pool, &self.server, &self.listener) {
            (Some(pool), Some(server), _) => format!("{pool}/{server}"),
            (Some(name), ..) | (.., Some(name)) => name.clone(),
            _ => "-".to_owned(),
        };
        let place = plain(&place);
        *width = (*width).max(place.chars().count()).min(WIDEST);
        let by = self
            .by
            .as_ref()
            .map(|by| format!(", by {by}"))
            .unwrap_or_default();
        let text = plain(&format!("{}{by}", self.text));
        let mut line = format!(
            "{}  {:<7}  {:<14}  {place:<width$}  {text}\n",
            self.at,
            self.severity,
            self.kind,
            width = *width,
        );
        // One change is in the sentence.
        for change in self.changes.iter().filter(|_| self.changes.len() > 1) {
            let _ = writeln!(line, "    {}", plain(change));
        }
        line
    }
}

/// Terminals obey control characters.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

const USUAL: u64 = 1_000;
/// Shown before what happens.
const BEFORE: u64 = 10;
/// howdah says something each ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// A longer place pushes its own sentence aside, and no other.
const WIDEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: &str = r#"{"seq":7,"at":"2026-11-26T22:13:30.123Z","kind":"health","severity":"warning","pool":"hive","server":"hs2-1","from":"up","to":"down","text":"server is down: connection refused"}"#;

    fn shown(text: &str) -> Shown {
        serde_json::from_str(text).expect("an event")
    }

    #[test]
    fn an_event_is_a_line() {
        let mut width = 0;
        let line = shown(DOWN).line(&mut width);
        assert_eq!(
            line,
            "2026-11-26T22:13:30.123Z  warning  health          hive/hs2-1  server is down: connection refused\n"
        );
        let order = r#"{"at":"x","kind":"reload","severity":"info","by":"signal","text":"a\u001b[2Jb","changes":["one","two"]}"#;
        let line = shown(order).line(&mut width);
        assert_eq!(
            line,
            "x  info     reload          -           a\u{fffd}[2Jb, by signal\n    one\n    two\n"
        );
    }

    #[test]
    fn a_filter_takes_what_the_api_takes() {
        let takes = |pool: Option<&str>, kind: Option<&str>, severity: Option<&str>| {
            let own = |word: Option<&str>| word.map(str::to_owned);
            let filter = Filter {
                pool: own(pool),
                server: None,
                listener: None,
                kind: own(kind),
                severity: own(severity),
            };
            filter.takes(&shown(DOWN))
        };
        assert!(takes(None, None, None));
        assert!(takes(Some("hive"), Some("health"), Some("warning")));
        assert!(takes(None, None, Some("info")) && !takes(None, None, Some("error")));
        assert!(!takes(Some("hue"), None, None) && !takes(None, Some("order"), None));
    }
}

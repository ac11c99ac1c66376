//! Table `[log]`: where lines go, as a word, a URL or a path.

use std::path::PathBuf;

use super::address::address;
use super::material;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Log;
use crate::config::suggest;
use crate::plan::{Address, Facility, LogFormat, LogLevel, LogPlan, LogTarget, Syslog};

pub(super) fn lower(words: &Log, cx: &mut Cx) -> LogPlan {
    "[log]".clone_into(&mut cx.owner);
    let facility = words.facility.or(Facility::Daemon);
    let target = words.target.get();
    let access = words.access.get();
    let plan = LogPlan {
        level: words.level.or(LogLevel::Info),
        format: words.format.or(LogFormat::Json),
        target: target.and_then(|word| lower_target("target", word, facility, cx)),
        access: access.and_then(|word| lower_target("access", word, facility, cx)),
        access_start: words.access_start.or(false),
        access_every: words.access_every.get().map(|word| word.value),
    };
    if let (Some(word), Some(LogTarget::Off)) = (target, &plan.target) {
        cx.error(&word.span, "target in [log] is \"off\"")
            .why("a load balancer that says nothing cannot be helped")
            .fix("level = \"error\" says least");
    }
    plan
}

fn lower_target(
    key: &str,
    word: &Spot<String>,
    facility: Facility,
    cx: &mut Cx,
) -> Option<LogTarget> {
    match word.value.as_str() {
        "stdout" => return Some(LogTarget::Stdout),
        "stderr" => return Some(LogTarget::Stderr),
        "off" => return Some(LogTarget::Off),
        _ => {}
    }
    match daemon(&word.value, facility) {
        Some(Ok(target)) => Some(target),
        Some(Err((why, fix))) => {
            let what = format!("{key} in [log] leads nowhere: {:?}", word.value);
            cx.error(&word.span, what).why(why).fix(fix);
            None
        }
        None => {
            let full = cx.resolve(&word.value);
            material::writable(&full, key, word, cx);
            Some(LogTarget::File(full))
        }
    }
}

/// A daemon by its name or its URL, or why that is none; nothing for what may be a path.
fn daemon(word: &str, facility: Facility) -> Option<Result<LogTarget, (String, String)>> {
    let (scheme, rest) = match word.split_once("://") {
        Some(split) => split,
        None => (word, ""),
    };
    let place = |rest: &str, usual: &str| match rest.is_empty() {
        true => PathBuf::from(usual),
        false => rest.into(),
    };
    let is_path = rest.is_empty() || rest.starts_with('/');
    match scheme {
        "syslog" if is_path => {
            let to = Syslog::Unix(place(rest, LogTarget::SYSLOG));
            Some(Ok(LogTarget::Syslog(to, facility)))
        }
        "syslog" => Some(match address(rest) {
            Ok((host, port)) => {
                let port = port.unwrap_or(SYSLOG_PORT);
                let to = Syslog::Udp(Address { host, port });
                Ok(LogTarget::Syslog(to, facility))
            }
            Err(why) => Err((why, EXAMPLES.into())),
        }),
        "journald" if is_path => {
            let path = place(rest, LogTarget::JOURNAL);
            Some(Ok(LogTarget::Journald(path)))
        }
        "journald" => Some(Err(("the journal has no address".into(), EXAMPLES.into()))),
        _ if word == LogTarget::SYSLOG => {
            let fix = format!("write \"syslog://{word}\", or \"syslog\"");
            Some(Err(("it is a socket, not a file".into(), fix)))
        }
        _ if word.contains("://") => {
            let why = format!("{scheme}:// is unknown here");
            let hint = suggest::value(scheme, &["syslog", "journald"], &[]);
            Some(Err((why, hint.unwrap_or_else(|| EXAMPLES.into()))))
        }
        // Of a word that is nearly ours nobody wants a file.
        _ if !word.contains(['/', '.']) => {
            let (_, meant) = ALIASES.iter().find(|(alias, _)| *alias == word)?;
            let fix = format!("did you mean \"{meant}\"?");
            Some(Err(("a file would be called so".into(), fix)))
        }
        _ => None,
    }
}

/// RFC 5426 §3.3.
const SYSLOG_PORT: u16 = 514;
const EXAMPLES: &str = "\"syslog\", \"syslog:///dev/log\", \"syslog://loghost.example.com:514\", \"journald\", or a file's path";
const ALIASES: &[(&str, &str)] = &[
    ("syslogd", "syslog"),
    ("rsyslog", "syslog"),
    ("journal", "journald"),
    ("systemd", "journald"),
    ("none", "off"),
    ("null", "off"),
    ("console", "stderr"),
];

//! `command` of a probe → the words of a program.

use std::path::Path;
use std::sync::Arc;

use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Probe;

/// The program's path and its arguments.
pub(super) fn words(words: &Probe, cx: &mut Cx) -> Arc<[String]> {
    if let Some(span) = words.tls.span() {
        let what = format!("{} runs a program, and speaks TLS", cx.owner);
        cx.error(&span, what)
            .why("what a program speaks is its own matter")
            .fix("leave tls out, or give the program an argument of its own");
    }
    let Some(list) = words.command.get() else {
        if words.command.is_absent() {
            let what = format!("{} is of type command, and has no command", cx.owner);
            let span = words.r#type.span().unwrap_or_else(|| words.span.clone());
            cx.error(&span, what).why("what is to be run?").fix(GOOD);
        }
        return Arc::default();
    };
    let words = &list.value.items;
    match words.first() {
        None => {
            let what = format!("{} has an empty command", cx.owner);
            cx.error(&list.span, what)
                .why("what is to be run?")
                .fix(GOOD);
        }
        Some(program) => judge_program(program, cx),
    }
    words.iter().skip(1).for_each(|word| judge_places(word, cx));
    words.iter().map(|word| word.value.clone()).collect()
}

fn judge_program(program: &Spot<String>, cx: &mut Cx) {
    let path = Path::new(&program.value);
    if !path.is_absolute() {
        let what = format!(
            "{} runs {:?}, which is no whole path",
            cx.owner, program.value
        );
        let why = "no folder is searched for it";
        cx.error(&program.span, what).why(why).fix(GOOD);
    } else if !path.is_file() {
        let what = format!("{} runs {}, which is not there", cx.owner, program.value);
        cx.warning(&program.span, what)
            .why("no such file on this machine")
            .fix("its servers have no verdict, and get no sessions, until it is there");
    }
}

/// `{...}` that is none of the places is a slip, as a rule.
fn judge_places(word: &Spot<String>, cx: &mut Cx) {
    let mut rest = word.value.as_str();
    while let Some((_, after)) = rest.split_once('{') {
        rest = after;
        let Some((name, _)) = after.split_once('}') else {
            return;
        };
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_name && !PLACES.contains(&name) {
            let what = format!("{} fills in {{{name}}}, which it does not know", cx.owner);
            cx.error(&word.span, what)
                .why("known: {host}, {port}, {pool}, {server}")
                .fix(GOOD);
        }
    }
}

const PLACES: [&str; 4] = ["host", "port", "pool", "server"];

const GOOD: &str = r#"command = ["/usr/local/bin/check-it", "{host}", "{port}"]"#;

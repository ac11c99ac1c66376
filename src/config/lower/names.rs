//! Names: which are good, which are known, and which key is missing.

use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Pools;
use crate::config::source::Span;
use crate::config::suggest;
use crate::plan::PoolName;

/// A pool that a listener or route names, with a fault when there is none of that name. Without `pools` nobody knows.
pub(super) fn pool_reference(word: &Spot<String>, pools: Option<&Pools>, cx: &mut Cx) -> PoolName {
    if let Some(pools) = pools
        && !pools.names.contains(&word.value)
    {
        let known: Vec<&str> = pools.names.iter().map(String::as_str).collect();
        let what = format!(
            "{} names a pool {:?} that is not in the file",
            cx.owner, word.value
        );
        let hint = suggest::value(&word.value, &known, &[]);
        let fault = cx.error(&word.span, what);
        if known.is_empty() {
            fault.why("there is no pool at all");
        } else {
            let some = known
                .iter()
                .take(MANY)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            let more = if known.len() > MANY { ", ..." } else { "" };
            fault.why(format!("known: {some}{more}"));
        }
        fault.fix(
            hint.unwrap_or_else(|| {
                format!("add [pool.{}], or name another one", quoted(&word.value))
            }),
        );
    }
    PoolName::new(&word.value)
}

/// As TOML wants it in a header.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// Names stand in metrics, commands (`pool/server`) and addresses of the API: notes one that could not.
pub(super) fn judge_name(name: &Spot<String>, also: &str, noun: &str, cx: &mut Cx) {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || also.contains(c);
    let why = match name.value.chars().find(|c| !good(*c)) {
        Some(c) => format!("{c:?} cannot stand in a name"),
        None if name.value.is_empty() => "it is empty".into(),
        None if name.value.len() > 128 => "longer than 128 characters".into(),
        None => return,
    };
    let what = format!("{:?} is no name for a {noun}", name.value);
    cx.error(&name.span, what)
        .why(why)
        .fix("names are made of letters, digits, \"-\", \"_\" and \".\"");
}

/// Notes a key that has no default.
pub(super) fn missing(span: &Span, key: &str, example: &str, cx: &mut Cx) {
    let what = format!("{} lacks {key:?}", cx.owner);
    cx.error(span, what)
        .why(format!("{key} is missing"))
        .fix(format!("add {example}"));
}

/// Names in a list that is still read.
const MANY: usize = 8;

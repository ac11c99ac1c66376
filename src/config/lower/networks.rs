//! `allow` and `deny`, and the files that hold the long ones → [`Networks`].

use std::net::IpAddr;

use ipnet::IpNet;

use super::material;
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::words::{FilePath, Many};
use crate::plan::Networks;

/// Those that are written here, then those of the file.
pub(super) fn lower(
    inline: &Field<Many<IpNet>>,
    file: &Field<FilePath>,
    key: &str,
    cx: &mut Cx,
) -> Networks {
    let spots = inline.value().map(|many| &many.0).into_iter().flatten();
    let mut all: Vec<IpNet> = spots.map(|spot| spot.value).collect();
    if let Some(path) = file.get() {
        all.extend(listed(path, key, cx));
    }
    all.into_iter().collect()
}

/// One network or address a line; what follows `#` is for people.
fn listed(path: &Spot<FilePath>, key: &str, cx: &mut Cx) -> Vec<IpNet> {
    let Some((_, bytes)) = material::read_long(path, key, cx) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut all = Vec::new();
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let word = line.split('#').next().unwrap_or_default().trim();
        match network(word) {
            _ if word.is_empty() => {}
            Some(net) => all.push(net),
            // Not shown: a wrong file may hold anything.
            None => faults.push(number),
        }
    }
    if all.is_empty() && faults.is_empty() {
        let what = format!("{} holds no network", cx.subject_of(key));
        cx.error(&path.span, what)
            .why("nothing but comments")
            .fix(format!("leave {key} out, or put networks into the file"));
    }
    // Not one good line: somebody's token, perhaps.
    if all.is_empty() && !faults.is_empty() {
        let what = format!("{} holds no network", cx.subject_of(key));
        cx.error(&path.span, what)
            .why("none of its lines is one")
            .fix(
                "is it the right file? One network a line, as 10.0.0.0/8, 10.1.2.3, 2001:db8::/32",
            );
        return all;
    }
    let more = faults.len().saturating_sub(MOST_FAULTS);
    for number in faults.into_iter().take(MOST_FAULTS) {
        let what = format!("{}: line {number} is no network", path.value.0);
        cx.error(&path.span, what)
            .why(format!("from {key}"))
            .fix("one a line, as 10.0.0.0/8, 10.1.2.3, 2001:db8::/32; `#` begins a comment");
    }
    if more > 0 {
        let what = format!("{}: {more} further lines are no networks", path.value.0);
        cx.error(&path.span, what)
            .why("as those above")
            .fix("is it the right file?");
    }
    all
}

fn network(word: &str) -> Option<IpNet> {
    let address = || word.parse::<IpAddr>().ok().map(IpNet::from);
    word.parse().ok().or_else(address)
}

/// More of them say nothing new.
const MOST_FAULTS: usize = 5;

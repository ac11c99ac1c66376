//! What two listeners, or a listener and the admin server, cannot share: names and addresses.

use std::net::SocketAddr;

use super::protocol;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Listener;
use crate::plan::Protocol;

/// Notes every name and address that was there before.
pub(super) fn judge(listeners: &[Spot<Listener>], admin: SocketAddr, cx: &mut Cx) {
    let mut names: Vec<&Spot<String>> = Vec::new();
    let mut taken: Vec<Taken<'_>> = Vec::new();
    for listener in listeners {
        let words = &listener.value;
        let owner = match words.name.get() {
            Some(name) => format!("listener {:?}", name.value),
            None => format!("the listener of line {}", cx.source.line_of(&words.span)),
        };
        if let Some(name) = words.name.get() {
            judge_name(name, &names, cx);
            names.push(name);
        }
        for bind in words.bind.value().map(|many| &many.0).into_iter().flatten() {
            let protocols = protocol::of(words);
            judge_bind(bind, &owner, &taken, admin, &protocols, cx);
            taken.push(Taken {
                bind,
                protocols,
                owner: owner.clone(),
            });
        }
    }
}

/// An address, and whose it is.
struct Taken<'w> {
    bind: &'w Spot<SocketAddr>,
    protocols: Vec<Protocol>,
    owner: String,
}

fn judge_name(name: &Spot<String>, names: &[&Spot<String>], cx: &mut Cx) {
    let Some(first) = names.iter().find(|first| first.value == name.value) else {
        return;
    };
    let line = cx.source.line_of(&first.span);
    let what = format!("there are two listeners {:?}", name.value);
    cx.error(&name.span, what)
        .why(format!("first at line {line}"))
        .fix("give one of them another name");
}

fn judge_bind(
    bind: &Spot<SocketAddr>,
    owner: &str,
    taken: &[Taken<'_>],
    admin: SocketAddr,
    protocols: &[Protocol],
    cx: &mut Cx,
) {
    if protocols.contains(&Protocol::Tcp) && overlap(bind.value, admin) {
        let what = format!("{owner} and [admin] want the same address");
        cx.error(&bind.span, what)
            .why(format!("[admin] has {admin}"))
            .fix("give one of them another port");
    }
    // A port of TCP and the same one of UDP are two.
    let rivals = || {
        let rival = |other: &&Taken<'_>| other.protocols.iter().any(|one| protocols.contains(one));
        taken.iter().filter(rival)
    };
    let same = rivals().find(|other| other.bind.value == bind.value && bind.value.port() != 0);
    let near = rivals().find(|other| overlap(other.bind.value, bind.value));
    let Some(first) = same.or(near) else { return };
    let line = cx.source.line_of(&first.bind.span);
    if same.is_some() {
        let what = format!("{owner} wants an address that {} has", first.owner);
        cx.error(&bind.span, what)
            .why(format!("first at line {line}"))
            .fix("give one of them another port");
    } else {
        let what = format!(
            "{owner} and {} overlap on port {}",
            first.owner,
            bind.value.port()
        );
        cx.warning(&bind.span, what)
            .why(format!("{} at line {line}", first.bind.value))
            .fix("the narrower address takes its clients from the wider one; give one of them another port if that is not meant");
    }
}

/// Port 0 takes a free port, so it never does.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let family = one.is_ipv4() == other.is_ipv4();
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && family && (any || one.ip() == other.ip())
}

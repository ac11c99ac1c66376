//! What a look at a pool or a listener shows. Pure, of what the keeper of each pool has made its present.
//!
//! A pool that cannot serve is out by order when every one of its servers is; one server that is down without an order makes
//! it a failure, as with that server the order would have cost nobody a session.

use super::ledger::Seen;
use super::model::STOPPED;
use crate::pool::{Member, Order, Pool, Standing};

/// What one pool shows.
pub(super) fn pool(pool: &Pool) -> Seen {
    let now = pool.load();
    if now.can_serve() {
        return Seen::Up;
    }
    let members = now.members();
    if members.is_empty() {
        let cause = match pool.freshness().map(|one| one.why.clone()) {
            Some(why) if !why.is_empty() => format!("no server is listed: {why}"),
            _ => "no server is listed".to_owned(),
        };
        return match now.is_listed() {
            true => Seen::Down {
                cause,
                planned: false,
            },
            false => Seen::Undecided { cause },
        };
    }
    let cause = causes(members);
    if members.iter().any(|one| one.standing == Standing::Waiting) {
        return Seen::Undecided { cause };
    }
    let planned = members.iter().all(|one| one.admin != Order::Ready);
    Seen::Down { cause, planned }
}

/// What a listener shows that leads to `pools`.
pub(super) fn listener<'a>(
    bound: bool,
    stopping: bool,
    pools: impl Iterator<Item = &'a Pool>,
) -> Seen {
    if stopping {
        let cause = STOPPED.to_owned();
        return Seen::Down {
            cause,
            planned: true,
        };
    }
    if !bound {
        let cause = "no address is bound".to_owned();
        return Seen::Undecided { cause };
    }
    let (mut causes, mut all_planned, mut undecided) = (Vec::new(), true, false);
    for one in pools {
        let (cause, planned) = match pool(one) {
            Seen::Up => return Seen::Up,
            Seen::Down { cause, planned } => (cause, planned),
            Seen::Undecided { cause } => {
                undecided = true;
                (cause, false)
            }
        };
        causes.push(format!("pool {}: {cause}", one.name()));
        all_planned &= planned;
    }
    let cause = shorten(causes);
    match undecided {
        true => Seen::Undecided { cause },
        false => Seen::Down {
            cause,
            planned: all_planned,
        },
    }
}

/// Like `hs2-1: connection refused; hs2-2: draining`.
fn causes(members: &[Member]) -> String {
    shorten(members.iter().map(|member| {
        let why = match member.standing {
            Standing::Draining | Standing::Maintenance => member.standing.as_str().to_owned(),
            Standing::Waiting => "no verdict yet".to_owned(),
            Standing::Conflict => "active beside another".to_owned(),
            Standing::Ready | Standing::Full | Standing::Withdrawn | Standing::Down => {
                let last = member.server.last_probe().map(|last| last.detail.clone());
                let withdrawn = member.said.withdrawn.map(str::to_owned);
                let why = last.filter(|why| !why.is_empty()).or(withdrawn);
                why.unwrap_or_else(|| member.standing.as_str().to_owned())
            }
        };
        format!("{}: {why}", member.plan.name)
    }))
}

/// The first few, and how many more.
fn shorten(all: impl IntoIterator<Item = String>) -> String {
    let mut all = all.into_iter();
    let mut text: Vec<String> = all.by_ref().take(FEW).collect();
    match all.count() {
        0 => {}
        more => text.push(format!("and {more} more")),
    }
    text.join("; ")
}

const FEW: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_many_servers_has_a_short_cause() {
        let all = |count: usize| (0..count).map(|one| format!("s{one}: down"));
        assert_eq!(shorten(all(2)), "s0: down; s1: down");
        assert_eq!(
            shorten(all(6)),
            "s0: down; s1: down; s2: down; s3: down; and 2 more"
        );
    }
}

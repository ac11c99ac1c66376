//! What a new plan means for one listener, which listeners take their steps together, and what they wait for.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::Instant;

use crate::listener::bind::Sockets;
use crate::plan::{ListenerName, ListenerPlan, PoolName, Protocol};
use crate::pool::{Member, Pool};

/// What a new plan means for one listener.
pub(super) enum Step {
    /// It follows its entry.
    Follow {
        plan: Arc<ListenerPlan>,
        opened: Vec<Opened>,
        /// None where it stays as it is.
        tls: Option<Arc<ServerConfig>>,
    },
    /// It left the file.
    Close(ListenerName),
}

/// An address with a socket for each worker; connections wait there already.
pub(super) struct Opened {
    pub(super) wanted: SocketAddr,
    pub(super) bound: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) sockets: Sockets,
    /// The same once more, for a successor.
    pub(super) shared: Vec<OwnedFd>,
    /// A predecessor has them too, for now.
    pub(super) is_inherited: bool,
}

/// Steps that are taken together, and the pools that they wait for.
pub(super) struct Waiting {
    pub(super) steps: Vec<Step>,
    pub(super) pools: Vec<Arc<Pool>>,
    pub(super) until: Instant,
}

/// A listener, and sockets that it has when this howdah leads.
pub(super) type HeldBack = (ListenerName, Vec<Opened>);

/// From one listener to another.
pub(super) type Handover = (ListenerName, ListenerName);

impl Step {
    pub(super) fn listener(&self) -> &ListenerName {
        match self {
            Self::Follow { plan, .. } => &plan.name,
            Self::Close(name) => name,
        }
    }

    /// The addresses that are open for it already.
    pub(super) fn opened(&self) -> impl Iterator<Item = SocketAddr> {
        let opened = match self {
            Self::Follow { opened, .. } => opened.as_slice(),
            Self::Close(_) => &[],
        };
        opened.iter().map(|one| one.bound)
    }

    /// Whether its sessions can go to that pool.
    pub(super) fn leads_to(&self, pool: &PoolName) -> bool {
        match self {
            Self::Follow { plan, .. } => {
                let routed = plan.routes.iter().map(|route| &route.pool);
                routed.chain(&plan.pool).any(|one| one == pool)
            }
            Self::Close(_) => false,
        }
    }
}

impl Waiting {
    /// Every pool can serve or knows that it cannot; or the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.pools.iter().all(|pool| is_decided(pool)) || Instant::now() >= self.until
    }
}

/// Also where nobody says who the servers are.
fn is_decided(pool: &Pool) -> bool {
    let now = pool.load();
    let silent = || pool.freshness().is_some_and(|one| !one.live);
    let listed = now.is_listed() || silent();
    let asked = || now.members().iter().all(Member::is_judged);
    now.can_serve() || listed && asked()
}

/// Puts steps of listeners that share a handover into one group.
pub(super) fn together(steps: Vec<Step>, handovers: &[Handover]) -> Vec<Vec<Step>> {
    let mut groups: Vec<Vec<Step>> = steps.into_iter().map(|step| vec![step]).collect();
    for (giver, taker) in handovers {
        let of = |name: &ListenerName| {
            let has = |group: &Vec<Step>| group.iter().any(|step| step.listener() == name);
            groups.iter().position(has)
        };
        if let (Some(one), Some(other)) = (of(giver), of(taker))
            && one != other
        {
            let moved = groups.swap_remove(one.max(other));
            groups[one.min(other)].extend(moved);
        }
    }
    groups
}

/// How often verdicts are looked for while somebody waits for them.
pub(super) const GLANCE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_handover_moves_together() {
        let close = |name: &&str| Step::Close(ListenerName::new(name));
        let steps: Vec<Step> = ["a", "b", "c", "d", "e"].iter().map(close).collect();
        let pair = |a: &str, b: &str| (ListenerName::new(a), ListenerName::new(b));
        let groups = together(steps, &[pair("a", "d"), pair("d", "a"), pair("e", "d")]);
        let mut names: Vec<Vec<&str>> = (groups.iter())
            .map(|group| group.iter().map(|step| step.listener().as_str()).collect())
            .collect();
        names.iter_mut().for_each(|group| group.sort_unstable());
        names.sort_unstable();
        assert_eq!(names, [vec!["a", "d", "e"], vec!["b"], vec!["c"]]);
    }
}

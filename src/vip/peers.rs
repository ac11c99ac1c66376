//! Whom `unicast_peers` means: names are asked for again and again, beside the nodes, which wait for no name server.
//!
//! ```text
//!  every half a minute, and when a partner cannot be reached or somebody unknown speaks ──► names ──► addresses ──► node
//! ```
//!
//! What was known once stays until there is another answer: a name server that is gone parts nobody.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::plan::{Host, VipPlan};

/// What is known of the partners: nothing yet, whom the names mean, or why that cannot be said.
pub(super) type Known = Option<Result<Arc<[IpAddr]>, String>>;

/// The partners of one node.
pub(super) struct Peers {
    known: watch::Receiver<Known>,
    again: Arc<Notify>,
}

impl Peers {
    /// Names are asked for until this is dropped.
    pub(super) fn of(plan: &Arc<VipPlan>) -> Self {
        let addresses = plan.unicast_peers.iter().map(|host| match host {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        });
        let again = Arc::default();
        if let Some(all) = addresses.collect() {
            let known = watch::channel(Some(Ok(all))).1;
            return Self { known, again };
        }
        let (told, known) = watch::channel(None);
        tokio::spawn(ask(Arc::clone(plan), told, Arc::clone(&again)));
        Self { known, again }
    }

    pub(super) fn known(&mut self) -> Known {
        self.known.borrow_and_update().clone()
    }

    /// When [`Self::known`] is news; never, where there are no names.
    ///
    /// Cancel-safe.
    pub(super) async fn changed(&mut self) {
        if self.known.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// They may have moved.
    pub(super) fn ask_again(&self) {
        self.again.notify_one();
    }
}

async fn ask(plan: Arc<VipPlan>, told: watch::Sender<Known>, again: Arc<Notify>) {
    let mut failed = false;
    loop {
        let patience = if told.borrow().is_none() {
            FIRST
        } else {
            RESOLVE
        };
        let answer = resolve(&plan, patience).await;
        let news = match (&*told.borrow(), &answer) {
            (Some(Ok(_)), Err(why)) => {
                if !failed {
                    tracing::warn!(vip = %plan.name, "{why}: its address stays what it was");
                }
                false
            }
            (old, new) => old.as_ref() != Some(new),
        };
        failed = answer.is_err();
        if news {
            if let Ok(peers) = &answer {
                tracing::info!(vip = %plan.name, ?peers, "unicast_peers resolved");
            }
            told.send_replace(Some(answer));
        }
        let pause = if failed { PAUSE } else { ASK_EVERY };
        let wanted = async {
            sleep(PAUSE).await;
            again.notified().await;
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = wanted => {}
            () = told.closed() => return,
        }
    }
}

async fn resolve(plan: &VipPlan, patience: Duration) -> Result<Arc<[IpAddr]>, String> {
    let v6 = plan.hosts().iter().any(IpAddr::is_ipv6);
    let mut peers = Vec::new();
    for host in &plan.unicast_peers {
        match host {
            Host::Ip(ip) => peers.push(*ip),
            Host::Name(name) => {
                let found = timeout(patience, lookup_host((name.as_str(), 0))).await;
                let Ok(Ok(found)) = found else {
                    return Err(format!(
                        "the name {name:?} of unicast_peers does not resolve"
                    ));
                };
                let before = peers.len();
                let found = found.map(|one: SocketAddr| one.ip());
                peers.extend(found.filter(|one| one.is_ipv6() == v6));
                if peers.len() == before {
                    let family = if v6 { "IPv6" } else { "IPv4" };
                    return Err(format!(
                        "the name {name:?} of unicast_peers has no {family} address"
                    ));
                }
            }
        }
    }
    peers.sort_unstable();
    peers.dedup();
    Ok(peers.into())
}

/// A partner that has moved is known after so long at the latest.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// Between two questions, however much there is to ask for.
const PAUSE: Duration = Duration::from_secs(1);
/// For one name.
const RESOLVE: Duration = Duration::from_secs(5);
/// For one name, while nothing is known: whoever takes an address over has it for three seconds.
const FIRST: Duration = Duration::from_secs(1);

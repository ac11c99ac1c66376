//! Coordinators of an Impala cluster, as one of them lists them.
//!
//! Any coordinator knows the others. Those that the file names are asked first, then those that were found, so that the
//! cluster is followed also when the one from the file is gone. A coordinator that has just started, or has lost its
//! statestore, knows fewer than there are: a list that lacks somebody counts when it was given twice in a row, by another
//! coordinator where one answers.

mod backends;
mod page;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use self::backends::Coordinator;
use super::{Found, Listing, Reports};
use crate::plan::{Address, PoolPlan};

/// Until nobody hears it.
pub(super) async fn watch(seeds: &[Address], plan: &Arc<PoolPlan>, reports: &Reports) {
    let mut cluster = Cluster::new(seeds);
    loop {
        let listing = cluster.round(plan).await;
        if reports.send(listing).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Who can be asked, and what was heard.
struct Cluster<'p> {
    seeds: &'p [Address],
    /// Web servers of the coordinators that were found last.
    others: Vec<Address>,
    /// In force, and a shorter one that has been given once.
    known: Vec<Coordinator>,
    shorter: Option<Vec<Coordinator>>,
    /// Who was asked last with success; others are asked before it.
    last: Option<Address>,
}

impl<'p> Cluster<'p> {
    fn new(seeds: &'p [Address]) -> Self {
        Self {
            seeds,
            others: Vec::new(),
            known: Vec::new(),
            shorter: None,
            last: None,
        }
    }

    /// Asks one after the other until one answers; one more where the list is shorter than it was.
    async fn round(&mut self, plan: &PoolPlan) -> Listing {
        let mut why = String::new();
        let mut answered = false;
        for address in self.in_turn() {
            match ask(&address).await {
                Err(reason) => why = format!("{address}: {reason}"),
                Ok(found) => {
                    answered = true;
                    self.last = Some(address);
                    if self.settles(&found) {
                        return self.listing(found, plan);
                    }
                }
            }
        }
        match answered {
            // With a shorter list, which nobody has confirmed yet.
            true => Listing::Same,
            false => Listing::Silent { why },
        }
    }

    /// Seeds, then the others, each once; who gave the last list comes last while a shorter one waits to be confirmed.
    fn in_turn(&self) -> Vec<Address> {
        let mut turn: Vec<Address> = Vec::new();
        for address in self.seeds.iter().chain(&self.others) {
            if !turn.contains(address) {
                turn.push(address.clone());
            }
        }
        turn.truncate(ASKED_MAX);
        if self.shorter.is_some() {
            turn.sort_by_key(|address| Some(address) == self.last.as_ref());
        }
        turn
    }

    /// Whether the list may be believed: it lacks nobody, or lacks the same as the one before.
    fn settles(&mut self, found: &[Coordinator]) -> bool {
        let lacks = self.known.iter().any(|one| !found.contains(one));
        let confirmed = self.shorter.as_deref() == Some(found);
        if !lacks || confirmed {
            self.shorter = None;
            return true;
        }
        self.shorter = Some(found.to_vec());
        false
    }

    fn listing(&mut self, found: Vec<Coordinator>, plan: &PoolPlan) -> Listing {
        let port = plan.service.usual_port(plan.tls.is_some());
        let servers = found
            .iter()
            .filter_map(|one| Found::at(&one.host, port?, plan).ok());
        let servers = servers.collect();
        // A list of nobody is not obeyed: the one before stays in force.
        if !found.is_empty() {
            self.others = found.iter().filter_map(|one| one.web.clone()).collect();
            self.known = found;
        }
        Listing::Listed(servers)
    }
}

async fn ask(address: &Address) -> Result<Vec<Coordinator>, String> {
    let asked = timeout(PATIENCE, page::get(address, "/backends?json")).await;
    let body = asked.map_err(|_| "no answer".to_owned())??;
    backends::read(&body)
}

/// Impala's own news of members take about as long.
const PAUSE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(3);
/// In one round.
const ASKED_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::discovery::tests::plan;
    use crate::plan::Host;

    fn all(hosts: &[&str]) -> Vec<Coordinator> {
        let one = |host: &&str| Coordinator {
            host: (*host).to_owned(),
            web: None,
        };
        hosts.iter().map(one).collect()
    }

    #[test]
    fn a_list_that_lacks_somebody_counts_when_it_was_given_twice() {
        let mut cluster = Cluster::new(&[]);
        assert!(cluster.settles(&all(&["a", "b"])));
        cluster.known = all(&["a", "b"]);
        assert!(!cluster.settles(&all(&["a"])));
        assert!(!cluster.settles(&all(&[])), "another one");
        assert!(cluster.settles(&all(&["a", "b", "c"])), "it was a blink");
        assert!(!cluster.settles(&all(&["a"])));
        assert!(cluster.settles(&all(&["a"])));
    }
    #[tokio::test]
    async fn a_shorter_list_that_waits_is_no_answer_when_nobody_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok(peer) = listener.accept().await {
                drop(peer);
            }
        });
        let seeds = [Address {
            host: Host::Ip(at.ip()),
            port: at.port(),
        }];
        let mut cluster = Cluster::new(&seeds);
        cluster.known = all(&["a", "b"]);
        assert!(!cluster.settles(&all(&["a"])));
        let plan = plan(None);
        let round = timeout(PATIENCE * 2, cluster.round(&plan)).await;
        let round = round.expect("in time");
        assert!(matches!(round, Listing::Silent { .. }), "{round:?}");
    }
}

//! Coordinators that an Impala coordinator lists.

use std::net::SocketAddr;

use ::howdah::standin::{Fault, HiveClient, HiveOptions, Impala};
use serde_json::{Value, json};

use super::{discovery, listed, servers};
use crate::eventually;
use crate::support::{Frame, Howdah};

/// Those of one test share both ports, as a cluster does, and differ in their host.
struct Cluster(Vec<Impala>);

impl Cluster {
    /// Three, each on an address of its own.
    fn start(net: u8, port: u16, web: u16) -> Self {
        let one = |host: u8| {
            let at = |port: u16| SocketAddr::from(([127, 79, net, host], port));
            let frame = Frame {
                bind: at(port),
                ..Frame::default()
            };
            let name = host.to_string();
            Impala::start(&frame, at(web), HiveOptions::new(&name)).unwrap()
        };
        Self((1..=3).map(one).collect())
    }

    /// Every coordinator knows these, and an executor.
    fn all_know(&self, members: &[&Impala]) {
        let executor =
            json!({"address": "127.79.0.99:27000", "is_coordinator": false, "is_executor": true});
        let known = members.iter().map(|one| backend(one, false));
        let known: Vec<Value> = known.chain([executor]).collect();
        for one in &self.0 {
            one.set_backends(known.clone().into());
        }
    }
}

fn host(one: &Impala) -> String {
    one.listener().address().ip().to_string()
}

fn backend(one: &Impala, quiescing: bool) -> Value {
    json!({
        "address": format!("{}:27000", host(one)), "webserver_url": format!("http://{}", one.web().address()),
        "is_coordinator": true, "is_executor": true, "is_quiescing": quiescing, "is_blacklisted": false,
    })
}

/// The ports that all coordinators share are Impala's own: the test needs addresses where nobody else has them.
const PORT: u16 = 21_050;

fn config(cluster: &Cluster) -> String {
    let seed = cluster.0[0].web().address();
    let probe = format!("type = \"impala\", port = {},", seed.port());
    listed("impala", &format!("impala = \"{seed}\""), "")
        .replace("service = \"tcp\"", "service = \"impala\"")
        .replace("probe = {", &format!("probe = {{ {probe}"))
}

async fn up(howdah: &Howdah, members: &[&Impala]) -> bool {
    let wanted = members
        .iter()
        .map(|one| (format!("{}:{PORT}", host(one)), "up".to_owned()));
    servers(howdah, "impala").await == wanted.collect::<Vec<_>>()
}

#[tokio::test]
async fn coordinators_that_one_of_them_lists_are_followed_and_its_own_end_empties_nothing() {
    let cluster = Cluster::start(1, PORT, 25_000);
    let [a, b, c] = &cluster.0[..] else {
        panic!("three");
    };
    cluster.all_know(&[a, b]);
    let howdah = Howdah::start(&config(&cluster)).await;
    eventually!(up(&howdah, &[a, b]).await);
    let front = howdah.address("impala").await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = HiveClient::connect(front, "u").await.unwrap();
        let who = client.query("SELECT who").await.unwrap();
        clients.push((who, client));
    }

    // The one from the file dies: the others are asked, and know of a third.
    a.listener().switch().set(Fault::Refuse);
    cluster.all_know(&[b, c]);
    eventually!(up(&howdah, &[b, c]).await);
    assert_eq!(discovery(&howdah, "impala").await.0, "live");

    // One shuts down: it leaves the list, and its session goes on.
    for one in [b, c] {
        one.set_backends(json!([backend(b, true), backend(c, false)]));
    }
    eventually!(up(&howdah, &[c]).await);
    let of_b = clients.iter_mut().find(|(who, _)| *who == ["2"]);
    let (_, client) = of_b.expect("round-robin");
    assert_eq!(client.query("SELECT who").await.unwrap(), ["2"]);
}

#[tokio::test]
async fn a_coordinator_that_knows_nobody_any_more_changes_nothing() {
    let cluster = Cluster::start(2, PORT, 25_000);
    let [a, b, _] = &cluster.0[..] else {
        panic!("three");
    };
    cluster.all_know(&[a, b]);
    let howdah = Howdah::start(&config(&cluster)).await;
    eventually!(up(&howdah, &[a, b]).await);
    // Restarted, and without its statestore; the other one knows better.
    a.set_backends(json!([]));
    let answered = [("pool", "impala"), ("result", "same")];
    let answers = async || {
        howdah
            .metric("howdah_discovery_listings_total", &answered)
            .await
    };
    let before = answers().await;
    eventually!(answers().await >= before + 2.0);
    assert!(up(&howdah, &[a, b]).await);
    assert_eq!(discovery(&howdah, "impala").await.0, "live");
    // Nobody knows anybody: the last list is in force, and old.
    b.set_backends(json!([]));
    eventually!(discovery(&howdah, "impala").await.0 == "stale");
    assert!(up(&howdah, &[a, b]).await);
}

//! Howdahs on a network that loses, delays and doubles what watches say, and is parted: every order reaches every one that
//! lives, and none is undone by an older one. `HOWDAH_TEST_SEED` repeats a run.

use std::collections::BTreeMap;

use super::book::{Book, Key, tests::local, via};
use super::mirror::Mirror;
use super::names::Names;
use super::register::Entry;
use crate::wire::zookeeper::Held;

/// The ensemble: orders by their path, with versions.
#[derive(Default)]
struct Store(BTreeMap<String, (Vec<u8>, i32)>);

/// An order, and by whom when.
type Shown = (&'static str, Option<(String, u64)>);

/// One howdah: what it knows, what its pool shows, and notices on their way to it.
struct Node {
    name: String,
    names: Names,
    mirror: Mirror,
    book: Book,
    written: BTreeMap<Key, (Entry, i32)>,
    /// Order, and by whom when.
    pools: BTreeMap<Key, Shown>,
    notices: Vec<String>,
    connected: bool,
    /// Its clock is so many milliseconds ahead.
    ahead: u64,
    /// The newest stamp that was obeyed, by server.
    obeyed: BTreeMap<Key, u64>,
}

const ORDERS: [&str; 3] = ["ready", "draining", "maintenance"];

impl Node {
    fn new(number: usize, ahead: u64) -> Self {
        let names = Names::below("/h");
        Self {
            name: format!("lb-{number}"),
            mirror: Mirror::of(&[&names.orders], &names.orders),
            book: Book::of(&format!("lb-{number}")),
            names,
            written: BTreeMap::new(),
            pools: BTreeMap::new(),
            notices: Vec::new(),
            connected: true,
            ahead,
            obeyed: BTreeMap::new(),
        }
    }

    /// As `Link` reads: what is doubted.
    fn read(&mut self, store: &Store) {
        while let Some(folder) = self.mirror.next_folder() {
            let below = format!("{folder}/");
            let inside = store.0.keys().filter_map(|path| path.strip_prefix(&below));
            let mut names: Vec<&str> = inside
                .map(|rest| rest.split('/').next().unwrap_or(rest))
                .collect();
            names.dedup();
            self.mirror.list(&folder, &names);
        }
        for path in self.mirror.next_znodes() {
            let held = store.0.get(&path).map(|(data, version)| Held {
                data,
                version: *version,
                owner: 0,
            });
            self.mirror.read(&path, held);
        }
        self.written.clear();
        for (path, znode) in self.mirror.below(&self.names.orders) {
            let key = self.names.ordered(path).expect("a path of ours");
            let entry: Entry = serde_json::from_slice(&znode.data).expect("an entry of ours");
            self.book.learn(key.clone(), &entry);
            self.written.insert(key, (entry, znode.version));
        }
    }

    /// As `Link` writes: by version. Gives the paths that changed.
    fn write(&mut self, store: &mut Store) -> Vec<String> {
        let mut changed = Vec::new();
        let known = self.book.entries();
        let due = known.filter(|(key, entry)| {
            self.written
                .get(key)
                .is_none_or(|(written, _)| written != *entry)
        });
        let due: Vec<_> = due
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        for (key, entry) in due {
            let path = self.names.order(&key.0, &key.1);
            let data = serde_json::to_vec(&entry).expect("JSON");
            let version = self.written.get(&key).map(|(_, version)| *version);
            if store.0.get(&path).map(|(_, version)| *version) == version {
                store.0.insert(
                    path.clone(),
                    (data, version.map_or(0, |version| version + 1)),
                );
                changed.push(path.clone());
            }
            self.mirror.doubt_with_folder(&path);
        }
        changed
    }

    /// As `enforce` looks.
    fn look(&mut self, now: u64) {
        for (key, (order, mark)) in &mut self.pools {
            let shown = local(order, mark.as_ref().map(|(by, at)| (by.as_str(), *at)));
            let Some(given) = self.book.look(key, &shown, now + self.ahead).order else {
                continue;
            };
            let before = self.obeyed.insert(key.clone(), given.stamp).unwrap_or(0);
            assert!(
                given.stamp >= before,
                "{}: {given:?} after one of {before}",
                self.name
            );
            *order = ORDERS
                .into_iter()
                .find(|one| *one == given.value)
                .expect("a word of ours");
            *mark = Some((via(&given), given.stamp));
        }
    }
}

fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut store = Store::default();
    let count = random.usize(2..5);
    let mut nodes: Vec<Node> = (0..count)
        .map(|number| Node::new(number, random.u64(..60_000)))
        .collect();
    let keys: Vec<Key> = (0..3)
        .map(|number| ("hive".to_owned(), format!("hs2-{number}")))
        .collect();
    for node in &mut nodes {
        node.pools = keys
            .iter()
            .map(|key| (key.clone(), ("ready", None)))
            .collect();
    }
    let mut now = 1_800_000_000_000;
    for step in 0..400 {
        now += random.u64(1..3000);
        let who = random.usize(..count);
        let node = &mut nodes[who];
        match random.u32(..10) {
            0 if step < 380 => {
                // An order of an operator, by the wall clock of that machine.
                let key = random.choice(&keys).expect("some").clone();
                let order = *random.choice(ORDERS).as_ref().expect("some");
                let given = (format!("alice-{step}"), now + node.ahead);
                node.pools.insert(key, (order, Some(given)));
                node.look(now);
            }
            1 => node.connected = false,
            2 if !node.connected => {
                // A new connection watches nothing.
                node.connected = true;
                node.notices.clear();
                node.mirror.doubt_all();
            }
            3 => {
                // Late, and in another order; one that comes twice.
                random.shuffle(&mut node.notices);
                if let Some(again) = node.notices.first().cloned() {
                    node.mirror.doubt(&again);
                    node.mirror.doubt(&again);
                }
            }
            _ if node.connected => {
                let heard = random.usize(..=node.notices.len());
                node.notices
                    .drain(..heard)
                    .for_each(|path| node.mirror.doubt(&path));
                node.read(&store);
                node.look(now);
                let changed = node.write(&mut store);
                tell(&mut nodes, who, &changed);
            }
            _ => node.look(now),
        }
    }
    settle(&mut nodes, &mut store, now);
    for key in &keys {
        let newest = nodes
            .iter()
            .map(|node| node.pools[key].0)
            .collect::<Vec<_>>();
        assert!(
            newest.windows(2).all(|pair| pair[0] == pair[1]),
            "seed {seed}: {key:?} {newest:?}"
        );
        let path = nodes[0].names.order(&key.0, &key.1);
        let Some((data, _)) = store.0.get(&path) else {
            continue;
        };
        let kept: Entry = serde_json::from_slice(data).expect("JSON");
        assert_eq!(
            kept.order.expect("an order").value,
            newest[0],
            "seed {seed}: {key:?}"
        );
    }
}

/// Each connected one hears of it some time: the watch of the znode, and that of its folder.
fn tell(nodes: &mut [Node], writer: usize, changed: &[String]) {
    for path in changed {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, node) in nodes.iter_mut().enumerate() {
            if number != writer && node.connected {
                node.notices
                    .extend([path.clone(), folder.to_owned(), node.names.orders.clone()]);
            }
        }
    }
}

/// Everybody is connected again, and nobody orders anything: at most a few rounds.
fn settle(nodes: &mut [Node], store: &mut Store, now: u64) {
    for node in nodes.iter_mut() {
        node.connected = true;
        node.mirror.doubt_all();
    }
    for _ in 0..nodes.len() * 3 {
        for who in 0..nodes.len() {
            let node = &mut nodes[who];
            let notices = std::mem::take(&mut node.notices);
            notices.iter().for_each(|path| node.mirror.doubt(path));
            node.read(store);
            node.look(now);
            let changed = node.write(store);
            tell(nodes, who, &changed);
        }
    }
}

#[test]
fn every_order_reaches_everybody_and_none_is_undone_by_an_older_one() {
    let given = std::env::var("HOWDAH_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    if let Some(seed) = given {
        return run(seed);
    }
    (0..60).for_each(run);
}

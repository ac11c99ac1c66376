//! Howdahs on a network that loses, delays and doubles what watches say, and is parted: every order reaches every one that
//! lives, and none is undone by an older one. `HOWDAH_TEST_SEED` repeats a run.
//!
//! A watch is as ZooKeeper has it: armed by a read, fired once, gone with its connection. So a node that forgets to read what
//! a watch named hears of it never again.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{Book, Key, tests::local, via};
use super::mirror::Mirror;
use super::names::Names;
use super::register::Entry;
use crate::wire::zookeeper::Held;

/// The ensemble: orders by their path, with versions; folders of pools; and who watches what.
#[derive(Default)]
struct Store {
    orders: BTreeMap<String, (Vec<u8>, i32)>,
    folders: BTreeSet<String>,
    /// By the path, and whether it is its names that are watched.
    watches: BTreeMap<(String, bool), BTreeSet<String>>,
}

impl Store {
    /// The names in a folder, which is watched then; one that is not there is not.
    fn list(&mut self, who: &str, folder: &str) -> Option<Vec<String>> {
        let is_there = folder == Names::below("/h").orders || self.folders.contains(folder);
        is_there.then(|| {
            self.watch(who, folder, true);
            let below = format!("{folder}/");
            let all = self.folders.iter().chain(self.orders.keys());
            let inside = all.filter_map(|path| path.strip_prefix(&below));
            let inside = inside.filter(|rest| !rest.contains('/'));
            inside.map(str::to_owned).collect()
        })
    }

    /// What a znode holds, which is watched then.
    fn get(&mut self, who: &str, path: &str) -> Option<&(Vec<u8>, i32)> {
        if self.orders.contains_key(path) {
            self.watch(who, path, false);
        }
        self.orders.get(path)
    }

    /// Written where the version is the one that is known. Gives the watches that fire: who, and which path.
    fn put(&mut self, path: &str, data: Vec<u8>, known: Option<i32>) -> Vec<(String, String)> {
        let present = self.orders.get(path).map(|(_, version)| *version);
        if present != known {
            return Vec::new();
        }
        let version = known.map_or(0, |version| version + 1);
        self.orders.insert(path.to_owned(), (data, version));
        if known.is_some() {
            return self.fire(path, false);
        }
        let (folder, _) = path.rsplit_once('/').expect("in a folder");
        let mut fired = Vec::new();
        if self.folders.insert(folder.to_owned()) {
            let (above, _) = folder.rsplit_once('/').expect("in a folder");
            fired = self.fire(above, true);
        }
        fired.extend(self.fire(folder, true));
        fired
    }

    fn watch(&mut self, who: &str, path: &str, names: bool) {
        let watchers = self.watches.entry((path.to_owned(), names)).or_default();
        watchers.insert(who.to_owned());
    }

    fn fire(&mut self, path: &str, names: bool) -> Vec<(String, String)> {
        let watchers = self.watches.remove(&(path.to_owned(), names));
        let all = watchers.into_iter().flatten();
        all.map(|who| (who, path.to_owned())).collect()
    }

    /// A connection is gone.
    fn forget(&mut self, who: &str) {
        self.watches.values_mut().for_each(|all| {
            all.remove(who);
        });
    }
}

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

    /// A new connection watches nothing, and hears nothing that was meant for the one before.
    fn connect(&mut self) {
        self.connected = true;
        self.mirror.doubt_all();
    }

    fn lose(&mut self, store: &mut Store) {
        self.connected = false;
        self.notices.clear();
        store.forget(&self.name);
    }

    /// As `Link` reads: what is doubted.
    fn read(&mut self, store: &mut Store) {
        while let Some(folder) = self.mirror.next_folder() {
            match store.list(&self.name, &folder) {
                Some(names) => {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    self.mirror.list(&folder, &names);
                }
                None => assert!(!self.mirror.is_missing(&folder), "{folder}"),
            }
        }
        for path in self.mirror.next_znodes() {
            let held = store.get(&self.name, &path).map(|(data, version)| Held {
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

    /// As `Link` writes: by version. Gives the watches that fire.
    fn write(&mut self, store: &mut Store) -> Vec<(String, String)> {
        let mut fired = Vec::new();
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
            fired.extend(store.put(&path, data, version));
            if version.is_none() {
                self.mirror.doubt(&self.names.orders);
            }
            self.mirror.doubt_with_folder(&path);
        }
        fired
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
    // So many that some are ordered of once, and whoever does not hear of that has no other way to know.
    let keys: Vec<Key> = (0..20)
        .map(|number| (format!("pool-{}", number % 5), format!("hs2-{number}")))
        .collect();
    for node in &mut nodes {
        node.pools = keys
            .iter()
            .map(|key| (key.clone(), ("ready", None)))
            .collect();
    }
    // When the last order was given, by the clock of who gave it.
    let mut newest: BTreeMap<Key, u64> = BTreeMap::new();
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
                let at = newest.entry(key.clone()).or_default();
                *at = given.1.max(*at);
                node.pools.insert(key, (order, Some(given)));
                node.look(now);
            }
            1 => node.lose(&mut store),
            2 if !node.connected => node.connect(),
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
                node.read(&mut store);
                node.look(now);
                let fired = node.write(&mut store);
                tell(&mut nodes, fired);
            }
            _ => node.look(now),
        }
    }
    settle(&mut nodes, &mut store, now);
    for key in &keys {
        let all: Vec<_> = nodes.iter().map(|node| node.pools[key].0).collect();
        assert!(
            all.windows(2).all(|pair| pair[0] == pair[1]),
            "seed {seed}: {key:?} {all:?}"
        );
        let path = nodes[0].names.order(&key.0, &key.1);
        let Some(newest) = newest.get(key) else {
            continue;
        };
        let (data, _) = store.orders.get(&path).expect("written");
        let kept: Entry = serde_json::from_slice(data).expect("JSON");
        let kept = kept.order.expect("an order");
        assert_eq!(kept.value, all[0], "seed {seed}: {key:?}");
        assert!(kept.stamp >= *newest, "seed {seed}: {key:?} {kept:?}");
    }
}

/// Each that is connected hears of it some time.
fn tell(nodes: &mut [Node], fired: Vec<(String, String)>) {
    for (who, path) in fired {
        let mut all = nodes.iter_mut();
        let node = all.find(|node| node.name == who).expect("one of ours");
        node.notices.push(path);
    }
}

/// Everybody is connected again, and nobody orders anything: at most a few rounds.
fn settle(nodes: &mut [Node], store: &mut Store, now: u64) {
    let away = nodes.iter_mut().filter(|node| !node.connected);
    away.for_each(Node::connect);
    for _ in 0..nodes.len() * 3 {
        for who in 0..nodes.len() {
            let node = &mut nodes[who];
            let notices = std::mem::take(&mut node.notices);
            notices.iter().for_each(|path| node.mirror.doubt(path));
            node.read(store);
            node.look(now);
            let fired = node.write(store);
            tell(nodes, fired);
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

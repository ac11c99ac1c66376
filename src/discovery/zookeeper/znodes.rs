//! The znodes under the path: which of them are known, which must be read, and the servers that they make together.
//!
//! Pure but for the log. A server stands in the list for as long as any znode names it: one that came back before its
//! former session ran out has two for a while, and the older one's going says nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::contradictions::{self, contradictions};
use crate::discovery::Found;
use crate::plan::{PoolPlan, ZooKeeperPlan};
use crate::wire::znode::{self, Registered};

/// See the module.
#[derive(Default)]
pub(super) struct Znodes {
    /// What each one said; `None` for one that names no server.
    known: HashMap<String, Option<Registered>>,
    /// Those of no use that the log knows.
    told: HashSet<String>,
    /// Of no use, found since the last list.
    junk: Vec<(String, String)>,
}

impl Znodes {
    /// These are all. Gives those whose data must be read.
    pub(super) fn are(&mut self, names: &[&str]) -> Vec<String> {
        let present: HashSet<&str> = names.iter().copied().collect();
        self.known.retain(|name, _| present.contains(name.as_str()));
        self.told.retain(|name| present.contains(name.as_str()));
        let unknown = names.iter().filter(|name| !self.known.contains_key(**name));
        let (wanted, others): (Vec<&str>, Vec<&str>) =
            unknown.partition(|name| znode::is_server(name));
        for name in others {
            self.learn(name, b"");
        }
        wanted.into_iter().map(str::to_owned).collect()
    }

    /// Its data were read.
    pub(super) fn learn(&mut self, name: &str, data: &[u8]) {
        let found = match znode::registered(name, data) {
            Ok(found) => Some(found),
            Err(why) => {
                self.junk.push((name.to_owned(), why.to_string()));
                None
            }
        };
        self.known.insert(name.to_owned(), found);
    }

    /// Its data may be others now.
    pub(super) fn doubt(&mut self, name: &str) {
        self.known.remove(name);
    }

    /// Nothing is watched any more.
    pub(super) fn doubt_all(&mut self) {
        self.known.clear();
    }

    /// The servers; what is of no use is named in the log, once.
    pub(super) fn servers(&mut self, plan: &ZooKeeperPlan, pool: &PoolPlan) -> Vec<Found> {
        let mut servers: BTreeMap<(&str, u16), (&str, &Registered)> = BTreeMap::new();
        for (name, one) in &self.known {
            if let Some(one) = one.as_ref().filter(|one| !one.passive) {
                servers.insert((&one.host, one.port), (name, one));
            }
        }
        let principals = contradictions::principals(servers.values().map(|(_, one)| *one));
        let mut found = Vec::with_capacity(servers.len());
        for (name, one) in servers.values() {
            match Found::at(&one.host, one.port, pool) {
                Ok(server) => found.push(Found {
                    warnings: contradictions(one, pool, principals),
                    ..server
                }),
                Err(why) => self.junk.push(((*name).to_owned(), why.to_owned())),
            }
        }
        self.tell(plan, pool);
        found
    }

    fn tell(&mut self, plan: &ZooKeeperPlan, pool: &PoolPlan) {
        let told = &mut self.told;
        let news: Vec<_> = (self.junk.drain(..))
            .filter(|(name, _)| told.insert(name.clone()))
            .collect();
        for (name, why) in news.iter().take(LINES) {
            let hint = match name.as_str() {
                "instances" => {
                    "; of an active/passive pair, the servers are under this one: let `path` end with /instances"
                }
                _ => "",
            };
            let znode: String = name
                .chars()
                .take(NAME_SHOWN)
                .flat_map(char::escape_debug)
                .collect();
            let (pool, path) = (&pool.name, &plan.path);
            tracing::warn!(%pool, %path, %znode, "a znode that names no server is ignored: {why}{hint}");
        }
        if let Some(more @ 1..) = news.len().checked_sub(LINES) {
            tracing::warn!(pool = %pool.name, path = %plan.path, more, "more znodes name no server");
        }
    }
}

/// In the log at once.
const LINES: usize = 10;

/// Of a name in the log.
const NAME_SHOWN: usize = 128;

//! What is below the path becomes known: who is there, what is ordered, who leads. Junk is named once.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{End, Link, Wire, denied};
use crate::cluster::latch;
use crate::cluster::member::{self, Member};
use crate::cluster::register::Entry;
use crate::cluster::shared::State;
use crate::cluster::views::Word;
use crate::telemetry::journal::{Event, Kind};
use crate::wire::zookeeper::{Life, NO_NODE, NODE_EXISTS, Request, children};
use crate::zookeeper::Broken;

impl Link<'_> {
    /// Reads what is doubted.
    pub(super) async fn read(&mut self, wire: &mut Wire) -> Result<(), End> {
        while let Some(folder) = self.mirror.next_folder() {
            match wire.ask(Request::Children { path: &folder }).await? {
                Ok(content) => {
                    let names = children(content).map_err(Broken::from)?;
                    self.mirror.list(&folder, &names);
                }
                Err(NO_NODE) => {
                    if self.mirror.is_missing(&folder) {
                        self.make_folders(wire).await?;
                    }
                }
                Err(code) => return Err(denied(&folder, code)),
            }
        }
        loop {
            let paths = self.mirror.next_znodes();
            if paths.is_empty() {
                return Ok(());
            }
            let mirror = &mut self.mirror;
            wire.read_all(&paths, |place, held| mirror.read(&paths[place], held.ok()))
                .await?;
        }
    }

    async fn make_folders(&self, wire: &mut Wire) -> Result<(), End> {
        for path in self.names.folders() {
            match self.create(wire, &path, b"", Life::Persistent).await? {
                Ok(()) | Err(NODE_EXISTS) => {}
                Err(code) => return Err(denied(&path, code)),
            }
        }
        Ok(())
    }

    /// What was read becomes known.
    pub(super) fn absorb(&mut self) {
        let mut junk = Vec::new();
        let mut state = self.shared.state();
        let mut news = self.absorb_orders(&mut state, &mut junk);
        let rival = self.absorb_members(&mut state, &mut junk, &mut news);
        let first = latch::first(self.mirror.below(&self.names.latch));
        state.leader = first.map(|znode| member::bounded(&String::from_utf8_lossy(&znode.data)));
        for (vip, latch) in &mut state.fences {
            let znode = self.mirror.get(&self.names.vip(vip));
            latch.held = znode.is_some_and(|znode| znode.owner == self.session.id);
        }
        drop(state);
        if self.mirror.take_overfull() {
            let why = "more znodes than are kept".to_owned();
            junk.push((self.names.orders.clone(), why));
        }
        self.meet(rival);
        self.tell(junk);
        if news {
            self.shared.learned.notify_one();
        }
    }

    /// Whether anything was news.
    fn absorb_orders(&mut self, state: &mut State, junk: &mut Vec<Junk>) -> bool {
        let mut news = false;
        self.written.clear();
        for (path, znode) in self.mirror.below(&self.names.orders) {
            let Some(key) = self.names.ordered(path) else {
                let why = "no order can have this name".to_owned();
                junk.push((path.to_owned(), why));
                continue;
            };
            let entry = entry(&znode.data).unwrap_or_else(|why| {
                junk.push((path.to_owned(), why));
                // What is there is of no use: an order for this server is written over it.
                Entry::default()
            });
            news |= state.book.learn(key.clone(), &entry);
            self.written.insert(key, (entry, znode.version));
        }
        news
    }

    /// Whether another has our name.
    fn absorb_members(&self, state: &mut State, junk: &mut Vec<Junk>, news: &mut bool) -> bool {
        let mut present = BTreeSet::new();
        let mut rival = false;
        for (path, znode) in self.mirror.below(&self.names.members) {
            let Some(name) = self.names.who(path) else {
                let why = "no howdah can have this name".to_owned();
                junk.push((path.to_owned(), why));
                continue;
            };
            if name == self.shared.name {
                rival = znode.owner != self.session.id;
                continue;
            }
            match Member::read(&name, &znode.data) {
                Ok(member) => {
                    present.insert(name.clone());
                    if (state.others.get(&name)).is_none_or(|word| word.member != member) {
                        let heard = Instant::now();
                        state.others.insert(name, Word { member, heard });
                        *news = true;
                    }
                }
                Err(why) => junk.push((path.to_owned(), why)),
            }
        }
        let seats = [&self.names.latch, &self.names.vips];
        for (path, znode) in seats.iter().flat_map(|folder| self.mirror.below(folder)) {
            if znode.owner == 0 {
                let why = "no session holds it: delete it".to_owned();
                junk.push((path.to_owned(), why));
            }
        }
        let before = state.others.len();
        state.others.retain(|name, _| present.contains(name));
        *news |= state.others.len() != before;
        rival
    }

    /// Somebody has our name: after a restart, the process before us, for as long as its session lasts.
    fn meet(&mut self, rival: bool) {
        if !rival {
            if self.rival.take().is_some() && std::mem::take(&mut self.rival_told) {
                tracing::info!(name = %self.shared.name, "the name in [cluster] is ours alone again");
            }
            return;
        }
        let since = *self.rival.get_or_insert_with(Instant::now);
        if !self.rival_told && since.elapsed() > self.shared.plan.session_timeout * 2 {
            self.rival_told = true;
            let name = &self.shared.name;
            tracing::error!(%name, "another howdah has the name in [cluster]: this one does not take part");
            let text = format!(
                "another howdah has the name \"{name}\" in [cluster]: this one does not take part; give each a name of its own"
            );
            self.shared
                .metrics
                .journal()
                .tell(Event::error(Kind::Cluster, text));
        }
    }

    fn tell(&mut self, junk: Vec<Junk>) {
        let now: BTreeSet<_> = junk.into_iter().collect();
        self.told.retain(|one| now.contains(one));
        let new: Vec<_> = now.difference(&self.told).cloned().collect();
        for (path, why) in new.iter().take(LINES) {
            let znode = member::bounded(path);
            tracing::warn!(%znode, "a znode of [cluster] is ignored: {why}");
        }
        if let Some(more @ 1..) = new.len().checked_sub(LINES) {
            tracing::warn!(more, "more znodes of [cluster] are ignored");
        }
        self.shared.metrics.cluster_junk(new.len());
        self.told.extend(new);
    }
}

/// A path, and why it is of no use.
type Junk = (String, String);

fn entry(data: &[u8]) -> Result<Entry, String> {
    if data.len() > ENTRY_MAX {
        return Err(format!("{} bytes are too many for an order", data.len()));
    }
    let entry: Entry =
        serde_json::from_slice(data).map_err(|error| format!("no order: {error}"))?;
    match entry.is_sane() {
        true => Ok(entry),
        false => Err("no order: a time after the year 9999, or a name that is too long".into()),
    }
}

/// Of one order.
const ENTRY_MAX: usize = 16 * 1024;
/// In the log at once.
const LINES: usize = 10;

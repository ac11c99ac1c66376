//! What is new is written: orders by their version, what we say of ourselves, our place among those who would lead.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{End, Link, Wire, denied};
use crate::cluster::book::Key;
use crate::cluster::latch;
use crate::cluster::register::Entry;
use crate::cluster::shared::State;
use crate::plan::ClusterMode;
use crate::wire::zookeeper::{ANY_VERSION, BAD_VERSION, Life, NO_NODE, NODE_EXISTS, Request};
use crate::zookeeper::Broken;

impl Link<'_> {
    /// Whether anything was written.
    pub(super) async fn write(&mut self, wire: &mut Wire) -> Result<bool, End> {
        if self.rival.is_some() {
            return self.withdraw(wire).await;
        }
        let orders = self.write_orders(wire).await?;
        let own = self.write_own(wire).await?;
        let latch = self.write_latch(wire).await?;
        let fences = self.write_fences(wire).await?;
        Ok(orders || own || latch || fences)
    }

    async fn write_orders(&mut self, wire: &mut Wire) -> Result<bool, End> {
        let due: Vec<(Key, Entry)> = {
            let mut state = self.shared.state();
            let known = state.book.entries();
            let due = known.filter(|(key, entry)| {
                self.written
                    .get(key)
                    .is_none_or(|(written, _)| written != *entry)
            });
            let due: Vec<_> = due
                .map(|(key, entry)| (key.clone(), entry.clone()))
                .collect();
            state.waiting = due.len();
            due
        };
        self.shared.metrics.cluster_orders_waiting(due.len());
        for (key, entry) in due.iter().take(ORDERS_AT_ONCE) {
            let path = self.names.order(&key.0, &key.1);
            let data = serde_json::to_vec(entry).unwrap_or_default();
            let done = match self.written.get(key) {
                Some((_, version)) => {
                    let version = *version;
                    let set = Request::Set {
                        path: &path,
                        data: &data,
                        version,
                    };
                    wire.ask(set).await?.map(|_| ())
                }
                None => {
                    let folder = self.names.pool(&key.0);
                    match self.create(wire, &folder, b"", Life::Persistent).await? {
                        Ok(()) | Err(NODE_EXISTS) => {}
                        Err(code) => return Err(denied(&folder, code)),
                    }
                    self.mirror.doubt(&self.names.orders);
                    self.create(wire, &path, &data, Life::Persistent).await?
                }
            };
            self.mirror.doubt_with_folder(&path);
            match done {
                // Another was faster: his is read, merged with ours, and written again.
                Ok(()) | Err(BAD_VERSION | NODE_EXISTS | NO_NODE) => {}
                Err(code) => return Err(denied(&path, code)),
            }
        }
        Ok(!due.is_empty())
    }

    /// What we say of ourselves.
    async fn write_own(&mut self, wire: &mut Wire) -> Result<bool, End> {
        let path = self.names.member(&self.shared.name);
        let now = Instant::now();
        let mut own = self.shared.state().own.clone();
        own.leads = self.shared.lead.holds(now);
        let is_there = self.mirror.get(&path).is_some();
        let same = (self.said.as_ref()).is_some_and(|(said, at)| {
            let every = match *said == own {
                true => self.beat_every(),
                false => self.change_every(),
            };
            now < *at + every
        });
        if is_there && same {
            return Ok(false);
        }
        self.beat += 1;
        let mut shown = own.clone();
        shown.beat = self.beat;
        let data = shown.write();
        let done = if is_there {
            let set = Request::Set {
                path: &path,
                data: &data,
                version: ANY_VERSION,
            };
            wire.ask(set).await?.map(|_| ())
        } else {
            self.create(wire, &path, &data, Life::Ephemeral).await?
        };
        self.said = Some((own, now));
        self.mirror.doubt_with_folder(&path);
        match done {
            Ok(()) | Err(NODE_EXISTS | NO_NODE) => Ok(true),
            Err(code) => Err(denied(&path, code)),
        }
    }

    /// Our number among those who would lead.
    async fn write_latch(&mut self, wire: &mut Wire) -> Result<bool, End> {
        let own = self.session.id;
        let exclusive = self.shared.plan.mode == ClusterMode::ActiveStandby;
        let is_there = (self.mirror.below(&self.names.latch)).any(|(_, znode)| znode.owner == own);
        if !exclusive || is_there {
            return Ok(false);
        }
        let path = format!("{}{}", self.names.latch, latch::NAME);
        let name = self.shared.name.as_bytes();
        let done = self
            .create(wire, &path, name, Life::EphemeralSequential)
            .await?;
        self.mirror.doubt(&self.names.latch);
        match done {
            Ok(()) | Err(NO_NODE) => Ok(true),
            Err(code) => Err(denied(&path, code)),
        }
    }

    /// Latches of virtual addresses that should be here, or are here and should not.
    async fn write_fences(&mut self, wire: &mut Wire) -> Result<bool, End> {
        let (wanted, unwanted) = self.due_fences();
        for path in &wanted {
            let name = self.shared.name.as_bytes();
            let done = self.create(wire, path, name, Life::Ephemeral).await?;
            self.mirror.doubt_with_folder(path);
            match done {
                Ok(()) | Err(NODE_EXISTS | NO_NODE) => {}
                Err(code) => return Err(denied(path, code)),
            }
        }
        self.delete(wire, &unwanted).await?;
        Ok(!(wanted.is_empty() && unwanted.is_empty()))
    }

    /// Latches to ask for, and latches to give back: no address may be held by these from now on, before another can have them.
    fn due_fences(&self) -> (Vec<String>, Vec<String>) {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        let mut state = self.shared.state();
        if self.shared.is_handing_over() {
            return (wanted, unwanted);
        }
        let State { fences, came, .. } = &mut *state;
        came.take_if(|(_, until)| *until <= Instant::now());
        let mut paths = BTreeSet::new();
        for (vip, latch) in fences {
            let path = self.names.vip(vip);
            let wants = *latch.wants.borrow();
            let undecided = came.as_mut().is_some_and(|(latches, _)| match wants {
                true => latches.remove(vip),
                false => latches.contains(vip),
            });
            if wants && self.mirror.get(&path).is_none() {
                wanted.push(path.clone());
            } else if !wants && latch.held && !undecided {
                latch.held = false;
                latch.tell(false);
                unwanted.push(path.clone());
            }
            paths.insert(path);
        }
        // Those of a predecessor's addresses that we have not.
        let ours = self.ours(&self.names.vips);
        let is_left = |path: &String| came.is_none() && !paths.contains(path);
        unwanted.extend(ours.filter(is_left));
        (wanted, unwanted)
    }

    /// Another one has our name: what we hold is given back, as nobody renews what it is held by.
    async fn withdraw(&mut self, wire: &mut Wire) -> Result<bool, End> {
        if self.shared.is_handing_over() {
            return Ok(false);
        }
        self.shared.lead.give_up();
        for latch in self.shared.state().fences.values_mut() {
            latch.held = false;
            latch.tell(false);
        }
        self.shared.clock.notify_one();
        let seats = [&self.names.latch, &self.names.vips];
        let held: Vec<String> = seats.iter().flat_map(|folder| self.ours(folder)).collect();
        self.delete(wire, &held).await?;
        Ok(!held.is_empty())
    }

    /// Those in a folder that our session holds.
    fn ours<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = String> + 'a {
        let held = self.mirror.below(folder);
        let held = held.filter(|(_, znode)| znode.owner == self.session.id);
        held.map(|(path, _)| path.to_owned())
    }

    async fn delete(&mut self, wire: &mut Wire, paths: &[String]) -> Result<(), End> {
        for path in paths {
            let done = wire.ask(Request::Delete { path }).await?.map(|_| ());
            self.mirror.doubt_with_folder(path);
            match done {
                Ok(()) | Err(NO_NODE) => {}
                Err(code) => return Err(denied(path, code)),
            }
        }
        Ok(())
    }

    pub(super) async fn create(
        &self,
        wire: &mut Wire,
        path: &str,
        data: &[u8],
        life: Life,
    ) -> Result<Result<(), i32>, Broken> {
        let closed = self.shared.plan.zookeeper.account.is_some();
        let request = Request::Create {
            path,
            data,
            life,
            closed,
        };
        Ok(wire.ask(request).await?.map(|_| ()))
    }
}

/// Written before anything is read again.
const ORDERS_AT_ONCE: usize = 256;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::advance;

    use super::*;
    use crate::cluster::shared::{Latch, Shared, tests::shared};
    use crate::wire::zookeeper::{Held, SessionKey};

    /// Latches of virtual addresses, each with its owner.
    fn link<'a>(shared: &'a Shared, latches: &[(&str, i64)]) -> Link<'a> {
        let mut link = Link::new(shared);
        link.session = SessionKey {
            id: 7,
            password: [0; 16],
        };
        let names: Vec<&str> = latches.iter().map(|(vip, _)| *vip).collect();
        let folder = link.names.vips.clone();
        link.mirror.list(&folder, &names);
        for (vip, owner) in latches {
            let held = Held {
                data: b"",
                version: 0,
                owner: *owner,
            };
            let path = link.names.vip(vip);
            link.mirror.read(&path, Some(held));
        }
        link
    }

    fn fence(
        shared: &Shared,
        vip: &str,
        held: bool,
    ) -> (watch::Sender<bool>, watch::Receiver<bool>) {
        let ((wants, wanted), (allowed, may)) = (watch::channel(false), watch::channel(held));
        let latch = Latch {
            wants: wanted,
            may: allowed,
            held,
        };
        shared.state().fences.insert(vip.to_owned(), latch);
        (wants, may)
    }

    #[tokio::test]
    async fn no_address_may_be_held_by_a_latch_that_is_about_to_be_given_back() {
        let shared = shared();
        let (wants, may) = fence(&shared, "front", true);
        let link = link(&shared, &[("front", 7)]);
        wants.send_replace(true);
        assert_eq!(link.due_fences(), (vec![], vec![]));
        wants.send_replace(false);
        let given_back = vec!["/h/vips/front".to_owned()];
        assert_eq!(link.due_fences(), (vec![], given_back));
        // Before anything is sent, and also if it is wanted again meanwhile.
        assert!(!*may.borrow());
        assert!(!shared.state().fences["front"].held);
    }

    #[tokio::test(start_paused = true)]
    async fn latches_that_came_with_the_session_wait_until_somebody_knows_whether_they_are_wanted()
    {
        let shared = shared();
        let came = ["front", "back", "gone"].map(str::to_owned);
        let until = Instant::now() + Duration::from_secs(3);
        shared.state().came = Some((came.into(), until));
        let (front, _front) = fence(&shared, "front", true);
        let (_back, _may) = fence(&shared, "back", true);
        let link = link(
            &shared,
            &[("front", 7), ("back", 7), ("gone", 7), ("other", 8)],
        );
        assert_eq!(link.due_fences(), (vec![], vec![]), "nobody has said yet");
        front.send_replace(true);
        assert_eq!(link.due_fences(), (vec![], vec![]));
        front.send_replace(false);
        let unwanted = vec!["/h/vips/front".to_owned()];
        assert_eq!(link.due_fences(), (vec![], unwanted), "it was said");
        advance(Duration::from_secs(3)).await;
        let unwanted = ["/h/vips/back", "/h/vips/gone"].map(str::to_owned);
        assert_eq!(link.due_fences(), (vec![], unwanted.to_vec()));
    }

    #[tokio::test]
    async fn who_hands_over_gives_nothing_back() {
        let shared = shared();
        let (_wants, may) = fence(&shared, "front", true);
        let link = link(&shared, &[("front", 7), ("gone", 7)]);
        shared
            .leaving
            .send_replace(crate::cluster::shared::Leaving::HandingOver);
        assert_eq!(link.due_fences(), (vec![], vec![]));
        assert!(*may.borrow());
    }
}

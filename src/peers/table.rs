//! A sticky table of ours as peers know it: by a name, with servers by theirs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::prefer::{Own, Told, prefers};
use super::reason::Ignored;
use crate::plan::ServerName;
use crate::pool::{Pool, Snapshot};

/// See the module.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) name: Arc<str>,
    pub(super) pool: Arc<Pool>,
}

/// Clients of one server, with how long each entry lives on; `None`: it has a session.
pub(super) struct Batch {
    pub(super) table: Table,
    pub(super) server: Arc<str>,
    pub(super) clients: std::vec::IntoIter<(IpAddr, Option<u64>)>,
}

impl Table {
    pub(super) fn new(name: &str, pool: &Arc<Pool>) -> Self {
        Self {
            name: name.into(),
            pool: Arc::clone(pool),
        }
    }

    /// How long an entry lives without a session; `None`: the pool is not sticky any more.
    pub(super) fn ttl(&self) -> Option<Duration> {
        let snapshot = self.pool.load();
        snapshot.plan().sticky.as_ref().map(|sticky| sticky.ttl)
    }

    /// A peer tells of a client. False: what is known here is newer.
    pub(super) fn learn(&self, client: IpAddr, told: Told<'_>) -> Result<bool, Ignored> {
        let snapshot = self.pool.load_full();
        let Some(sticky) = &snapshot.plan().sticky else {
            return Err(Ignored::Table);
        };
        let server = resolve(&snapshot, told.server).ok_or(Ignored::Server)?;
        let left = told.left.map(|left| left.min(sticky.ttl));
        let told = Told {
            server: server.as_str(),
            left,
        };
        if let Some(known) = self.pool.sticky(client) {
            let own = Own {
                server: known.server.as_str(),
                left: known.left,
            };
            if !prefers(told, own) {
                return Ok(false);
            }
        }
        let left = left.unwrap_or(sticky.ttl);
        let learned = self.pool.learn(client, &server, left);
        learned.then_some(true).ok_or(Ignored::Room)
    }

    /// All that is known, or only of clients that have sessions.
    pub(super) fn batches(&self, busy_alone: bool) -> impl Iterator<Item = Batch> {
        let all = self.pool.remember().sticky.into_iter();
        all.map(move |memo| {
            let mut clients = memo.clients;
            clients.retain(|(_, left)| !busy_alone || left.is_none());
            Batch {
                table: self.clone(),
                server: memo.server.into(),
                clients: clients.into_iter(),
            }
        })
    }
}

/// Another pool of the same name is another table.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.pool, &other.pool)
    }
}

/// The server of that name, or at that address, as HAProxy tells it with `srvkey addr`.
fn resolve(snapshot: &Snapshot, told: &str) -> Option<ServerName> {
    let name = ServerName::new(told);
    if snapshot.member(&name).is_some() {
        return Some(name);
    }
    let mut members = snapshot.members().iter();
    let found = members.find(|member| member.plan.address.to_string() == told);
    found.map(|member| member.plan.name.clone())
}

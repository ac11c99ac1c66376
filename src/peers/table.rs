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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::session::tests::pool;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn told(server: &str, seconds: u64) -> Told<'_> {
        Told {
            server,
            left: Some(Duration::from_secs(seconds)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_known_by_name_or_address_and_no_entry_lives_longer_than_here() {
        let pool = pool();
        let table = Table::new("hive", &pool);
        let address = pool.load().members()[0].plan.address.to_string();
        for (last, server) in [(1, "a"), (2, address.as_str())] {
            assert_eq!(table.learn(client(last), told(server, 3600)), Ok(true));
            let known = pool.sticky(client(last)).expect("known");
            assert_eq!(known.server, ServerName::new("a"));
            assert_eq!(known.left, Duration::from_secs(60));
        }
        let nobody = table.learn(client(3), told("c", 3));
        assert_eq!(nobody, Err(Ignored::Server));
        assert_eq!(table.learn(client(1), told("b", 30)), Ok(false), "older");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_with_sessions_alone_are_told_again() {
        let pool = pool();
        let table = Table::new("hive", &pool);
        let now = tokio::time::Instant::now();
        let _open = pool.choose(client(1), &[], now).expect("a server");
        drop(pool.choose(client(2), &[], now).expect("a server"));
        let clients = |busy_alone| {
            let mut all: Vec<_> = table
                .batches(busy_alone)
                .flat_map(|one| one.clients)
                .collect();
            all.sort_unstable();
            all
        };
        assert_eq!(clients(true), [(client(1), None)]);
        assert_eq!(
            clients(false),
            [(client(1), None), (client(2), Some(60_000))]
        );
    }
}

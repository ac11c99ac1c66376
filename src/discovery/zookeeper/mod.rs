//! Servers that register in ZooKeeper, as HiveServer2 does: the znodes under one path, watched.
//!
//! ```text
//!  ensemble ──► connection ──► names under the path ──► data of new ones ──► znodes ──► Listed
//!     ▲             │ broken        ▲   watch fired                                       │
//!     └─────────────┘               └─────────────────────────────────────────────────────┘
//! ```
//! The names come in one answer, the data of those that are new in batches, and what they make is reported once they are
//! all there: ten thousand servers are one [`Listing`]. Between two looks there is a rest in proportion to what the last one
//! took, so that a thousand registrations in a row are some dozens of lists.
//!
//! * A path that is not there is an empty list, and is watched for its coming.
//! * While no server of the ensemble is to be had the last list stands: [`Listing::Silent`] is said when all were tried and
//!   [`GRACE`] is over, so that a new leader's election is no news.

mod contradictions;
#[cfg(test)]
mod tests;
mod znodes;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::znodes::Znodes;
use super::{Listing, Reports};
use crate::plan::{PoolPlan, ZooKeeperPlan};
use crate::tls::connect::Connector;
use crate::wire::zookeeper::{Held, NO_AUTH, NO_NODE, Request, children};
use crate::zookeeper::{Broken, Ensemble, Heard, Member};

/// Why a session with a server ended.
enum End {
    /// Nobody hears the source any more.
    Unheard,
    /// Another server may do better.
    Broken(Broken),
    /// The path must not be read, or cannot: no server will do better.
    Denied(String),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Reports what is registered, until nobody hears it.
pub(super) async fn watch(plan: &ZooKeeperPlan, pool: &PoolPlan, reports: &Reports) {
    let tls = match plan.tls.as_ref().map(Connector::new).transpose() {
        Ok(tls) => tls,
        Err(error) => {
            let why = error.to_string();
            let _ = reports.send(Listing::Silent { why }).await;
            return reports.closed().await;
        }
    };
    let mut source = Source {
        plan,
        pool,
        reports,
        znodes: Znodes::default(),
        listed: false,
        lost: None,
    };
    let mut ensemble = Ensemble::new(plan, tls);
    // Whoever drops the receiver ends this also in the middle of a connect.
    tokio::select! {
        () = reports.closed() => {}
        () = source.follow(&mut ensemble) => {}
    }
}

struct Source<'a> {
    plan: &'a ZooKeeperPlan,
    pool: &'a PoolPlan,
    reports: &'a Reports,
    znodes: Znodes,
    /// At least once.
    listed: bool,
    /// Since when there is no session.
    lost: Option<Instant>,
}

impl Source<'_> {
    /// One session after the other.
    async fn follow(&mut self, ensemble: &mut Ensemble<'_>) {
        loop {
            let (who, broken) = match ensemble.connect().await {
                Ok(member) => {
                    let who = member.address.clone();
                    match self.attend(member, ensemble).await {
                        End::Unheard => return,
                        End::Broken(broken) => (who, broken),
                        End::Denied(why) => {
                            self.silent(why).await;
                            sleep(DENIED).await;
                            continue;
                        }
                    }
                }
                Err(failed) => failed,
            };
            let lost = *self.lost.get_or_insert_with(Instant::now);
            tracing::debug!(pool = %self.pool.name, server = %who, %broken, "no session with this ZooKeeper server");
            if ensemble.is_exhausted() && (lost.elapsed() >= GRACE || !self.listed) {
                self.silent(format!("{who}: {broken}")).await;
            }
        }
    }

    async fn silent(&self, why: String) {
        // Unheard: the select above ends it all.
        let _ = self.reports.send(Listing::Silent { why }).await;
    }

    /// Looks and waits, as long as the session lasts.
    async fn attend(&mut self, mut member: Member, ensemble: &mut Ensemble<'_>) -> End {
        self.znodes.doubt_all();
        loop {
            let began = Instant::now();
            if let Err(end) = self.look(&mut member).await {
                return end;
            }
            ensemble.of_use(member.connection.zxid());
            if let Some(lost) = self.lost.take() {
                let (pool, server, after) = (&self.pool.name, &member.address, lost.elapsed());
                tracing::info!(%pool, %server, ?after, "a session with ZooKeeper again");
            }
            self.listed = true;
            let servers = self.znodes.servers(self.plan, self.pool);
            if self.reports.send(Listing::Listed(servers)).await.is_err() {
                member.connection.close().await;
                return End::Unheard;
            }
            sleep((began.elapsed() * REST).clamp(REST_MIN, REST_MAX)).await;
            if let Err(end) = self.wait(&mut member).await {
                return end;
            }
        }
    }

    /// Everything that is under the path now, with a watch on each of it.
    async fn look(&mut self, member: &mut Member) -> Result<(), End> {
        let path = self.plan.path.as_str();
        loop {
            let wanted = match member.connection.ask(Request::Children { path }).await? {
                Ok(content) => {
                    let names = children(content).map_err(Broken::from)?;
                    if names.len() > ZNODES_MAX {
                        let (count, most) = (names.len(), ZNODES_MAX);
                        return Err(End::Denied(format!(
                            "{path} has {count} znodes, more than {most}"
                        )));
                    }
                    self.znodes.are(&names)
                }
                Err(NO_NODE) => match member.connection.ask(Request::Exists { path }).await? {
                    // It came in between.
                    Ok(_) => continue,
                    Err(NO_NODE) => self.znodes.are(&[]),
                    Err(code) => return Err(denied(path, code)),
                },
                Err(code) => return Err(denied(path, code)),
            };
            return self.read(member, &wanted).await;
        }
    }

    /// Data of those that are not known, in batches.
    async fn read(&mut self, member: &mut Member, names: &[String]) -> Result<(), End> {
        let path = self.plan.path.trim_end_matches('/');
        for names in names.chunks(BATCH) {
            let paths: Vec<String> = names.iter().map(|name| format!("{path}/{name}")).collect();
            let znodes = &mut self.znodes;
            let told = |place: usize, held: Result<Held<'_>, i32>| match held {
                Ok(held) => znodes.learn(&names[place], held.data),
                // Gone again: the watch on the names has fired.
                Err(NO_NODE) => {}
                // The name alone says where it is.
                Err(_) => znodes.learn(&names[place], b""),
            };
            member.connection.read_all(&paths, told).await?;
        }
        Ok(())
    }

    /// Until something changed.
    async fn wait(&mut self, member: &mut Member) -> Result<(), End> {
        loop {
            match member.connection.hear().await? {
                Heard::Changed(paths) => {
                    for name in paths.iter().filter_map(|path| path.rsplit('/').next()) {
                        self.znodes.doubt(name);
                    }
                    return Ok(());
                }
                Heard::Nothing => {
                    if self.reports.send(Listing::Same).await.is_err() {
                        return Err(End::Unheard);
                    }
                }
            }
        }
    }
}

fn denied(path: &str, code: i32) -> End {
    match code {
        NO_AUTH => End::Denied(format!("{path} must not be read: its ACL wants a login")),
        code => End::Broken(Broken::Code(code)),
    }
}

/// Without a session for so long, it is told.
const GRACE: Duration = Duration::from_secs(1);

/// Before the next try where no server will do better.
const DENIED: Duration = Duration::from_secs(5);

/// Data that are asked for at once.
const BATCH: usize = 256;

/// Under one path; more are not servers.
const ZNODES_MAX: usize = 100_000;

/// After a look, so many times as long as it took.
const REST: u32 = 9;

/// After the shortest.
const REST_MIN: Duration = Duration::from_millis(10);

/// After the longest.
const REST_MAX: Duration = Duration::from_millis(500);

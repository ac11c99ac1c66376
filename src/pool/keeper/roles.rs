//! Of a pool that wants the active server alone: who it is, and what is said of others that claim to be.

use tokio::time::Instant;

use super::state::State;
use crate::plan::ServerName;
use crate::pool::holder::Dispute;
use crate::pool::snapshot::Member;
use crate::pool::{Server, ServerId, Standing};
use crate::telemetry::journal::{Event, Kind};

impl State {
    /// One of those that are up keeps its standing. A pool that wants it alone no more has no holder, and no conflict.
    pub(super) fn judge_roles(&mut self, now: Instant) {
        let wants_one = self.plan.care.role.wants_one();
        let claimants = if wants_one {
            self.claimants()
        } else {
            Vec::new()
        };
        let was_unclear = self.hold.is_unclear();
        let dispute = self.hold.judge(&claimants, now);
        if let Some(dispute) = dispute {
            self.tell_dispute(dispute, &claimants);
        }
        if !wants_one {
            return;
        }
        let holder = self.hold.holder();
        let claims = |one: &&mut Member| one.standing.is_on_offer();
        for member in self.members.iter_mut().filter(claims) {
            if Some(member.server.id()) != holder {
                member.standing = Standing::Conflict;
            }
        }
        if self.hold.is_unclear() && !was_unclear {
            self.servers().for_each(Server::urge);
        }
    }

    /// In the order in which they came up.
    fn claimants(&self) -> Vec<ServerId> {
        let up = self.members.iter().filter(|one| one.standing.is_on_offer());
        let mut up: Vec<_> = up.collect();
        up.sort_by_key(|one| one.since);
        up.iter().map(|one| one.server.id()).collect()
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        self.members.iter().map(|member| &*member.server)
    }

    fn tell_dispute(&self, dispute: Dispute, claimants: &[ServerId]) {
        let pool = &self.plan.name;
        let name = |id: ServerId| {
            let server = self.servers().find(|server| server.id() == id);
            server.map_or("", |server| ServerName::as_str(server.name()))
        };
        let holder = self.hold.holder().map_or("", name);
        self.metrics.pool(pool).conflict(dispute == Dispute::Begun);
        let event = match dispute {
            Dispute::Begun => {
                let claimants: Vec<_> = claimants.iter().map(|id| name(*id)).collect();
                let claimants = claimants.join(" ");
                tracing::error!(%pool, keeps = holder, claimants, "{CONFLICT}");
                let text = format!("{CONFLICT} ({claimants}; {holder} keeps them)");
                Event::error(Kind::Conflict, text).to("conflict")
            }
            Dispute::Ended => {
                tracing::info!(%pool, holder, "{AGREED}");
                let text = format!("{AGREED} ({holder})");
                Event::info(Kind::Conflict, text).from("conflict")
            }
        };
        self.metrics.journal().tell(event.pool(pool));
    }
}

const CONFLICT: &str = "several servers say that they are the active one: the first keeps the sessions, the others get none";
const AGREED: &str = "no more than one server says that it is the active one";

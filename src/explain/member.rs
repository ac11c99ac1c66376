//! One server: may it be chosen now, and if not, why.

use tokio::time::Instant;

use super::answer::Outcome;
use super::query::Scene;
use crate::balance::{Room, Score};
use crate::base::unit;
use crate::plan::PoolName;
use crate::pool::{Member, Standing};

/// What is known of one server.
pub(super) struct Looked<'a> {
    pub(super) pool: &'a PoolName,
    pub(super) member: &'a Member,
    /// `None`: it is not on offer.
    pub(super) score: Option<Score>,
    /// Backups are asked.
    pub(super) on_backups: bool,
    pub(super) scene: &'a Scene,
    pub(super) now: Instant,
}

impl Looked<'_> {
    /// Whether it can be chosen, and the sentence.
    pub(super) fn told(&self) -> (Outcome, String) {
        let name = self.member.server.name();
        let (outcome, what) = match self.score {
            None => (Outcome::Stop, self.not_on_offer()),
            Some(score) => self.on_offer(&score),
        };
        (outcome, format!("{name} {what}"))
    }

    fn on_offer(&self, score: &Score) -> (Outcome, String) {
        let member = self.member;
        let up = match (self.scene, member.standing) {
            (Scene::File, _) => "counts as up".to_owned(),
            (_, Standing::Down) => {
                format!("is down{}, and takes sessions all the same", self.why())
            }
            _ => "is up".to_owned(),
        };
        let sessions = match score.cap {
            Some(cap) => format!("{} of {cap} sessions", score.sessions),
            None => plural(score.sessions),
        };
        let weight = match score.weight == member.weight {
            true => format!("weight {}", member.weight),
            false => format!("weight {} of {} (eased)", score.weight, member.weight),
        };
        let has = format!("{up}, {sessions}, {weight}");
        match score.room {
            Room::Full => (
                Outcome::Stop,
                format!("{has}: full until a session ends (max_connections)"),
            ),
            Room::OverRate => {
                let rate = member.plan.max_per_second.unwrap_or_default();
                let text =
                    format!("{has}: had its {rate} new sessions of this second (max_per_second)");
                (Outcome::Stop, text)
            }
            Room::Free if member.plan.backup && !self.on_backups => (
                Outcome::Stop,
                format!("{has}: a backup, for when no other server can be reached"),
            ),
            Room::Free => (Outcome::Pass, format!("{has}: can be chosen")),
        }
    }

    fn not_on_offer(&self) -> String {
        let (member, pool) = (self.member, self.pool);
        let name = member.server.name();
        let back = format!("`howdah ready {pool}/{name}` puts it back");
        match member.standing {
            Standing::Maintenance => format!("is in maintenance by order: {back}"),
            Standing::Draining => format!("drains by order, and takes no new sessions: {back}"),
            Standing::Waiting => "has not been judged yet: its first probes are under way".into(),
            Standing::Withdrawn => format!("answers, and wants no new sessions{}", self.why()),
            Standing::Conflict => {
                "says that it is the active one, and so does another, which was first and keeps the sessions".into()
            }
            Standing::Down if member.server.is_distrusted() => {
                format!("is out for what sessions saw of it, whatever its probes say{}", self.for_how_long())
            }
            Standing::Down => format!("is down{}{}", self.for_how_long(), self.why()),
            Standing::Ready | Standing::Full => "is not on offer".into(),
        }
    }

    /// Like ` for 3m 10s`.
    fn for_how_long(&self) -> String {
        let passed = self.now.saturating_duration_since(self.member.since);
        format!(" for {}", unit::show_duration(whole_seconds(passed)))
    }

    /// Like `: connect-refused, nobody listens at 10.0.0.1:10000`.
    fn why(&self) -> String {
        if let Some(word) = self.member.said.withdrawn {
            return format!(": its agent says \"{word}\"");
        }
        let last = self.member.server.last_probe();
        last.map_or_else(String::new, |last| {
            format!(": {}, {}", last.reason, last.detail)
        })
    }
}

pub(super) fn plural(sessions: u32) -> String {
    match sessions {
        1 => "1 session".into(),
        some => format!("{some} sessions"),
    }
}

fn whole_seconds(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(time.as_secs())
}

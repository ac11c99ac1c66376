//! Servers that are the SRV records of a name.
//!
//! The lowest priority serves, all others are backups. The name is asked for again when the shortest TTL is over, and
//! sooner where that is long.

mod ask;
mod resolver;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use self::resolver::Resolver;
use super::{Found, Listing, Reports};
use crate::plan::{PoolPlan, WEIGHT_MAX};
use crate::wire::dns::{Answer, Srv};

/// Until nobody hears it.
pub(super) async fn watch(name: &str, plan: &Arc<PoolPlan>, reports: &Reports) {
    loop {
        // Read anew each time: whoever joins a network writes it anew.
        let resolver = Resolver::of_this_machine().await;
        let (listing, pause) = match ask::services(&resolver, name).await {
            Ok(answer) => judge(&answer, plan),
            Err(why) => (Listing::Silent { why }, RETRY),
        };
        if reports.send(listing).await.is_err() {
            return;
        }
        sleep(pause).await;
    }
}

/// What the answer lists, and when to ask again.
fn judge(answer: &Answer, plan: &PoolPlan) -> (Listing, Duration) {
    let pause = Duration::from_secs(answer.ttl.unwrap_or(0).into()).clamp(SOONEST, LATEST);
    let records = answer.records.iter().filter(|one| !one.target.is_empty());
    let records: Vec<&Srv> = records.collect();
    if records.is_empty() {
        return (Listing::Listed(Vec::new()), RETRY);
    }
    let found: Vec<Found> = servers(&records, plan);
    if found.is_empty() {
        let why = "its records name no host and port".to_owned();
        return (Listing::Silent { why }, RETRY);
    }
    (Listing::Listed(found), pause)
}

fn servers(records: &[&Srv], plan: &PoolPlan) -> Vec<Found> {
    let first = records.iter().map(|one| one.priority).min();
    let heaviest = records.iter().map(|one| one.weight).max().unwrap_or(0);
    let found = records.iter().filter_map(|one| {
        let mut found = Found::at(&one.target, one.port, plan).ok()?;
        found.server.weight = weight(one.weight, heaviest);
        found.server.backup = Some(one.priority) != first;
        Some(found)
    });
    let mut found: Vec<Found> = found.collect();
    found.sort_by(|one, other| one.server.name.cmp(&other.server.name));
    found
}

/// RFC 2782 has weights up to 65535; 0 means nearly nothing.
fn weight(own: u16, heaviest: u16) -> u16 {
    let most = u32::from(WEIGHT_MAX);
    let scaled = match u32::from(heaviest) {
        heaviest if heaviest > most => u32::from(own) * most / heaviest,
        _ => own.into(),
    };
    u16::try_from(scaled.max(1)).unwrap_or(WEIGHT_MAX)
}

/// A TTL of nothing is no reason to ask without a pause.
const SOONEST: Duration = Duration::from_secs(1);
/// A TTL of a day is no reason to miss a server for so long.
const LATEST: Duration = Duration::from_secs(60);
/// After no answer, or one of nobody.
const RETRY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_keep_their_proportion() {
        let scaled = |all: &[u16]| {
            let heaviest = all.iter().copied().max().unwrap_or(0);
            all.iter()
                .map(|own| weight(*own, heaviest))
                .collect::<Vec<_>>()
        };
        assert_eq!(scaled(&[0, 1, 256]), [1, 1, 256]);
        assert_eq!(scaled(&[0, 0]), [1, 1]);
        assert_eq!(scaled(&[65_535, 32_768, 100]), [256, 128, 1]);
    }
}

//! One line on what this howdah is together with others: its addresses, its cluster, its peers, those it took over from.

use crate::admin::status::Status;
use crate::cli::ctl::table::clean;

/// `None` where it stands alone.
pub(super) fn line(status: &Status) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for vip in &status.vips {
        parts.push(format!("vip {} {}", clean(&vip.name), clean(&vip.state)));
    }
    if let Some(cluster) = &status.cluster {
        let ready = cluster.members.iter().filter(|one| one.ready).count();
        let all = cluster.members.len();
        let leads = cluster.leader.as_deref().map(clean);
        let leads = leads.map(|leader| format!(", {leader} leads"));
        parts.push(format!(
            "cluster {}, {ready} of {all} ready{}",
            clean(&cluster.state),
            leads.unwrap_or_default()
        ));
    }
    if !status.peers.is_empty() {
        let there = status.peers.iter().filter(|one| one.state != "away");
        parts.push(format!(
            "peers {} of {} connected",
            there.count(),
            status.peers.len()
        ));
    }
    if !status.predecessors.is_empty() {
        let sessions: u64 = status.predecessors.iter().map(|one| one.sessions).sum();
        parts.push(format!("{sessions} sessions at predecessors"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

//! The cluster as tables for people: who is there, where views differ, what is ordered, and each server as each howdah sees it.

use super::table::Align::{Left, Name, Right, State};
use super::table::{Table, clean, wrap};
use super::terminal::View;
use crate::cluster::{ClusterAnswer, ClusterGiven, ClusterMember, ClusterStatus, ClusterView};

/// Lines that end with a newline.
pub(super) fn print(answer: &ClusterAnswer, view: View) -> String {
    let cluster = &answer.cluster;
    let mut text = wrap(&headline(cluster), 0, view.width);
    for one in &cluster.differences {
        let line = format!(
            "DIFFERENT: {}/{} is {} here and {} at {}, for {:.0} s",
            clean(&one.pool),
            clean(&one.server),
            clean(&one.here),
            clean(&one.there),
            clean(&one.member),
            one.seconds
        );
        text.push_str(&wrap(&line, 0, view.width));
    }
    text.push('\n');
    text.push_str(&members(cluster).fit(view.colour, view.width));
    if !answer.orders.is_empty() {
        text.push('\n');
        text.push_str(&orders(answer).fit(view.colour, view.width));
    }
    text.push('\n');
    text.push_str(&views(answer).fit(view.colour, view.width));
    text
}

/// Like `cluster /howdah/front: lb-1, connected to zk1:2181, lb-2 leads, 1 order waits`.
pub(in crate::cli::ctl) fn headline(cluster: &ClusterStatus) -> String {
    let name = clean(&cluster.name);
    let mut line = format!("cluster {}: {name}, ", clean(&cluster.path));
    match (&cluster.zookeeper, &cluster.why) {
        (Some(server), _) => line.push_str(&format!("connected to {}", clean(server))),
        (None, Some(why)) => line.push_str(&format!(
            "ALONE since {}: {}",
            clean(&cluster.since),
            clean(why)
        )),
        (None, None) => line.push_str("not connected yet"),
    }
    line.push_str(&format!(
        ", {} of {} ready",
        cluster.members.iter().filter(|one| one.ready).count(),
        cluster.members.len()
    ));
    if let Some(leader) = &cluster.leader {
        line.push_str(&format!(", {} leads", clean(leader)));
    }
    match cluster.orders_waiting {
        0 => {}
        1 => line.push_str(", 1 order waits for ZooKeeper"),
        some => line.push_str(&format!(", {some} orders wait for ZooKeeper")),
    }
    match cluster.differences.len() {
        0 => {}
        1 => line.push_str(", 1 server is seen differently"),
        some => line.push_str(&format!(", {some} servers are seen differently")),
    }
    line
}

fn members(cluster: &ClusterStatus) -> Table {
    let mut table = Table::new(&[
        ("HOWDAH", Name),
        ("STATE", State),
        ("UP", Right),
        ("SESSIONS", Right),
        ("AGE", Right),
        ("ADMIN", Name),
        ("VERSION", Left),
        ("PID", Right),
    ]);
    for one in &cluster.members {
        table.row(vec![
            clean(&one.name),
            state(one).into(),
            format!("{}/{}", one.servers_up, one.servers),
            one.sessions.to_string(),
            format!("{:.0}s", one.age_seconds),
            clean(&one.admin),
            clean(&one.version),
            one.pid.to_string(),
        ]);
    }
    table
}

fn state(member: &ClusterMember) -> &'static str {
    match member {
        ClusterMember { leads: true, .. } => "leads",
        ClusterMember { ready: true, .. } => "ready",
        _ => "not-ready",
    }
}

fn orders(answer: &ClusterAnswer) -> Table {
    let mut table = Table::new(&[
        ("SERVER", Name),
        ("ORDER", State),
        ("BY", Left),
        ("AT", Left),
        ("UNTIL", Left),
    ]);
    for one in &answer.orders {
        let name = format!("{}/{}", clean(&one.pool), clean(&one.server));
        let mut row = |value: String, given: &ClusterGiven| {
            let by = format!("{} via {}", clean(&given.by), clean(&given.from));
            let until = given.until.as_deref().map(clean).unwrap_or_default();
            table.row(vec![name.clone(), value, by, clean(&given.at), until]);
        };
        if let Some(given) = &one.order {
            row(clean(&given.value), given);
        }
        if let Some(given) = &one.weight {
            row(format!("weight {}", clean(&given.value)), given);
        }
    }
    table
}

/// A column for each howdah.
fn views(answer: &ClusterAnswer) -> Table {
    let names: Vec<String> = answer
        .cluster
        .members
        .iter()
        .map(|one| clean(&one.name))
        .collect();
    let mut heads = vec![("SERVER", Name)];
    heads.extend(names.iter().map(|name| (name.as_str(), State)));
    let mut table = Table::new(&heads);
    for view in &answer.views {
        let mut row = vec![format!("{}/{}", clean(&view.pool), clean(&view.server))];
        row.extend(
            answer
                .cluster
                .members
                .iter()
                .map(|one| seen(view, &one.name)),
        );
        table.row(row);
    }
    table
}

fn seen(view: &ClusterView, member: &str) -> String {
    match view.seen.get(member) {
        None => "-".into(),
        Some(seen) if seen.admin == "ready" => format!("{} {}", clean(&seen.health), seen.sessions),
        Some(seen) => format!(
            "{} {} {}",
            clean(&seen.health),
            clean(&seen.admin),
            seen.sessions
        ),
    }
}

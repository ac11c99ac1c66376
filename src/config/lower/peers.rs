//! `[cluster.peers]` → [`PeersPlan`]: whom sticky entries are shared with, and what their tables are called.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{address, certificate, missing, names};
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::{Cluster, Peers, Pools};
use crate::config::named::Named;
use crate::plan::{
    AcceptTls, ClientAuth, ConnectTls, PeerPlan, PeersPlan, PeersTls, PoolName, PoolPlan, Sni,
    TlsVersion,
};

pub(super) fn lower(
    cluster: &Field<Cluster>,
    (known, pools): (Option<&Pools>, &[PoolPlan]),
    cx: &mut Cx,
) -> Option<PeersPlan> {
    let cluster = cluster.value()?;
    let words = cluster.peers.value()?;
    "[cluster.peers]".clone_into(&mut cx.owner);
    for (key, absent, example) in [
        ("bind", words.bind.is_absent(), "bind = \"10.0.0.1:1024\""),
        (
            "peers",
            words.peers.is_absent(),
            "peers = { lb-2 = \"10.0.0.2:1024\" }",
        ),
    ] {
        if absent {
            missing(&words.span, key, example, cx);
        }
    }
    let own = cluster.name.get();
    let peers = peers(words, own, cx);
    let tls = tls(words, cx);
    let tables = tables(&words.tables, (known, pools), cx);
    if !pools.iter().any(|pool| pool.sticky.is_some()) {
        cx.warning(&words.span, "[cluster.peers] has nothing to share")
            .why("no pool is sticky")
            .fix("[pool.NAME.sticky] with by = \"source-ip\" keeps a client on its server");
    }
    let unbound = SocketAddr::from(([127, 0, 0, 1], 0));
    Some(PeersPlan {
        name: own?.value.as_str().into(),
        bind: words.bind.or(unbound),
        peers,
        tls,
        tables,
    })
}

fn peers(words: &Peers, own: Option<&Spot<String>>, cx: &mut Cx) -> Vec<PeerPlan> {
    let Some(spot) = words.peers.get() else {
        return Vec::new();
    };
    if spot.value.0.is_empty() {
        cx.error(&spot.span, "[cluster.peers] has no peers")
            .why("the list is empty")
            .fix("name one, as in peers = { lb-2 = \"10.0.0.2:1024\" }, or leave [cluster.peers] out");
    }
    let mut all = Vec::new();
    for (name, address) in &spot.value.0 {
        names::judge_name(name, "", "peer", cx);
        if own.is_some_and(|own| own.value == name.value) {
            let what = format!("peer {:?} has the name of this howdah", name.value);
            cx.error(&name.span, what)
                .why("the same as name in [cluster]")
                .fix("name the others only; this howdah is where bind says");
        }
        cx.owner = format!("peer {:?}", name.value);
        let address = address::with_port(&address.value, PeersPlan::PORT, &address.span, cx);
        "[cluster.peers]".clone_into(&mut cx.owner);
        all.extend(address.map(|address| PeerPlan {
            name: name.value.as_str().into(),
            address,
        }));
    }
    all
}

/// One certificate for both directions, and one authority.
fn tls(words: &Peers, cx: &mut Cx) -> Option<PeersTls> {
    let keys = [&words.cert, &words.key, &words.client_ca];
    if keys.iter().all(|key| key.is_absent()) {
        return None;
    }
    let identity = certificate::identity(&words.cert, &words.key, ["cert", "key"], &words.span, cx);
    if words.client_ca.is_absent() {
        missing(&words.span, "client_ca", "client_ca = \"FILE\"", cx);
    }
    let ca = words.client_ca.get();
    let roots = ca.and_then(|path| certificate::roots(path, "client_ca", cx));
    let (identity, roots) = (identity?, roots?);
    Some(PeersTls {
        accept: AcceptTls {
            identities: vec![Arc::clone(&identity)],
            min_version: TlsVersion::V1_2,
            client_ca: Some(roots.clone()),
            client_auth: ClientAuth::Required,
            client_crl: Vec::new(),
            client_allow: Vec::new(),
            sni: Sni::Any,
        },
        connect: ConnectTls {
            roots: Some(roots),
            server_name: None,
            identity: Some(identity),
        },
    })
}

fn tables(
    words: &Field<Named>,
    (known, pools): (Option<&Pools>, &[PoolPlan]),
    cx: &mut Cx,
) -> Vec<(PoolName, Arc<str>)> {
    let Some(words) = words.value() else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (pool, table) in &words.0 {
        let name = names::pool_reference(pool, known, cx);
        let found = pools.iter().find(|plan| plan.name == name);
        if found.is_some_and(|plan| plan.sticky.is_none()) {
            let what = format!(
                "[cluster.peers] shares pool {:?}, which is not sticky",
                pool.value
            );
            cx.error(&pool.span, what)
                .why("it has no table")
                .fix(format!(
                    "add [pool.{}.sticky] with by = \"source-ip\", or leave it out",
                    pool.value
                ));
        }
        names::judge_name(table, ":/", "table", cx);
        if !seen.insert(table.value.clone()) {
            let what = format!("[cluster.peers] calls two tables {:?}", table.value);
            cx.error(&table.span, what)
                .why("a table has the entries of one pool")
                .fix("give each pool's table a name of its own");
        }
        all.push((name, table.value.as_str().into()));
    }
    all
}

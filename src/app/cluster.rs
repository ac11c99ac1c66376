//! The howdahs that are one with this: joined at the start, and asked whether a virtual address may be held.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::error::StartError;
use crate::admin::RuntimeView;
use crate::cluster::{Cluster, House};
use crate::handover::message::Membership;
use crate::plan::{Plan, VipName};
use crate::telemetry::Metrics;
use crate::vip::Permission;

/// Takes part where the plan says so; where it has not `entered`, when it does.
///
/// # Errors
/// The roots of TLS cannot be used.
pub(super) fn join(
    plan: &Plan,
    view: &Arc<ArcSwap<RuntimeView>>,
    admin: SocketAddr,
    metrics: &Metrics,
    entered: bool,
) -> Result<Option<Cluster>, StartError> {
    let Some(words) = &plan.cluster else {
        return Ok(None);
    };
    let Some(shared) = &words.shared else {
        return Ok(None);
    };
    // The view holds the cluster: the cluster does not hold the view.
    let (pools, unready) = (Arc::downgrade(view), Arc::downgrade(view));
    let house = House {
        pools: Box::new(move || {
            pools
                .upgrade()
                .map(|view| view.load().pools.clone())
                .unwrap_or_default()
        }),
        unready: Box::new(move || {
            unready
                .upgrade()
                .map(|view| view.load().unready())
                .unwrap_or_default()
        }),
        admin: admin.to_string(),
    };
    let cluster = Cluster::new(&words.name, shared, house, metrics, entered);
    let cluster = cluster.map_err(StartError::Cluster)?;
    let shown = Some(cluster.clone());
    view.rcu(|view| RuntimeView {
        cluster: shown.clone(),
        ..RuntimeView::clone(view)
    });
    Ok(Some(cluster))
}

/// What a successor should know before it asks for the place.
pub(super) fn membership(cluster: &Cluster) -> Membership {
    Membership {
        name: cluster.name().to_owned(),
        path: cluster.path().to_owned(),
        exclusive: cluster.is_exclusive(),
        leads: *cluster.leads().borrow(),
    }
}

/// Whether the place of that howdah is ours to go on in.
pub(super) fn succeeds(cluster: &Cluster, former: &Membership) -> bool {
    let leads = former.leads;
    Membership {
        leads,
        ..membership(cluster)
    } == *former
}

/// Who may hold virtual addresses, which are begun later than they are made known.
#[derive(Clone, Default)]
pub(super) struct Fences(Arc<OnceLock<Cluster>>);

impl Fences {
    pub(super) fn are_of(&self, cluster: Option<&Cluster>) {
        if let Some(cluster) = cluster {
            let _ = self.0.set(cluster.clone());
        }
    }

    /// For each address.
    pub(super) fn permission(self) -> impl Fn(&VipName) -> Permission + Send + Sync {
        move |vip| {
            let fence = self.0.get().and_then(|cluster| cluster.fence(vip.as_str()));
            fence.map_or_else(Permission::always, |fence| Permission {
                may_hold: fence.may,
                wants: fence.wants,
            })
        }
    }
}

/// When this howdah begins to lead, or ends.
pub(super) async fn turns(leads: &mut Option<watch::Receiver<bool>>) {
    let Some(leads) = leads else {
        return std::future::pending().await;
    };
    if leads.changed().await.is_err() {
        std::future::pending().await
    }
}

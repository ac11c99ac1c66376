//! What is told about the present plan: to the admin server, and of certificates that end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::App;
use crate::admin::{CertificateView, ListenerView, RuntimeView};
use crate::availability::{Subject, Watched};
use crate::plan::{Identity, ListenerPlan, PoolPlan};
use crate::telemetry::journal::{Event, Kind};
use crate::telemetry::log;

impl App {
    pub(super) fn show_house(&self) {
        // One that waits for its first verdicts is there, and not bound.
        let listener = |plan: &Arc<ListenerPlan>| {
            let runtime = self.listeners.get(&plan.name);
            let sockets = runtime.into_iter().flat_map(|runtime| &runtime.sockets);
            ListenerView {
                name: plan.name.clone(),
                bound: sockets.map(|socket| socket.bound).collect(),
                protocols: plan.protocols.clone(),
                pools: (plan
                    .pool
                    .iter()
                    .chain(plan.routes.iter().map(|route| &route.pool)))
                .cloned()
                .collect(),
                max_connections: plan.max_connections,
                metrics: self.metrics.listener(&plan.name),
                listener: self
                    .listeners
                    .get(&plan.name)
                    .map(|runtime| Arc::clone(&runtime.listener)),
            }
        };
        let pool = |plan: &Arc<PoolPlan>| Some(Arc::clone(&self.pools.get(&plan.name)?.pool));
        self.view.rcu(|view| RuntimeView {
            generation: self.generation,
            listeners: self.plan.listeners.iter().map(listener).collect(),
            needs_restart: self.needs_restart.clone(),
            pools: self.plan.pools.iter().filter_map(pool).collect(),
            certificates: self.certificates(),
            admin: self.plan.admin.clone(),
            plan: Some(Arc::new(self.plan.clone())),
            ..RuntimeView::clone(view)
        });
        self.keep_state();
        self.availability.follow(self.watched());
    }

    /// The state file is a predecessor's until this one serves.
    pub(super) fn keep_state(&self) {
        let file = self.plan.state.file.as_deref();
        let file = file.filter(|_| self.has_entered);
        self.state.follow(file, &self.view.load().pools);
    }

    /// Everything whose availability counts.
    fn watched(&self) -> Vec<Watched> {
        let view = self.view.load();
        let pools = view.pools.iter().map(|pool| Watched {
            target: pool.name().into(),
            goal: pool.load().plan().care.goal,
            subject: Subject::Pool(Arc::clone(pool)),
        });
        // Who stands by is to take nobody.
        let listens = |_: &_| !self.stands_by;
        let shown = view.listeners.iter().zip(&self.plan.listeners);
        let listeners = shown.filter(listens).map(|(shown, plan)| Watched {
            target: (&shown.name).into(),
            goal: plan.goal,
            subject: Subject::Listener {
                bound: !shown.bound.is_empty(),
                pools: (shown.pools.iter())
                    .filter_map(|pool| view.pool(pool).cloned())
                    .collect(),
                metrics: Arc::clone(&shown.metrics),
            },
        });
        pools.chain(listeners).collect()
    }

    /// The end of the start: every listener has its sockets, and the servers of its pools were asked.
    pub(super) fn tell_ready(&self) {
        let listeners = self.plan.listeners.iter().map(|plan| {
            let bound = self.addresses(plan.name.as_str());
            let bound: Vec<String> = bound.iter().map(ToString::to_string).collect();
            format!("{} at {}", plan.name, bound.join(" and "))
        });
        let listeners: Vec<String> = listeners.collect();
        tracing::info!(
            listeners = log::List::of(&listeners).value(),
            admin = %self.admin_address,
            seconds = self.view.load().started.elapsed().as_secs_f64(),
            "howdah is ready"
        );
    }

    /// The end of every certificate in use, as a metric; a warning for those that end soon. Called by each reload
    /// and once a day.
    pub(super) fn show_certificates(&mut self) {
        let certificates = self.certificates();
        let name = |identity: &Arc<Identity>| identity.cert_path.display().to_string();
        let ends = certificates.iter().map(|one| &one.identity);
        let ends: Vec<_> = ends.map(|one| (name(one), one.not_after)).collect();
        self.metrics
            .certificates(ends.iter().map(|(name, end)| (name.as_str(), *end)));
        let soon = SystemTime::now() + SOON;
        for (certificate, end) in ends.iter().filter(|(_, end)| *end < soon) {
            let days = end
                .duration_since(SystemTime::now())
                .map_or(0, |left| left.as_secs() / DAY);
            tracing::warn!(%certificate, days, "certificate ends soon: renew it and reload");
            if self.told_of.insert(certificate.clone(), days) != Some(days) {
                let text =
                    format!("certificate {certificate} ends in {days} days: renew it and reload");
                (self.metrics.journal()).tell(Event::warning(Kind::Certificate, text));
            }
        }
        self.told_of
            .retain(|told, _| ends.iter().any(|(name, end)| name == told && *end < soon));
        self.show_revocation_lists();
    }

    /// Those that are in use, and who shows them.
    fn certificates(&self) -> Vec<CertificateView> {
        let view = |place: String| {
            move |identity: &Arc<Identity>| CertificateView {
                place: place.clone(),
                identity: Arc::clone(identity),
            }
        };
        let listeners = self.plan.listeners.iter().flat_map(|plan| {
            let all = plan.tls.iter().flat_map(|tls| &tls.identities);
            all.map(view(format!("listener \"{}\"", plan.name)))
        });
        let pools = self.plan.pools.iter().flat_map(|plan| {
            let own = plan.tls.iter().filter_map(|tls| tls.identity.as_ref());
            own.map(view(format!("pool \"{}\"", plan.name)))
        });
        let admin = self.plan.admin.tls.iter().map(view("admin".to_owned()));
        let peers = self.plan.peers.iter().filter_map(|plan| plan.tls.as_ref());
        let peers = peers.flat_map(|tls| &tls.accept.identities);
        let peers = peers.map(view("peers".to_owned()));
        listeners.chain(pools).chain(admin).chain(peers).collect()
    }

    /// A warning for each list whose signer should have written the next one.
    fn show_revocation_lists(&self) {
        let listeners = self.plan.listeners.iter();
        let tls = listeners.filter_map(|plan| plan.tls.as_ref());
        for list in tls.flat_map(|tls| &tls.client_crl) {
            if list.next_update.is_some_and(|end| end < SystemTime::now()) {
                let path = list.path.display();
                tracing::warn!(list = %path, "revocation list is overdue and still counts: fetch the next one and reload");
            }
        }
    }
}

const DAY: u64 = 24 * 60 * 60;
/// A certificate is renewed in the last third of its ninety days.
const SOON: Duration = Duration::from_secs(30 * DAY);

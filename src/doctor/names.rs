//! Names: of certificates, of principals.

use std::time::{Duration, SystemTime};

use super::finding::Code::{BalancerPrincipal, CertificateEnds, NameNotOnCertificate};
use super::finding::Finding;
use super::finding::Level::{Error, Note, Warning};
use crate::plan::{Identity, ListenerPlan, Plan, PoolPlan, SniPattern};

pub(super) fn of_listener(listener: &ListenerPlan) -> Vec<Finding> {
    let Some(tls) = &listener.tls else {
        return Vec::new();
    };
    let names: Vec<&String> = tls.identities.iter().flat_map(|one| &one.names).collect();
    let patterns = listener.routes.iter().flat_map(|route| &route.sni);
    let missing = patterns.filter(|pattern| !names.iter().any(|name| covers(name, pattern)));
    let told = missing.map(|pattern| {
        let pattern = shown(pattern);
        Finding::new(
            (Warning, NameNotOnCertificate),
            format!("listener \"{}\"", listener.name),
            format!("a route is for \"{pattern}\", and no certificate of the listener carries that name"),
            "clients that ask for it get a certificate of another name; those that check names, as drivers do, hang up",
            "add a certificate that carries it, or take the route out",
        )
    });
    told.collect()
}

/// Whether a certificate's name stands for what the route's pattern does, or for some of it.
fn covers(name: &str, pattern: &SniPattern) -> bool {
    match (name.strip_prefix("*."), pattern) {
        (None, SniPattern::Exact(_)) => pattern.matches(name),
        (None, SniPattern::Wildcard(_)) => pattern.matches(name),
        (Some(suffix), SniPattern::Exact(own)) => SniPattern::Wildcard(suffix.into()).matches(own),
        (Some(suffix), SniPattern::Wildcard(own)) => suffix.eq_ignore_ascii_case(own),
    }
}

fn shown(pattern: &SniPattern) -> String {
    match pattern {
        SniPattern::Exact(name) => name.clone(),
        SniPattern::Wildcard(suffix) => format!("*.{suffix}"),
    }
}

/// Of every certificate in use. `howdah check` says it of a file.
pub(super) fn certificates(plan: &Plan, now: SystemTime) -> Vec<Finding> {
    let shown = plan
        .listeners
        .iter()
        .filter_map(|one| one.tls.as_ref())
        .flat_map(|tls| &tls.identities);
    let to_servers = plan
        .pools
        .iter()
        .filter_map(|one| one.tls.as_ref()?.identity.as_ref());
    let all = shown.chain(to_servers).chain(&plan.admin.tls);
    all.filter_map(|identity| ends(identity, now)).collect()
}

fn ends(identity: &Identity, now: SystemTime) -> Option<Finding> {
    let left = identity.not_after.duration_since(now).ok();
    let (level, what) = match left {
        None => (Error, "it has ended".to_owned()),
        Some(left) if left < SOON => (
            Warning,
            format!("it ends in {} days", left.as_secs() / 86_400),
        ),
        Some(_) => return None,
    };
    Some(Finding::new(
        (level, CertificateEnds),
        format!("certificate {}", identity.cert_path.display()),
        what,
        "from then on clients that check certificates are refused",
        "renew it, put it in its place, and `howdah reload`",
    ))
}

/// A probe with a ticket says that its clients have tickets too.
pub(super) fn of_pool(pool: &PoolPlan) -> Option<Finding> {
    let kerberos = pool.probe.as_ref()?.kerberos.as_ref()?;
    let parts = &kerberos.service.parts;
    let by_host = parts.iter().any(|part| part == HOST);
    let service = parts.first()?;
    by_host.then(|| {
        let realm = kerberos.service.realm.as_deref().unwrap_or(&kerberos.client.realm);
        Finding::new(
            (Note, BalancerPrincipal),
            format!("pool \"{}\"", pool.name),
            "its servers want Kerberos tickets",
            "clients ask the KDC for the name that they connect to, which is howdah's: \"Server not found in Kerberos database\" \
             or \"GSS initiate failed\" where the servers do not know it",
            format!(
                "the keytab of every server must hold {service}/NAME@{realm} with the same key, NAME being what clients write \
                 for howdah; forward and reverse DNS of NAME must agree (docs/operating/kerberos.md)"
            ),
        )
    })
}

/// Stands for a server's own host in a principal.
const HOST: &str = "_HOST";

/// As `howdah check` has it.
const SOON: Duration = Duration::from_secs(30 * 86_400);

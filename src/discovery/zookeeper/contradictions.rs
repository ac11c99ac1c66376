//! What a HiveServer2 publishes of itself, held against what the pool expects: sentences for the log, pure.

use std::collections::HashSet;

use crate::plan::{Ask, HiveAuth, HiveTransport, PoolPlan, ServicePrincipal};
use crate::wire::znode::Registered;

/// What does not agree; none: nothing that is known of both.
pub(super) fn contradictions(one: &Registered, pool: &PoolPlan, principals: usize) -> Vec<String> {
    let probe = pool.probe.as_ref();
    let hive = probe.and_then(|probe| match &probe.ask {
        Ask::HiveServer2 {
            transport, auth, ..
        } => Some((probe, transport, auth)),
        _ => None,
    });
    let mut found = Vec::new();
    if let Some((_, transport, _)) = hive {
        found.extend(of_transport(one, transport));
    }
    let asks_by_tls = hive.map(|(probe, ..)| probe.tls.is_some());
    match one.tls {
        Some(true) if asks_by_tls == Some(false) => found.push(format!(
            "its znode says that it speaks TLS (hive.server2.use.SSL), and the pool speaks none: say [pool.{}.tls], or tls of its probe where clients \
             bring their own",
            pool.name
        )),
        Some(false) if pool.tls.is_some() || asks_by_tls == Some(true) => found.push(
            "its znode says that it speaks no TLS (hive.server2.use.SSL), and the pool does".to_owned(),
        ),
        _ => {}
    }
    if let Some((_, _, auth)) = hive {
        found.extend(of_login(one, auth));
    }
    let principal = principal_of(one);
    let asked = probe.and_then(|probe| probe.kerberos.as_ref());
    if let (Some(named), Some(asked)) = (&principal, asked) {
        let asked = asked.service_at(&one.host).to_string();
        if *named != asked {
            found.push(format!(
                "its znode names the principal {named}, and the pool's probe asks for a ticket to {asked}: say service_principal"
            ));
        }
    }
    if let Some(principal) = principal.filter(|_| principals > 1) {
        found.push(format!(
            "its znode names the principal {principal}, and other servers of the pool name others: clients that come through howdah ask for one, \
             which the keytab of every server must hold"
        ));
    }
    found
}

/// How many different ones these name.
pub(super) fn principals<'a>(all: impl Iterator<Item = &'a Registered>) -> usize {
    all.filter_map(principal_of).collect::<HashSet<_>>().len()
}

/// As the server itself reads it: `_HOST` is its host.
fn principal_of(one: &Registered) -> Option<String> {
    let named = one.principal.as_ref()?;
    Some(named.replace(ServicePrincipal::HOST, &one.host))
}

fn of_transport(one: &Registered, transport: &HiveTransport) -> Option<String> {
    let (published, asked) = match (one.transport.as_deref()?, transport) {
        ("http", HiveTransport::Binary) => ("http", "binary"),
        ("binary", HiveTransport::Http { .. }) => ("binary", "http"),
        ("http", HiveTransport::Http { path }) => {
            let published = one.http_path.as_deref()?.trim_matches('/');
            let differs = published != path.trim_matches('/');
            return differs.then(|| {
                format!("its znode says that its HTTP path is /{published}, and the pool's probe asks {path}")
            });
        }
        _ => return None,
    };
    Some(format!(
        "its znode says that its transport is {published} (hive.server2.transport.mode), and the pool's probe asks by {asked}"
    ))
}

fn of_login(one: &Registered, auth: &HiveAuth) -> Option<String> {
    let published = one.authentication.as_deref()?;
    let differs = match auth {
        HiveAuth::NoSasl => published != "NOSASL",
        HiveAuth::Kerberos => published != "KERBEROS",
        HiveAuth::Plain { account } => {
            published == "NOSASL" || published == "KERBEROS" && account.is_some()
        }
    };
    differs.then(|| {
        format!("its znode says that logins are {published} (hive.server2.authentication), which is not what `auth` of the pool's probe says")
    })
}

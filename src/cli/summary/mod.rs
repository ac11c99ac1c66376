//! A plan as people want to read it: what listens, which pools serve, how servers are picked and asked.

mod probe;
mod row;
mod together;

use std::fmt::{self, Display};

use self::row::{joined, row};
use crate::base::time::day;
use crate::base::unit::show_duration;
use crate::plan::{
    AcceptTls, AdminPlan, ClientAuth, Dial, DiscoverPlan, ListenerPlan, OnRoleLost, Plan, PoolPlan,
    Protocol, Role, ServerDefaults, ServerPlan, SniPattern, TlsVersion,
};

/// Display shows the whole plan, secrets as `***`.
pub(super) struct Summary<'p>(pub(super) &'p Plan);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for listener in &self.0.listeners {
            show_listener(f, listener)?;
        }
        for pool in &self.0.pools {
            show_pool(f, pool)?;
        }
        show_rest(f, self.0)
    }
}

fn show_listener(f: &mut fmt::Formatter<'_>, plan: &ListenerPlan) -> fmt::Result {
    writeln!(f, "listener {}", plan.name)?;
    let spoken: Vec<&str> = plan.protocols.iter().map(|one| one.as_str()).collect();
    match plan.protocols.as_slice() {
        [Protocol::Tcp] => row(f, "bind", joined(&plan.bind))?,
        _ => {
            let what = format_args!("{} by {}", joined(&plan.bind), spoken.join(" and "));
            row(f, "bind", what)?;
        }
    }
    for route in &plan.routes {
        let names: Vec<String> = route.sni.iter().map(pattern).collect();
        row(
            f,
            "route",
            format_args!("{} to pool {}", names.join(", "), route.pool),
        )?;
    }
    match (&plan.pool, plan.routes.is_empty()) {
        (Some(pool), true) => row(f, "pool", pool)?,
        (Some(pool), false) => row(f, "pool", format_args!("{pool}, where no route matches"))?,
        (None, _) => row(f, "pool", "none: refused where no route matches")?,
    }
    match &plan.tls {
        Some(tls) => show_tls(f, tls)?,
        None if plan.routes.is_empty() => {}
        None => row(f, "tls", "passed through untouched")?,
    }
    if let Some(bound) = plan.max_connections {
        row(f, "sessions", format_args!("at most {bound}"))?;
    }
    for (key, nets) in [
        ("allow", plan.allow.as_slice()),
        ("deny", plan.deny.as_slice()),
        ("PROXY from", &plan.accept_proxy),
    ] {
        match nets.get(..FEW_NETWORKS) {
            None if nets.is_empty() => {}
            None => row(f, key, joined(nets))?,
            Some(few) => {
                let more = nets.len() - few.len();
                row(f, key, format_args!("{}, and {more} more", joined(few)))?;
            }
        }
    }
    writeln!(f)
}

/// Of a long list so many are shown.
const FEW_NETWORKS: usize = 20;

fn show_tls(f: &mut fmt::Formatter<'_>, tls: &AcceptTls) -> fmt::Result {
    let version = match tls.min_version {
        TlsVersion::V1_2 => "1.2 or newer",
        TlsVersion::V1_3 => "1.3",
    };
    let clients = match tls.client_auth {
        ClientAuth::None => "",
        ClientAuth::Optional => ", client certificates optional",
        ClientAuth::Required => ", client certificates required",
    };
    row(f, "tls", format_args!("{version}{clients}"))?;
    for identity in &tls.identities {
        let until = day(identity.not_after);
        row(
            f,
            "certificate",
            format_args!("{}, until {until}", identity.names.join(", ")),
        )?;
    }
    Ok(())
}

fn show_pool(f: &mut fmt::Formatter<'_>, plan: &PoolPlan) -> fmt::Result {
    writeln!(f, "pool {}", plan.name)?;
    row(f, "service", plan.service.as_str())?;
    row(f, "balance", plan.balance.as_str())?;
    if let Some(wanted) = plan.care.role.wanted {
        let who = match wanted {
            Role::Active => "the active server alone",
            Role::Standby => "those that stand by",
        };
        let lost = match plan.care.role.on_lost {
            OnRoleLost::Cut => "end at once".to_owned(),
            OnRoleLost::Drain => format!("end after {}", show_duration(plan.drain_timeout)),
            OnRoleLost::Keep => "go on".to_owned(),
        };
        row(
            f,
            "role",
            format_args!("{who}; sessions on one that is it no more {lost}"),
        )?;
    }
    if let Some(sticky) = &plan.sticky {
        let ttl = show_duration(sticky.ttl);
        row(
            f,
            "sticky",
            format_args!(
                "by source-ip for {ttl}, at most {} clients",
                sticky.max_entries
            ),
        )?;
    }
    let names = plan.servers.iter().map(|server| server.name.as_str().len());
    let width = names.max().unwrap_or(0);
    let others = plan
        .servers
        .iter()
        .map(|server| (server.name.as_str(), server.address.to_string()));
    let others = others
        .filter(|(name, address)| name != address)
        .map(|(_, address)| address.len());
    let addresses = others.max().unwrap_or(0);
    for server in &plan.servers {
        row(
            f,
            "server",
            ServerLine {
                server,
                width,
                addresses,
            },
        )?;
    }
    if let Some(source) = &plan.discover {
        let missing = matches!(source, DiscoverPlan::File { path } if !path.exists());
        let note = if missing {
            ", which is not there yet"
        } else {
            ""
        };
        row(f, "servers of", format_args!("{source}{note}"))?;
        row(f, "each of them", Bounds(plan.server_defaults.clone()))?;
    }
    match &plan.probe {
        None => row(f, "probe", "none: every server counts as up")?,
        Some(probe) => probe::show(f, probe)?,
    }
    if let Some(load) = &plan.load {
        let every = show_duration(load.interval);
        let tls = if load.tls.is_some() { " over TLS" } else { "" };
        let (from, port) = (load.from, load.port);
        let what = format_args!("weights follow {from} on port {port}{tls}, every {every}");
        row(f, "load", what)?;
    }
    let dial = match plan.dial {
        Dial::Late => "when the client's first byte is there",
        Dial::AtOnce => "as soon as the client is there",
    };
    row(f, "dial", dial)?;
    if let Some(tls) = &plan.tls {
        let roots = if tls.roots.is_some() {
            "own ca"
        } else {
            "the system's store"
        };
        let name = tls.server_name.as_deref().unwrap_or("each server's host");
        row(f, "tls", format_args!("verified with {roots} for {name}"))?;
    }
    if let Some(version) = plan.send_proxy {
        row(f, "send PROXY", version)?;
    }
    let times = &plan.timeouts;
    let [connect, idle, half] = [times.connect, times.idle, times.half_close].map(show_duration);
    let first = match plan.dial {
        Dial::Late => format!(", first byte {}", show_duration(times.first_byte)),
        Dial::AtOnce => String::new(),
    };
    row(
        f,
        "timeouts",
        format_args!("connect {connect}, idle {idle}, half-close {half}{first}"),
    )?;
    writeln!(f)
}

struct ServerLine<'p> {
    server: &'p ServerPlan,
    width: usize,
    /// Width of the addresses; 0 where every name is the address.
    addresses: usize,
}

impl Display for ServerLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, width) = (self.server, self.width);
        let address = server.address.to_string();
        write!(f, "{:<width$}", server.name.as_str())?;
        if self.addresses > 0 {
            let shown = if address == server.name.as_str() {
                ""
            } else {
                &address
            };
            write!(f, "  {shown:<0$}", self.addresses)?;
        }
        write!(f, "  {}", Bounds::of(server))?;
        f.write_str(if server.backup { "  backup" } else { "" })
    }
}

/// Weight and bounds.
struct Bounds(ServerDefaults);

impl Bounds {
    fn of(server: &ServerPlan) -> Self {
        Self(ServerDefaults {
            weight: server.weight,
            max_connections: server.max_connections,
            max_per_second: server.max_per_second,
        })
    }
}

impl Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds = &self.0;
        write!(f, "weight {}", bounds.weight)?;
        if let Some(bound) = bounds.max_connections {
            write!(f, "  at most {bound}")?;
        }
        if let Some(bound) = bounds.max_per_second {
            write!(f, "  at most {bound} new a second")?;
        }
        Ok(())
    }
}

fn show_rest(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    let global = &plan.global;
    let workers = global
        .workers
        .map_or("one per core".into(), |workers| workers.to_string());
    let drain = show_duration(global.drain_timeout);
    writeln!(f, "process")?;
    row(f, "workers", workers)?;
    row(
        f,
        "sessions",
        format_args!("at most {}, drain for {drain}", global.max_connections),
    )?;
    together::show(f, plan)?;
    show_admin(f, &plan.admin)?;
    let log = &plan.log;
    let access = log
        .access
        .as_ref()
        .map_or("stdout".into(), ToString::to_string);
    let target = log
        .target
        .as_ref()
        .map_or(String::new(), |target| format!(" to {target}"));
    let level = format!("{:?}", plan.log.level).to_lowercase();
    let format = format!("{:?}", plan.log.format).to_lowercase();
    row(
        f,
        "log",
        format_args!("{level} and up as {format}{target}, sessions to {access}"),
    )?;
    for alert in &plan.alerts {
        let kinds = match alert.about.kinds.as_slice() {
            [] => String::new(),
            kinds => format!(" of {}", joined(kinds)),
        };
        let pools = match alert.about.pools.as_slice() {
            [] => String::new(),
            pools => format!(" in {}", joined(pools)),
        };
        let (name, to, severity) = (&alert.name, &alert.to, alert.about.severity);
        let what = format_args!("{name} to {to}: {severity} and up{kinds}{pools}");
        row(f, "alert", what)?;
    }
    Ok(())
}

fn show_admin(f: &mut fmt::Formatter<'_>, admin: &AdminPlan) -> fmt::Result {
    let scheme = if admin.tls.is_some() { "https" } else { "http" };
    let who = match (&admin.token, admin.says_who_commands()) {
        (Some(_), _) => "commands need the token",
        (None, true) => "no commands",
        (None, false) => "commands of root and howdah's own user alone",
    };
    let readers = match &admin.reader_token {
        Some(_) => ", looking needs a token too",
        None => "",
    };
    row(
        f,
        "admin",
        format_args!("{scheme}://{}, {who}{readers}", admin.bind),
    )?;
    if let Some(socket) = &admin.socket {
        let (path, mode) = (socket.path.display(), socket.mode);
        row(f, "", format_args!("unix:{path}, mode {mode:04o}"))?;
    }
    Ok(())
}

fn pattern(pattern: &SniPattern) -> String {
    match pattern {
        SniPattern::Exact(name) => name.clone(),
        SniPattern::Wildcard(suffix) => format!("*.{suffix}"),
    }
}

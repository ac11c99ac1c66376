//! What a probe asks a database → [`DatabaseAsk`], and what does not go together with databases.

use std::sync::Arc;

use super::material;
use crate::config::cx::Cx;
use crate::config::file::{Pool, Probe, ProbeWord};
use crate::config::source::Span;
use crate::plan::{Ask, DatabaseAccount, DatabaseAsk, Host, ProbePlan, RolePlan, ServerPlan};

pub(super) fn ask(words: &Probe, cx: &mut Cx) -> DatabaseAsk {
    let password = words.password_file.get();
    let password = password.and_then(|path| material::secret(path, "password_file", cx));
    without_user(words, cx);
    for (key, text) in [("username", &words.username), ("database", &words.database)] {
        if let Some(spot) = text.get()
            && (spot.value.is_empty() || spot.value.contains('\0'))
        {
            let what = format!("{} has a {key} that no server can have", cx.owner);
            cx.error(&spot.span, what)
                .why("empty, or with a NUL in it")
                .fix(format!("{key} = \"howdah\""));
        }
    }
    DatabaseAsk {
        account: words.username.value().map(|user| DatabaseAccount {
            user: user.clone(),
            password,
            database: words.database.value().cloned(),
        }),
        max_lag: words.max_lag.value().copied(),
    }
}

/// Keys that say something of a login, where there is none.
fn without_user(words: &Probe, cx: &mut Cx) {
    if !words.username.is_absent() {
        return;
    }
    for (key, span, why) in [
        ("password", words.password_file.span(), "whose password?"),
        ("database", words.database.span(), "who logs in there?"),
        (
            "max_lag",
            words.max_lag.span(),
            "only who logs in can ask how far it is behind",
        ),
    ] {
        if let Some(span) = span {
            let what = format!("{} has a {key}, but no user", cx.owner);
            cx.error(&span, what)
                .why(why)
                .fix("add username = \"NAME\"");
        }
    }
}

/// A pool that wants servers in one role, and a probe that cannot learn it.
pub(super) fn judge_role(words: &Pool, role: RolePlan, probe: Option<&ProbePlan>, cx: &mut Cx) {
    let asked = probe.and_then(|probe| probe.ask.database());
    if let (Some(span), Some(wanted), Some(asked)) = (words.role.span(), role.wanted, asked)
        && asked.account.is_none()
    {
        let what = format!("{} wants {wanted} servers, and logs in to none", cx.owner);
        cx.warning(&span, what)
            .why("without a login no server says what it is, and each counts as wanted")
            .fix("add username and password_file to the probe, or leave role out");
    }
}

/// A password that is shown to whoever asks for it, on a network where another may answer.
pub(super) fn judge_clear(
    words: &Pool,
    servers: &[Arc<ServerPlan>],
    probe: Option<&ProbePlan>,
    cx: &mut Cx,
) {
    let (Some(ProbeWord::Table(own)), Some(probe)) = (words.probe.value(), probe) else {
        return;
    };
    let Ask::PostgreSql(asked) = &probe.ask else {
        return;
    };
    let near = words.discover.is_absent() && servers.iter().all(|server| is_here(server));
    if let Some(span) = own.password_file.span()
        && asked.account.is_some()
        && probe.tls.is_none()
        && !near
    {
        let what = format!("the probe of {} has a password and no tls", cx.owner);
        cx.warning(&span, what)
            .why("a PostgreSQL server may ask for it in clear text, and without tls another may answer as the server")
            .fix("add tls = true to the probe, or tls = { ca = \"FILE\" } where the system does not know who signs");
    }
}

fn is_here(server: &ServerPlan) -> bool {
    match &server.address.host {
        Host::Ip(ip) => ip.to_canonical().is_loopback(),
        Host::Name(name) => name.as_str() == "localhost",
    }
}

/// TLS towards such servers begins inside their protocol, which sessions speak and howdah does not.
pub(super) fn judge_tls(span: Option<Span>, service: &str, cx: &mut Cx) {
    if let Some(span) = span {
        let what = format!("{} begins with TLS, which {service} does not", cx.owner);
        cx.warning(&span, what)
            .why("its clients and servers agree on TLS in their own first bytes")
            .fix("leave tls out: howdah passes on what they agree on; the probe has a tls of its own");
    }
}

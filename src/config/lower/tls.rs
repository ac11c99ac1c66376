//! `tls` of a pool or of its probe → [`plan::ConnectTls`].

use super::{address, certificate};
use crate::config::cx::Cx;
use crate::config::file::ConnectTls;
use crate::plan;

/// Of a pool, or of a probe that has its own.
pub(super) fn connect_tls(words: &ConnectTls, cx: &mut Cx) -> plan::ConnectTls {
    let outer = cx.owner.clone();
    cx.owner = format!("tls of {outer}");
    let roots = words
        .ca
        .get()
        .and_then(|path| certificate::roots(path, "ca", cx));
    if let Some(name) = words.server_name.get()
        && name.value.parse::<std::net::IpAddr>().is_err()
        && let Err(why) = address::host_name(&name.value)
    {
        let what = format!(
            "{} expects a server_name that no certificate can carry",
            cx.owner
        );
        cx.error(&name.span, what)
            .why(why)
            .fix("a host name without a port, such as \"hive.example.com\"");
    }
    let identity = if words.certificate.is_absent() && words.key.is_absent() {
        None
    } else {
        certificate::identity(
            &words.certificate,
            &words.key,
            ["certificate", "key"],
            &words.span,
            cx,
        )
    };
    cx.owner = outer;
    plan::ConnectTls {
        roots,
        server_name: words.server_name.value().cloned(),
        identity,
    }
}

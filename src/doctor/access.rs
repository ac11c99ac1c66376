//! Who may look at howdah and command it.

use super::finding::Code::{AnybodyLooks, TokenInClear};
use super::finding::Finding;
use super::finding::Level::{Note, Warning};
use crate::plan::AdminPlan;

pub(super) fn of(admin: &AdminPlan) -> Vec<Finding> {
    if admin.bind.ip().is_loopback() {
        return Vec::new();
    }
    let found = [in_clear(admin), anybody(admin)];
    found.into_iter().flatten().collect()
}

fn in_clear(admin: &AdminPlan) -> Option<Finding> {
    (admin.tls.is_none() && (admin.token.is_some() || admin.reader_token.is_some())).then(|| {
        Finding::new(
            (Warning, TokenInClear),
            "[admin]",
            format!("{} is reached over the network, without TLS", admin.bind),
            "whoever hears the traffic has the token, and with it may drain servers and reload",
            "add [admin.tls] with a certificate, or bind to 127.0.0.1 and use [admin] socket",
        )
    })
}

fn anybody(admin: &AdminPlan) -> Option<Finding> {
    admin.reader_token.is_none().then(|| {
        Finding::new(
            (Note, AnybodyLooks),
            "[admin]",
            format!("whoever reaches {} may look without a token", admin.bind),
            "they see the names of servers, the addresses of clients, and how the service stands",
            "reader_token_file asks them for a token",
        )
    })
}

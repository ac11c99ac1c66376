//! Who asks, and how that opens the door.

use crate::health::probe::pass::Pass;
use crate::plan::{HiveAuth, Secret};
use crate::wire::http::base64;
use crate::wire::kerberos::Ticket;

/// From the plan, and from what tickets there are.
#[derive(Clone, Copy)]
pub(super) enum Login<'a> {
    /// The plan has no account.
    Nobody,
    /// User and password.
    Plain(&'a (String, Secret)),
    /// Kerberos.
    Ticket(&'a Ticket),
    /// Kerberos, but no ticket is to be had.
    NoTicket,
}

/// Taken by every server that lets anybody in; both parts must not be empty.
pub(super) const ANYBODY: &str = "anonymous";

impl<'a> Login<'a> {
    pub(super) fn of(auth: &'a HiveAuth, pass: &'a Pass) -> Self {
        match (auth, pass) {
            (HiveAuth::Kerberos, Pass::Ticket(ticket)) => Self::Ticket(ticket),
            (HiveAuth::Kerberos, _) => Self::NoTicket,
            (HiveAuth::Plain { account }, _) => account.as_ref().map_or(Self::Nobody, Self::Plain),
            (HiveAuth::NoSasl, _) => Self::Nobody,
        }
    }

    /// Whether the server hears of a name that it could know.
    pub(super) fn is_known(self) -> bool {
        matches!(self, Self::Plain(_) | Self::Ticket(_))
    }

    pub(super) fn user(self) -> &'a str {
        match self {
            Self::Plain((user, _)) => user,
            Self::Ticket(ticket) => ticket.client.parts.first().map_or(ANYBODY, String::as_str),
            Self::Nobody | Self::NoTicket => ANYBODY,
        }
    }

    pub(super) fn mechanism(self) -> &'static str {
        match self {
            Self::Nobody | Self::Plain(_) => "PLAIN",
            Self::Ticket(_) | Self::NoTicket => "GSSAPI",
        }
    }
}

pub(super) fn basic(user: &str, password: &str) -> String {
    let word = base64(format!("{user}:{password}").as_bytes());
    format!("Authorization: Basic {word}")
}

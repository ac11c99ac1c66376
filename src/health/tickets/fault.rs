//! Why there is no ticket: each cause by its name, with what to look at.

use std::time::{Duration, SystemTime};

use crate::base::principal::Principal;
use crate::health::Reason;
use crate::wire::kerberos::request::Refused;
use crate::wire::kerberos::{KdcError, code};

/// A fault of the account or of the KDC, not of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::health) struct TicketFault {
    /// The word for it.
    pub(in crate::health) reason: Reason,
    /// For people.
    pub(in crate::health) detail: String,
}

impl TicketFault {
    fn new(reason: Reason, detail: String) -> Self {
        Self { reason, detail }
    }

    pub(super) fn unreachable(detail: String) -> Self {
        Self::new(Reason::KdcUnreachable, detail)
    }

    pub(super) fn silence(realm: &str, limit: Duration) -> Self {
        Self::unreachable(format!("no KDC of {realm} has answered within {limit:?}"))
    }

    /// Asked for, and not there yet.
    pub(super) fn pending() -> Self {
        Self::unreachable("the KDC is being asked for a ticket".to_owned())
    }

    pub(super) fn no_randomness() -> Self {
        Self::new(
            Reason::Unusable,
            "the system gives no random numbers".to_owned(),
        )
    }

    pub(super) fn too_far(service: &Principal) -> Self {
        let text = format!("too many realms on the way to {service}");
        Self::new(Reason::KdcRefused, text)
    }

    pub(super) fn no_key(client: &Principal, etypes: &[i32]) -> Self {
        let text = format!(
            "the KDC wants a key of {client} of type {etypes:?}, and the keytab has none of them"
        );
        Self::new(Reason::KeyMissing, text)
    }

    /// The first ticket, by a key of ours.
    pub(super) fn of_first(refused: &Refused, client: &Principal) -> Self {
        let error = match refused {
            Refused::By(error) => error,
            Refused::Key => return Self::new(Reason::KeyWrong, outdated(client)),
            Refused::Strange => return strange(),
        };
        let text = match error.code {
            code::PREAUTH_FAILED | code::INTEGRITY => {
                return Self::new(Reason::KeyWrong, outdated(client));
            }
            code::CLIENT_UNKNOWN | code::REALM_UNKNOWN => {
                format!("the KDC does not know {client}")
            }
            code::NAME_EXPIRED => format!("{client} has expired at the KDC"),
            code::KEY_EXPIRED => format!("the key of {client} has expired at the KDC"),
            code::CLIENT_REVOKED => format!("{client} is locked or disabled at the KDC"),
            code::ETYPE_NOT_SUPPORTED => {
                format!("the KDC has no key of {client} of a type that the keytab has")
            }
            _ => return Self::of_any(error, "the KDC"),
        };
        let reason = match error.code {
            code::CLIENT_UNKNOWN | code::REALM_UNKNOWN => Reason::PrincipalUnknown,
            code::ETYPE_NOT_SUPPORTED => Reason::KeyMissing,
            _ => Reason::PrincipalExpired,
        };
        Self::new(reason, text)
    }

    /// A ticket for a service, by the first one.
    pub(super) fn of_further(refused: &Refused, service: &Principal) -> Self {
        match refused {
            Refused::By(error) if error.code == code::SERVICE_UNKNOWN => Self::new(
                Reason::ServiceUnknown,
                format!(
                    "the KDC does not know {service}: is it what the server calls itself? see service_principal"
                ),
            ),
            Refused::By(error) => Self::of_any(error, "the KDC"),
            Refused::Key | Refused::Strange => strange(),
        }
    }

    fn of_any(error: &KdcError, who: &str) -> Self {
        if error.code == code::CLOCK_SKEW {
            return Self::new(Reason::ClockSkew, skew(error, who));
        }
        let text = format!("{who} refuses with code {}: {}", error.code, error.text);
        Self::new(Reason::KdcRefused, text)
    }
}

/// By how much clocks differ, as seen from a refusal that has just come.
fn skew(error: &KdcError, who: &str) -> String {
    let now = SystemTime::now();
    let (apart, way) = match error.time.duration_since(now) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let seconds = apart.as_secs();
    format!("the clock of {who} is {seconds} s {way} ours")
}

fn outdated(client: &Principal) -> String {
    format!("the KDC has another key of {client} than the keytab: was it changed since?")
}

fn strange() -> TicketFault {
    let text = "the KDC's answer is none to the question".to_owned();
    TicketFault::new(Reason::KdcRefused, text)
}

/// The KDC asks for proof by a key of one of these types.
pub(super) fn wants_proof(refused: &Refused) -> Option<&[i32]> {
    match refused {
        Refused::By(error) if error.code == code::PREAUTH_REQUIRED => Some(&error.etypes),
        _ => None,
    }
}

pub(super) fn code_of(refused: &Refused) -> Option<i64> {
    match refused {
        Refused::By(error) => Some(error.code),
        _ => None,
    }
}

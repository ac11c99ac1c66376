//! What a question needs beside its plan: TLS, and a ticket where the plan has Kerberos.

use std::sync::Arc;

use super::trace::Answer;
use crate::health::Effort;
use crate::health::tickets::{TicketFault, Tickets};
use crate::plan::{Ask, HiveTransport, ProbePlan};
use crate::tls::TlsError;
use crate::tls::connect::Connector;
use crate::wire::kerberos::Ticket;

/// Prepared once for all servers of a pool.
#[derive(Debug, Default)]
pub struct Means {
    pub(super) tls: Option<Connector>,
    pub(super) tickets: Option<Arc<Tickets>>,
}

/// How the question shows who asks.
#[derive(Debug)]
pub(super) enum Pass {
    /// Not at all, or by an account of the plan.
    Nobody,
    /// By this.
    Ticket(Arc<Ticket>),
    /// By a ticket, but there is none.
    Missing(TicketFault),
}

impl Means {
    /// For questions of this plan.
    ///
    /// # Errors
    /// Where TLS cannot be spoken as the plan says.
    pub fn new(plan: &ProbePlan) -> Result<Self, TlsError> {
        let tickets = plan.kerberos.clone().map(Tickets::new);
        Ok(Self {
            tls: plan.tls.as_ref().map(Connector::new).transpose()?,
            tickets: tickets.map(Arc::new),
        })
    }

    /// For the server reached as `host`.
    pub(super) async fn pass(&self, host: &str, plan: &ProbePlan, effort: Effort) -> Pass {
        let Some(tickets) = &self.tickets else {
            return Pass::Nobody;
        };
        let ticket = match need(&plan.ask, effort) {
            Need::None => return Pass::Nobody,
            Need::AtHand => tickets.held(host, plan.timeout),
            Need::All => tickets.ticket(host, plan.timeout).await,
        };
        match ticket {
            Ok(ticket) => Pass::Ticket(ticket),
            Err(fault) => Pass::Missing(fault),
        }
    }
}

/// How much a question wants a ticket.
enum Need {
    None,
    /// It says something without, too.
    AtHand,
    All,
}

fn need(ask: &Ask, effort: Effort) -> Need {
    match (ask, effort) {
        (_, Effort::Connect) => Need::None,
        (
            Ask::HiveServer2 {
                transport: HiveTransport::Binary,
                ..
            },
            Effort::Cheap,
        ) => Need::AtHand,
        (Ask::Http(_) | Ask::Hue(_) | Ask::HiveServer2 { .. } | Ask::Impala { .. }, _) => Need::All,
        _ => Need::None,
    }
}

impl Pass {
    pub(super) fn ticket(&self) -> Option<&Arc<Ticket>> {
        match self {
            Self::Ticket(ticket) => Some(ticket),
            _ => None,
        }
    }

    /// What an answer is worth that was given to nobody, where a ticket was meant to be shown.
    pub(super) fn without_ticket(&self, answer: Answer) -> Answer {
        match self {
            Self::Missing(fault) => Answer {
                reason: fault.reason,
                detail: super::trace::printable(&format!(
                    "asked without a ticket: {}",
                    fault.detail
                )),
                ..answer
            },
            _ => answer,
        }
    }
}

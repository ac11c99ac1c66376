//! Tickets of one principal, for the servers that its pool asks: got once, kept, and renewed in time.
//!
//! A question takes a ticket from here, and the KDC hears nothing of it: one exchange brings a ticket for hours. In its last
//! fifth a ticket is renewed beside the questions, which go on with the old one, so a KDC that is slow or away is felt only when
//! the last ticket is over. What the KDC refused is not asked again at once: a wrong key, asked every second, locks accounts.
//!
//! A fault here says nothing of the server. What follows from it is decided by who asks (docs/adr/0029).

mod fault;
mod kdc;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};

pub(super) use self::fault::TicketFault;
use crate::base::principal::Principal;
use crate::health::Reason;
use crate::plan::KerberosPlan;
use crate::wire::kerberos::request::{first, first_granted, further, further_granted};
use crate::wire::kerberos::{Key, Moment, Ticket, code};

/// See the module.
pub(super) struct Tickets {
    plan: Arc<KerberosPlan>,
    keys: Vec<Key>,
    /// Whoever grants us the others.
    granting: Principal,
    held: Mutex<Held>,
    /// One exchange at a time: others find its ticket, or its fault.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    tickets: HashMap<Principal, Arc<Ticket>>,
    faults: HashMap<Principal, (Instant, TicketFault)>,
    renewing: HashSet<Principal>,
}

/// What is left of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    /// Good for now, but another is due.
    Old,
    Over,
}

impl Tickets {
    /// For the questions of one pool.
    pub(super) fn new(plan: Arc<KerberosPlan>) -> Self {
        let keys = plan.keys.iter();
        let realm = &plan.client.realm;
        Self {
            granting: Principal::granting(realm, realm),
            keys: keys
                .filter_map(|key| Key::new(key.etype, &key.bytes))
                .collect(),
            plan,
            held: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// A ticket for the server reached as `host`: one that is held, else one from the KDC within `limit`.
    ///
    /// # Errors
    /// Where the KDC grants none, or does not answer.
    pub(super) async fn ticket(
        self: &Arc<Self>,
        host: &str,
        limit: Duration,
    ) -> Result<Arc<Ticket>, TicketFault> {
        let service = self.plan.service_at(host);
        if let Some(ticket) = self.at_hand(&service, limit) {
            return Ok(ticket);
        }
        self.refused(&service)?;
        self.obtain_within(&service, limit).await
    }

    /// The same without waiting: a question that can do without does not wait for a KDC.
    pub(super) fn held(
        self: &Arc<Self>,
        host: &str,
        limit: Duration,
    ) -> Result<Arc<Ticket>, TicketFault> {
        let service = self.plan.service_at(host);
        if let Some(ticket) = self.at_hand(&service, limit) {
            return Ok(ticket);
        }
        self.refused(&service)?;
        self.renew(service, limit);
        Err(TicketFault::pending())
    }

    fn at_hand(self: &Arc<Self>, service: &Principal, limit: Duration) -> Option<Arc<Ticket>> {
        let (ticket, age) = self.found(service)?;
        if age == Age::Old && self.refused(service).is_ok() {
            self.renew(service.clone(), limit);
        }
        Some(ticket)
    }

    /// Beside whoever asks, and once at a time for each service.
    fn renew(self: &Arc<Self>, service: Principal, limit: Duration) {
        if !self.table().renewing.insert(service.clone()) {
            return;
        }
        let own = Arc::clone(self);
        tokio::spawn(async move {
            let _ = own.obtain_within(&service, limit).await;
            own.table().renewing.remove(&service);
        });
    }

    async fn obtain_within(
        &self,
        service: &Principal,
        limit: Duration,
    ) -> Result<Arc<Ticket>, TicketFault> {
        let asked = timeout(limit, self.obtain(service, limit)).await;
        let fault = match asked {
            Ok(Ok(ticket)) => return Ok(ticket),
            Ok(Err(fault)) => fault,
            Err(_) => TicketFault::silence(&service.realm, limit),
        };
        self.note(service, &fault);
        Err(fault)
    }

    fn note(&self, service: &Principal, fault: &TicketFault) {
        let again = match fault.reason {
            Reason::KdcUnreachable => AWAY,
            _ => REFUSED,
        };
        let noted = (Instant::now() + again, fault.clone());
        self.table().faults.insert(service.clone(), noted);
    }

    async fn obtain(
        &self,
        service: &Principal,
        limit: Duration,
    ) -> Result<Arc<Ticket>, TicketFault> {
        let _one = self.asking.lock().await;
        if let Some((ticket, Age::Fresh)) = self.found(service) {
            return Ok(ticket);
        }
        // Found out meanwhile by whoever asked before.
        self.refused(service)?;
        let mut granting = self.first(limit).await?;
        for _ in 0..HOPS_MAX {
            let realm = granting.service.parts.get(1).cloned().unwrap_or_default();
            let next = match realm == service.realm {
                true => service.clone(),
                false => Principal::granting(&service.realm, &realm),
            };
            let ticket = self.further(&granting, &next, &realm, limit).await?;
            if ticket.service == *service {
                return Ok(self.keep(ticket));
            }
            granting = self.keep(ticket);
        }
        Err(TicketFault::too_far(service))
    }

    /// The ticket that grants others. What stands against it stands against all of them: a wrong key is shown once, however
    /// many servers there are.
    async fn first(&self, limit: Duration) -> Result<Arc<Ticket>, TicketFault> {
        if let Some((ticket, Age::Fresh)) = self.found(&self.granting) {
            return Ok(ticket);
        }
        let granted = self.show_key(limit).await;
        granted.inspect_err(|fault| self.note(&self.granting, fault))
    }

    async fn show_key(&self, limit: Duration) -> Result<Arc<Ticket>, TicketFault> {
        let client = &self.plan.client;
        let etypes: Vec<i32> = self.keys.iter().map(Key::etype).collect();
        let moment = self.moment()?;
        let asked = first(client, &etypes, None, &moment);
        let answer = self.exchange(&client.realm, &asked, limit).await?;
        let refusal = match first_granted(&answer, client, &self.keys, &moment) {
            Ok(ticket) => return Ok(self.keep(ticket)),
            Err(refusal) => refusal,
        };
        let key = match fault::wants_proof(&refusal) {
            Some(etypes) => self.proof(etypes)?,
            None => return Err(TicketFault::of_first(&refusal, client)),
        };
        let moment = self.moment()?;
        let asked = first(client, &etypes, Some(key), &moment);
        let answer = self.exchange(&client.realm, &asked, limit).await?;
        let granted = first_granted(&answer, client, &self.keys, &moment);
        let granted = granted.map_err(|refusal| TicketFault::of_first(&refusal, client))?;
        Ok(self.keep(granted))
    }

    /// The newest key of a type that the KDC knows of the principal; keys are newest first.
    fn proof(&self, etypes: &[i32]) -> Result<&Key, TicketFault> {
        let of = |etype: &i32| self.keys.iter().find(|key| key.etype() == *etype);
        let known = match etypes.is_empty() {
            true => self.keys.first(),
            false => etypes.iter().find_map(of),
        };
        known.ok_or_else(|| TicketFault::no_key(&self.plan.client, etypes))
    }

    async fn further(
        &self,
        granting: &Ticket,
        service: &Principal,
        realm: &str,
        limit: Duration,
    ) -> Result<Ticket, TicketFault> {
        let moment = self.moment()?;
        let asked = further(granting, service, &moment);
        let answer = self.exchange(realm, &asked, limit).await?;
        further_granted(&answer, granting, &moment).map_err(|refusal| {
            if fault::code_of(&refusal) != Some(code::SERVICE_UNKNOWN) {
                // It may be the first ticket that is to blame.
                self.table().tickets.remove(&granting.service);
            }
            TicketFault::of_further(&refusal, service)
        })
    }

    async fn exchange(
        &self,
        realm: &str,
        asked: &[u8],
        limit: Duration,
    ) -> Result<Vec<u8>, TicketFault> {
        let kdcs = self.plan.realms.kdcs.get(realm);
        let kdcs = kdcs.map(Vec::as_slice).unwrap_or_default();
        kdc::exchange(realm, kdcs, asked, limit).await
    }

    fn moment(&self) -> Result<Moment, TicketFault> {
        Moment::draw(SystemTime::now()).map_err(|_| TicketFault::no_randomness())
    }

    fn keep(&self, ticket: Ticket) -> Arc<Ticket> {
        let ticket = Arc::new(ticket);
        let now = SystemTime::now();
        let mut table = self.table();
        table.tickets.retain(|_, held| age(held, now) != Age::Over);
        table.faults.remove(&ticket.service);
        table
            .tickets
            .insert(ticket.service.clone(), Arc::clone(&ticket));
        ticket
    }

    fn found(&self, service: &Principal) -> Option<(Arc<Ticket>, Age)> {
        let ticket = self.table().tickets.get(service).cloned()?;
        let age = age(&ticket, SystemTime::now());
        (age != Age::Over).then_some((ticket, age))
    }

    /// What stands against a ticket for the service, or against the one that grants it.
    fn refused(&self, service: &Principal) -> Result<(), TicketFault> {
        let (table, now) = (self.table(), Instant::now());
        let faults = [service, &self.granting].map(|name| table.faults.get(name));
        match faults.into_iter().flatten().find(|(again, _)| now < *again) {
            Some((_, fault)) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tickets of {}", self.plan.client)
    }
}

fn age(ticket: &Ticket, now: SystemTime) -> Age {
    let left = ticket.ends.duration_since(now).unwrap_or_default();
    let life = ticket
        .ends
        .duration_since(ticket.starts)
        .unwrap_or_default();
    match left {
        left if left < MARGIN => Age::Over,
        left if left < life / 5 => Age::Old,
        _ => Age::Fresh,
    }
}

/// A ticket must not end on its way to the server.
const MARGIN: Duration = Duration::from_secs(2);

/// A KDC that did not answer is asked again after this.
const AWAY: Duration = Duration::from_secs(5);

/// A refusal stands until somebody mends its cause.
const REFUSED: Duration = Duration::from_secs(60);

/// Realms between ours and the service's.
const HOPS_MAX: usize = 8;

#[cfg(test)]
pub(super) mod tests;

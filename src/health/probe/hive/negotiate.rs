//! SASL until both sides are done: PLAIN, or GSSAPI with a ticket.

use super::login::{ANYBODY, Login};
use super::sealing::{Sealing, distrusted, moment};
use super::transport::negotiation;
use crate::health::probe::link::Link;
use crate::health::probe::trace::{Answer, Asked};
use crate::health::{Reason, Verdict};
use crate::wire::kerberos::{Ticket, gss};
use crate::wire::sasl::{self, Status};

/// `shallow`: a refusal for want of an account is the answer of a living server.
pub(super) async fn log_in(
    link: &mut Link,
    login: Login<'_>,
    shallow: bool,
) -> Asked<Option<Sealing>> {
    let (user, password) = match login {
        Login::Ticket(ticket) => return by_ticket(link, ticket).await,
        Login::Plain((user, password)) => (user.as_str(), password.expose()),
        Login::Nobody | Login::NoTicket => (ANYBODY, ANYBODY),
    };
    link.send(&sasl::plain_login(user, password)).await?;
    loop {
        let (status, payload) = negotiation(link).await?;
        let text = String::from_utf8_lossy(&payload);
        match status {
            Status::Complete => return Ok(None),
            Status::Bad => return Err(refused(&text, login, shallow).logging_an_error()),
            Status::Ok => {}
            Status::Start | Status::Error => return Err(Answer::down(Reason::NotSasl, &text)),
        }
    }
}

/// Three messages each way: tickets, an empty one for the layers that the server offers, the layer that is taken.
async fn by_ticket(link: &mut Link, ticket: &Ticket) -> Asked<Option<Sealing>> {
    let (token, begun) = gss::begin(ticket, &moment()?);
    let mut out = Vec::with_capacity(token.len() + 32);
    sasl::put_message(&mut out, Status::Start, b"GSSAPI");
    sasl::put_message(&mut out, Status::Ok, &token);
    link.send(&out).await?;
    let context = begun.answered(&challenge(link, ticket).await?);
    let context = context.map_err(|fault| distrusted(&fault))?;
    say(link, Status::Ok, b"").await?;
    let offer = context.unwrap(&challenge(link, ticket).await?);
    let offer = offer.map_err(|fault| distrusted(&fault))?;
    let (choice, sealing) = Sealing::chosen(&offer, context)?;
    say(link, Status::Complete, &choice).await?;
    challenge(link, ticket).await?;
    Ok(sealing)
}

async fn say(link: &mut Link, status: Status, token: &[u8]) -> Asked<()> {
    let mut out = Vec::with_capacity(token.len() + 8);
    sasl::put_message(&mut out, status, token);
    link.send(&out).await
}

async fn challenge(link: &mut Link, ticket: &Ticket) -> Asked<Vec<u8>> {
    let (status, payload) = negotiation(link).await?;
    match status {
        Status::Ok | Status::Complete => Ok(payload),
        Status::Bad => {
            let text = String::from_utf8_lossy(&payload);
            Err(refused(&text, Login::Ticket(ticket), false).logging_an_error())
        }
        Status::Start | Status::Error => {
            let text = String::from_utf8_lossy(&payload);
            Err(Answer::down(Reason::NotSasl, &text))
        }
    }
}

/// The words of BAD are for people, all but one: a mechanism that is not registered (TSaslServerTransport).
pub(super) fn refused(text: &str, login: Login<'_>, shallow: bool) -> Answer {
    let unregistered = text.to_ascii_lowercase().contains("unsupported mechanism");
    let reason = match login {
        _ if unregistered => Reason::UnsupportedMechanism,
        Login::Plain(_) => Reason::BadCredentials,
        Login::Ticket(_) => Reason::KerberosRefused,
        Login::Nobody | Login::NoTicket => Reason::AccountNeeded,
    };
    let verdict = match (login.is_known(), shallow) {
        (true, _) => Verdict::Down,
        (false, true) => Verdict::Up,
        (false, false) => Verdict::Alive,
    };
    match login {
        Login::Ticket(ticket) => {
            let text = format!("{text} (shown a ticket for {})", ticket.service);
            Answer::of(verdict, reason, &text)
        }
        _ => Answer::of(verdict, reason, text),
    }
}

//! `Negotiate` in HTTP: a ticket in the request, and the server's proof in the reply (RFC 4559).
//!
//! The ticket goes with the first request. A server without SPNEGO does not look at it, so nothing is asked twice.

use super::hive::{distrusted, moment};
use super::link::Target;
use super::trace::{Answer, Asked};
use crate::health::Reason;
use crate::plan::HttpAsk;
use crate::wire::http::{self, Reply};
use crate::wire::kerberos::gss::{self, Begun};
use crate::wire::kerberos::spnego;

/// What the request carries, and what waits for the reply; nothing where the plan has no Kerberos, or there is no ticket.
pub(super) fn begin(target: &Target<'_>) -> Asked<Option<(String, Begun)>> {
    let Some(ticket) = target.pass.ticket() else {
        return Ok(None);
    };
    let (token, begun) = gss::begin(ticket, &moment()?);
    Ok(Some((header(&spnego::begin(&token)), begun)))
}

/// The line of a request.
pub(super) fn header(token: &[u8]) -> String {
    format!("Authorization: Negotiate {}", http::base64(token))
}

/// A login that is asked for all the same tells of the ticket, not of the page; unless the plan takes that for an answer.
pub(super) fn judged(
    target: &Target<'_>,
    ask: &HttpAsk,
    reply: Reply,
    begun: Option<Begun>,
) -> Asked<Reply> {
    if reply.status == 401 && !ask.expect_status.contains(&401) {
        let text = "status 401, wants a login";
        if let Some(ticket) = target.pass.ticket() {
            let text = format!("{text}, though shown a ticket for {}", ticket.service);
            return Err(Answer::alive(Reason::KerberosRefused, &text));
        }
        if target.plan.kerberos.is_some() {
            let answer = Answer::alive(Reason::HttpStatus, text);
            return Err(target.pass.without_ticket(answer));
        }
    }
    match begun {
        Some(begun) => verified(&reply, begun).map(|()| reply),
        None => Ok(reply),
    }
}

/// A server that proves who it is must do it rightly; many do not prove it at all.
pub(super) fn verified(reply: &Reply, begun: Begun) -> Asked<()> {
    let mut said = reply.headers.iter();
    let said = said.find_map(|(name, value)| {
        let (scheme, token) = value.split_once(' ')?;
        let fits = name == "www-authenticate" && scheme.eq_ignore_ascii_case("negotiate");
        fits.then(|| token.trim())
    });
    let Some(bytes) = said.and_then(http::from_base64) else {
        return Ok(());
    };
    match spnego::token(&bytes) {
        Ok(Some(token)) => match begun.answered(token) {
            Ok(_) => Ok(()),
            Err(fault) => Err(distrusted(&fault)),
        },
        _ => Ok(()),
    }
}

//! PostgreSQL: what it answers to a startup, or by a login its role and how far its copy is behind.
//!
//! Without an account the question ends where the server asks for a password, which is an answer and no error in its
//! log. A server that asks for none, and knows nobody of that name, logs as much: it is asked so seldom, and in between whether it
//! encrypts by GSSAPI, which is answered by one letter and logged by nobody. TLS begins inside the protocol.

mod login;
mod refusal;

use self::refusal::{refused, told};
use super::ProbeMemory;
use super::database::{NOBODY, of_stranger};
use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::health::{Effort, Reason, Verdict};
use crate::plan::DatabaseAsk;
use crate::wire::postgres::{self, Failure, Message};

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    (ask, effort): (&DatabaseAsk, Effort),
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    let mut talk = link.insert(target.open_plain(trace).await?);
    if effort == Effort::Connect {
        trace.step("gss");
        letter(talk, &postgres::GSS_REQUEST).await?;
        return Ok(Answer::up());
    }
    if target.tls.is_some() {
        trace.step("ssl");
        if letter(talk, &postgres::SSL_REQUEST).await? != b'S' {
            return Err(Answer::down(Reason::NotTls, "answers that it has no TLS"));
        }
        talk = target.upgrade(link, trace).await?;
    }
    match &ask.account {
        None => greet(talk, trace).await,
        Some(account) => login::ask(talk, trace, account, ask.max_lag, &mut memory.fresh).await,
    }
}

/// The one letter that is the answer to a question for encryption.
async fn letter(link: &mut Link, question: &[u8]) -> Asked<u8> {
    link.send(question).await?;
    loop {
        match link.inbox().first() {
            None => more(link).await?,
            Some(letter @ (b'S' | b'N' | b'G')) => {
                let letter = *letter;
                link.take(1);
                return Ok(letter);
            }
            Some(_) => {
                let (failure, _) = hear(link).await?;
                return Err(refused(&failure));
            }
        }
    }
}

/// Says who would like to come in, and goes when asked for proof.
async fn greet(link: &mut Link, trace: &mut Trace) -> Asked<Answer> {
    trace.step("startup");
    link.send(&postgres::startup(NOBODY, login::DATABASE))
        .await?;
    match hear(link).await? {
        (_, Some(0)) => {
            link.send(&postgres::TERMINATE).await?;
            Ok(Answer::up_because("asks for no password"))
        }
        (_, Some(_)) => Ok(Answer::up()),
        (failure, None) => Ok(refused_nobody(&failure)),
    }
}

/// The next error, or the kind of login that is asked for.
async fn hear(link: &mut Link) -> Asked<(Failure, Option<u32>)> {
    loop {
        let heard = postgres::message(link.inbox()).map_err(|_| of_stranger(link.inbox()))?;
        let Some((message, taken)) = heard else {
            more(link).await?;
            continue;
        };
        link.take(taken);
        match message {
            Message::Authentication(kind) => return Ok((Failure::default(), Some(kind))),
            Message::Error(failure) => return Ok((failure, None)),
            Message::Other(_) => {}
        }
    }
}

async fn more(link: &mut Link) -> Asked<()> {
    match link.more().await? {
        true => Ok(()),
        false => Err(Answer::down(Reason::Closed, "closed without an answer")),
    }
}

/// A refusal of somebody who has no account here is the answer of a server that works.
fn refused_nobody(failure: &Failure) -> Answer {
    match failure.code.as_bytes() {
        [b'2', b'8', ..] => Answer::of(Verdict::Up, Reason::AccountNeeded, &told(failure)),
        b"3D000" | b"42501" => Answer::of(Verdict::Up, Reason::AccountNeeded, &told(failure)),
        _ => return refused(failure),
    }
    .logging_an_error()
}

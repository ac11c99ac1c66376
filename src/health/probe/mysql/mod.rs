//! MySQL and MariaDB: a handshake brought to its end, and by a login the role and how far the copy is behind.
//!
//! A handshake that somebody leaves counts against his address, and after `max_connect_errors` of them the server lets nobody in
//! from there: a bare connect every few seconds shuts out its own balancer. So even the shallowest question here logs in. Without
//! an account that is refused, which does not count, and is the answer of a server that works.

mod client;
mod refusal;
mod role;

use self::client::{Client, Entry};
use self::refusal::{refused, told};
use super::ProbeMemory;
use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::health::{Reason, Verdict};
use crate::plan::{DatabaseAccount, DatabaseAsk};

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &DatabaseAsk,
    memory: &mut ProbeMemory,
) -> Asked<Answer> {
    let mut client = Client::new(link.insert(target.open_plain(trace).await?));
    trace.step("greeting");
    let greeting = match client.greeting().await? {
        Ok(greeting) => greeting,
        Err(failure) => return Ok(refused(&failure)),
    };
    let account = ask.account.as_ref();
    if target.tls.is_some() {
        if !greeting.speaks_tls() {
            // Even now: nobody may leave a handshake.
            let _ = client.enter(&greeting, None, false).await;
            return Err(Answer::down(Reason::NotTls, "says that it has no TLS"));
        }
        let number = client.ask_tls(&greeting, account).await?;
        // What TLS breaks off is an unfinished handshake, too.
        let secure = target.upgrade(link, trace).await;
        client = Client::at(secure.map_err(Answer::logging_an_error)?, number);
    }
    trace.step("login");
    let entered = client
        .enter(&greeting, account, target.tls.is_some())
        .await?;
    if let Some(answer) = judge_entry(entered, account) {
        if client.is_in() {
            client.quit().await?;
        }
        return Ok(answer);
    }
    trace.step("role");
    let answer = role::ask(&mut client, &greeting, (ask.max_lag, &mut memory.fresh)).await;
    client.quit().await?;
    answer
}

/// What the login came to; `None`: in, with something to ask.
fn judge_entry(entry: Entry, account: Option<&DatabaseAccount>) -> Option<Answer> {
    let refused_account = |reason, text: &str| Answer::alive(reason, text).logging_an_error();
    Some(match (entry, account) {
        (Entry::In, Some(_)) => return None,
        (Entry::In, None) => Answer::up_because("asks for no password"),
        // Access denied, in general or to this database.
        (Entry::Refused(failure), None) if matches!(failure.code, 1045 | 1698) => {
            Answer::of(Verdict::Up, Reason::AccountNeeded, &told(&failure))
        }
        (Entry::Refused(failure), Some(_)) if matches!(failure.code, 1044 | 1045 | 1049 | 1698) => {
            refused_account(Reason::BadCredentials, &told(&failure))
        }
        (Entry::Refused(failure), _) => refused(&failure),
        (Entry::Unknown(_), None) => Answer::up(),
        (Entry::Unknown(method), Some(_)) => {
            let text = format!("wants to see the password by {method}");
            refused_account(Reason::UnsupportedMechanism, &text)
        }
        (Entry::WantsTls, _) => {
            let text =
                "wants the password itself, which is sent over TLS alone: add tls to the probe";
            refused_account(Reason::UnsupportedMechanism, text)
        }
    })
}

//! A script's steps over a connection: bytes out, answers in, and what they mean.

use super::link::{Link, Target};
use super::talk::{Heard, Talk, Turn};
use super::trace::{Answer, Asked, Trace};
use crate::plan::Script;

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    script: &Script,
) -> Asked<Answer> {
    let mut present = link.insert(match script.starts_tls() {
        true => target.open_plain(trace).await?,
        false => target.open(trace).await?,
    });
    let mut talk = Talk::new(script);
    loop {
        match talk.turn() {
            Turn::Send(bytes) => {
                trace.step(talk.name());
                if !bytes.is_empty() {
                    present.send(&bytes).await?;
                }
            }
            Turn::Hear => {
                if let Some(answer) = hear(&mut talk, trace, present).await? {
                    return Ok(answer);
                }
            }
            Turn::Secure => present = target.upgrade(link, trace).await?,
            Turn::Done(answer) => return Ok(answer),
        }
    }
}

/// The answer to one step; `None`: go on.
async fn hear(talk: &mut Talk<'_>, trace: &mut Trace, link: &mut Link) -> Asked<Option<Answer>> {
    loop {
        let (used, heard) = talk.feed(link.inbox());
        link.take(used);
        match heard {
            Heard::Verdict(answer) => return Ok(Some(answer)),
            Heard::Next => return Ok(None),
            Heard::More => trace.hears(talk.heard()),
        }
        if !link.more().await? {
            return Ok(Some(talk.end()));
        }
    }
}

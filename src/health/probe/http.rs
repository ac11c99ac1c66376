//! One request, and a judgement of its status and body.

use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::health::Reason;
use crate::plan::HttpAsk;
use crate::wire::http::{self, Incoming, Reader, Reply};

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &HttpAsk,
) -> Asked<Answer> {
    let reply = fetch(target, trace, link, ask, "http").await?;
    Ok(judge(&reply, ask))
}

/// Connects and asks, as step `step`; the connection is not used again.
pub(super) async fn fetch(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &HttpAsk,
    step: &'static str,
) -> Asked<Reply> {
    let link = link.insert(target.open(trace).await?);
    trace.step(step);
    let host = ask.host.clone().unwrap_or_else(|| target.authority());
    let headers = ["Accept: */*".to_owned(), "Connection: close".to_owned()];
    let request = http::request(&ask.method, &ask.path, &host, &headers, b"");
    link.send(&request).await?;
    receive(link, ask.method == "HEAD").await
}

/// The reply to what was sent. A reply to OPTIONS without a length (Impala's) counts as soon as its head is there.
pub(super) async fn receive(link: &mut Link, bodiless: bool) -> Asked<Reply> {
    let mut reader = Reader::new(bodiless);
    loop {
        let (used, incoming) = reader.feed(link.inbox());
        link.take(used);
        if incoming != Incoming::Incomplete {
            return judge_incoming(incoming);
        }
        if !link.more().await? {
            break;
        }
    }
    match reader.has_started() {
        true => judge_incoming(reader.end()),
        false => Err(Answer::down(Reason::Closed, "closed without an answer")),
    }
}

fn judge_incoming(incoming: Incoming) -> Asked<Reply> {
    match incoming {
        Incoming::Reply(reply) => Ok(reply),
        Incoming::NotHttp(start) => Err(stranger(&start)),
        Incoming::Malformed | Incoming::Incomplete => Err(Answer::down(
            Reason::NotHttp,
            "the reply breaks off, does not end or is malformed",
        )),
    }
}

/// Expected is up; everything else that shows a living server which will not serve this is alive.
pub(super) fn judge(reply: &Reply, ask: &HttpAsk) -> Answer {
    let status = format!("status {}", reply.status);
    if ask.expect_status.contains(&reply.status) {
        return judge_body(reply, ask);
    }
    match reply.status {
        300..=399 => {
            let to = reply.header("location").unwrap_or("nowhere");
            Answer::alive(Reason::HttpRedirect, &format!("{status}, sent to {to}"))
        }
        401 | 403 | 407 => Answer::alive(Reason::HttpStatus, &status),
        _ => Answer::down(Reason::HttpStatus, &status),
    }
}

/// A role page answers 200 in every role and tells it in its body.
fn judge_body(reply: &Reply, ask: &HttpAsk) -> Answer {
    let Some(expected) = &ask.expect_body else {
        return Answer::up();
    };
    let body = String::from_utf8_lossy(&reply.body);
    if body.contains(expected.as_str()) {
        return Answer::up();
    }
    let text = format!("the body lacks \"{expected}\": {body}");
    Answer::alive(Reason::HttpBody, &text)
}

fn stranger(bytes: &[u8]) -> Answer {
    match bytes {
        [0x15 | 0x16, 3, ..] => Answer::down(Reason::SpeaksTls, "a TLS record came back"),
        [0x15] => Answer::down(Reason::SpeaksTls, "a TLS alert came back"),
        _ => {
            let text = format!("the reply begins with {}", bytes.escape_ascii());
            Answer::down(Reason::NotHttp, &text)
        }
    }
}

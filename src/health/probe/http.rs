//! One request, and a judgement of its status and body.

use super::link::{Link, Target};
use super::negotiate;
use super::talk::{first_line, role};
use super::trace::{Answer, Asked, Trace};
use crate::base::pattern::Pattern;
use crate::health::Reason;
use crate::plan::{HttpAsk, JsonAsk, Meaning, Role, Says};
use crate::wire::http::{self, Incoming, Reader, Reply};
use crate::wire::json::{self, Found};

pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &HttpAsk,
) -> Asked<Answer> {
    let reply = fetch(target, trace, link, ask, "http").await?;
    Ok(judge(&reply, ask))
}

/// Connects and asks, as step `step`, and shows a ticket where the plan has Kerberos; the connection is not used again.
pub(super) async fn fetch(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &HttpAsk,
    step: &'static str,
) -> Asked<Reply> {
    let shown = negotiate::begin(target)?;
    let (header, begun) = shown.unzip();
    let reply = fetch_as(target, trace, link, ask, (step, header)).await?;
    negotiate::judged(target, ask, reply, begun)
}

/// The same with a line of the caller's, or as nobody.
pub(super) async fn fetch_as(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &HttpAsk,
    (step, header): (&'static str, Option<String>),
) -> Asked<Reply> {
    let link = link.insert(target.open(trace).await?);
    trace.step(step);
    let host = ask.host.clone().unwrap_or_else(|| target.authority());
    let mut headers = vec!["Accept: */*".to_owned(), "Connection: close".to_owned()];
    headers.extend(header);
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

/// Expected is up, if the body is; what the plan does not name is alive where it shows a living server that will not serve
/// this: one that sends elsewhere, or wants a login.
pub(super) fn judge(reply: &Reply, ask: &HttpAsk) -> Answer {
    let (status, text) = (reply.status, status(reply));
    if ask.expect_status.contains(&status) {
        // Whoever takes a login in the way for up knows no page that could be judged, unless the file says one.
        return match asks_for_login(status) && ask.expect_body.is_none() {
            true => Answer::up_because(&text),
            false => judge_content(reply, ask),
        };
    }
    let reason = match status {
        300..=399 => Reason::HttpRedirect,
        _ => Reason::HttpStatus,
    };
    let mut named = ask.statuses.iter();
    let named = named.find(|(named, _)| *named == status);
    let named = named.map(|(_, means)| *means);
    match named.or(ask.below_500.filter(|_| status < 500)) {
        Some(means) => answer(means, means.role, reason, &text),
        None if asks_for_login(status) || (300..=399).contains(&status) => {
            Answer::alive(reason, &text)
        }
        None => Answer::down(reason, &text),
    }
}

fn asks_for_login(status: u16) -> bool {
    matches!(status, 401 | 403 | 407)
}

/// The status, and where it sends or what login it wants.
pub(super) fn status(reply: &Reply) -> String {
    let text = format!("status {}", reply.status);
    match reply.status {
        300..=399 => {
            let to = reply.header("location");
            to.map_or_else(
                || format!("{text}, a redirect without a Location"),
                |to| format!("{text}, sent to {to}"),
            )
        }
        401 => match reply.header("www-authenticate") {
            Some(login) => format!("{text}, wants {login}"),
            None => text,
        },
        _ => text,
    }
}

/// Old ResourceManagers answer 200 as standby, with a header that sends browsers to the active one (YARN-2605). It means what
/// a 307 means.
fn judge_content(reply: &Reply, ask: &HttpAsk) -> Answer {
    if ask.below_500.is_none()
        && let Some(to) = reply.header("refresh")
        && to.to_ascii_lowercase().contains("url=")
    {
        let text = format!("status {}, sent on: {to}", reply.status);
        let redirect = ask.statuses.iter().find(|(named, _)| *named == 307);
        let means = redirect.map_or(Meaning::ALIVE, |(_, means)| *means);
        return answer(means, means.role, Reason::HttpRedirect, &text);
    }
    if let Some(expected) = &ask.expect_body {
        let body = String::from_utf8_lossy(&reply.body);
        if !body.contains(expected.as_str()) {
            let text = format!("the body lacks \"{expected}\": {body}");
            return Answer::alive(Reason::HttpBody, &text);
        }
    }
    match &ask.json {
        Some(json) => judge_json(&reply.body, json),
        None => judge_body(&reply.body, &ask.body),
    }
}

fn judge_body(body: &[u8], rules: &[(Pattern, Meaning)]) -> Answer {
    let matched = rules.iter().find(|(pattern, _)| pattern.is_match(body));
    let Some((pattern, means)) = matched else {
        return match rules.is_empty() {
            true => Answer::up(),
            false => Answer::down(Reason::HttpBody, &first_line(body)),
        };
    };
    let detail = pattern.group("detail", body).map(first_line);
    let role = role(*means, pattern, body);
    let detail = match means.says {
        Says::Up => detail.unwrap_or_default(),
        _ => detail.unwrap_or_else(|| first_line(body)),
    };
    answer(*means, role, Reason::HttpBody, &detail)
}

fn judge_json(body: &[u8], ask: &JsonAsk) -> Answer {
    let place = &ask.pointer;
    let value = match json::at(body, place) {
        Ok(Found::Scalar(value)) => value,
        Ok(other) => {
            let is = match other {
                Found::Object => "a table",
                Found::Array => "a list",
                _ => "nothing",
            };
            return Answer::down(Reason::HttpBody, &format!("{is} at {place}"));
        }
        Err(_) if body.len() >= http::BODY_MAX => {
            return Answer::down(Reason::NotJson, "longer than 1 MiB");
        }
        Err(error) => return Answer::down(Reason::NotJson, &error.to_string()),
    };
    let mut known = ask.values.iter();
    let text = format!("{place} is {value:?}");
    match known.find(|(known, _)| *known == value) {
        Some((_, means)) => answer(*means, means.role, Reason::HttpBody, &text),
        None => Answer::down(Reason::HttpBody, &text),
    }
}

/// `reason` and `detail` are of an answer that is not up.
fn answer(means: Meaning, role: Option<Role>, reason: Reason, detail: &str) -> Answer {
    let answer = match means.says {
        Says::Up => Answer::up_because(detail),
        Says::Alive => Answer::alive(reason, detail),
        Says::Down => Answer::down(reason, detail),
    };
    Answer { role, ..answer }
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

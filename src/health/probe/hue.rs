//! Hue's `is_alive`: an empty 200 that needs no login and no database.

use super::http;
use super::link::{Link, Target};
use super::trace::{Answer, Asked, Trace};
use crate::health::Reason;
use crate::plan::HttpAsk;

/// As HTTP, but a Hue whose own middleware answers is alive: a Host header that it does not allow (400), a login in the way,
/// a fault of its own (500). What only something in front of it says (502 to 504) is down.
pub(super) async fn exchange(
    target: &Target<'_>,
    trace: &mut Trace,
    link: &mut Option<Link>,
    ask: &HttpAsk,
) -> Asked<Answer> {
    let reply = http::fetch(target, trace, link, ask, "is-alive").await?;
    let expected = ask.expect_status.contains(&reply.status);
    if !expected && matches!(reply.status, 400 | 500) {
        let text = format!("status {}", reply.status);
        return Ok(Answer::alive(Reason::HttpStatus, &text));
    }
    Ok(http::judge(&reply, ask))
}

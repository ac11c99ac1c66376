//! `GET /api/v1/stream`: server-sent events, for pages and programs that follow what runs.

use std::sync::Arc;

use hyper::HeaderMap;
use tokio::sync::mpsc;

use crate::admin::answer::{Answer, Fault, stream};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given};
use crate::admin::live::{Feed, Place};
use crate::admin::query::{Kind, Parameter};

pub(in crate::admin) const ENDPOINT: Endpoint = Endpoint {
    summary: "Follow what runs, as server-sent events",
    description: "First everything: `head` (the status without listeners and pools), a `listener` for each listener, a `pool` for each pool. \
                  Then what changes, at most once a second, `gone` for what is there no more, and each new `event` at once, with its number as id. \
                  A reader that comes again with `Last-Event-ID` gets the events that it missed, and `lost` with their count where they are kept \
                  no more. A comment each ten seconds shows that the connection lives.",
    query: &[
        Parameter {
            name: "only",
            kind: Kind::Word(&[EVENTS]),
            is_required: false,
            about: "Events alone, without what runs",
            example: EVENTS,
        },
        Parameter {
            name: "after",
            kind: Kind::Count(0, u64::MAX),
            is_required: false,
            about: "Events from this number on, for a reader that sends no `Last-Event-ID`",
            example: "0",
        },
    ],
    answer: Given::Text(EVENT_STREAM),
    ..Endpoint::get("/api/v1/stream", |call| Box::pin(serve(call)))
};

async fn serve(call: Call) -> Result<Answer, Fault> {
    let context = &call.handler.context;
    let journal = context.metrics.journal();
    let place = match last_event_id(&call.headers).or_else(|| call.query.count("after")) {
        Some(after) => Place::After(after),
        None => Place::Now,
    };
    let states = match call.query.text("only") {
        Some(_) => None,
        None => Some(call.handler.live.look(context)),
    };
    let (pieces, body) = mpsc::channel(PIECES);
    let (view, own) = (Arc::clone(&context.view), call.view.admin.clone());
    // A reload may take away what this reader came in by.
    let may_look = move || {
        let now = &view.load().admin;
        (&now.token, &now.reader_token) == (&own.token, &own.reader_token)
    };
    tokio::spawn(Feed::new(states, journal, place, may_look).run(pieces));
    Ok(stream(EVENT_STREAM, body))
}

/// A number that we gave; what is none is passed over, as browsers send what they have.
fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers
        .get("last-event-id")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

const EVENT_STREAM: &str = "text/event-stream";
const EVENTS: &str = "events";
/// Messages that may wait for a reader that is slow.
const PIECES: usize = 16;

//! `/api/v1/sessions`: who is there, who ended last, and the end of one.

use crate::admin::answer::{Answer, Fault, JSON, json, lines, with};
use crate::admin::call::Call;
use crate::admin::endpoint::{Endpoint, Given, Verb, schema};
use crate::admin::query::{Kind, Parameter, Query};
use crate::admin::sessions::{EndedList, EndedSession, Session, SessionList, read, written};
use crate::listener::sessions::Busy;
use crate::plan::{Address, Host};
use crate::session::Reason;
use crate::session::listing::{self, Filter, ServerFilter};
use crate::telemetry::journal::{self, Event};

pub(in crate::admin) const LIST: Endpoint = Endpoint {
    summary: "The sessions that are open now",
    description: "Copied by their workers a slice at a time while they go on: a session that begins or ends meanwhile \
                  may be there or not.",
    query: &[
        LISTENER,
        POOL,
        SERVER,
        CLIENT,
        IDLE,
        Parameter {
            name: "limit",
            kind: Kind::Count(1, MOST as u64),
            is_required: false,
            about: "So many at most, those that began first; 10000 unless said. `total` counts all.",
            example: "100",
        },
    ],
    answer: Given::Json(schema::<SessionList>),
    faults: &[503],
    ..Endpoint::get("/api/v1/sessions", |call| Box::pin(list(call)))
};

pub(in crate::admin) const ENDED: Endpoint = Endpoint {
    summary: "The last thousand sessions that ended",
    description: "With the reason, as the session log has it; those that match, the newest first.",
    query: &[
        LISTENER,
        POOL,
        SERVER,
        CLIENT,
        Parameter {
            about: "Those that lasted so long.",
            ..IDLE
        },
    ],
    answer: Given::Json(schema::<EndedList>),
    faults: &[503],
    ..Endpoint::get("/api/v1/sessions/ended", |call| Box::pin(ended(call)))
};

pub(in crate::admin) const END: Endpoint = Endpoint {
    summary: "End one session",
    description: "With the reason `ended-by-order`: in order when it was silent, else both sides see a reset, so that a \
                  cut answer never looks whole. Answers with the session as it was.",
    answer: Given::Json(schema::<Session>),
    faults: &[404, 503],
    ..Endpoint::order(
        Verb::Delete,
        "/api/v1/sessions/{session}",
        "end-session",
        |call| Box::pin(end(call)),
    )
};

const fn parameter(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    example: &'static str,
) -> Parameter {
    Parameter {
        name,
        kind,
        is_required: false,
        about,
        example,
    }
}

const LISTENER: Parameter = parameter("listener", Kind::Text, "Of this listener.", "hive");
const POOL: Parameter = parameter("pool", Kind::Text, "For this pool.", "hive");
const SERVER: Parameter = parameter(
    "server",
    Kind::Text,
    "On this server: its name or its `host:port`.",
    "hs2-1.example.com:10000",
);
const CLIENT: Parameter = parameter(
    "client",
    Kind::Network,
    "Of clients of this network, or of one address.",
    "10.0.0.0/8",
);
const IDLE: Parameter = parameter("idle", Kind::Span, "Without a byte for so long.", "1h");

async fn list(call: Call) -> Result<Answer, Fault> {
    let most = call.query.count("limit");
    let query = listing::Query {
        filter: filter(&call.query),
        most: most
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(USUAL),
    };
    let found = call.handler.context.sessions.list(query).await?;
    // Thousands take some milliseconds to write, in which the admin server answers others.
    let print = tokio::task::spawn_blocking(move || lines(&written(found)));
    Ok(with(JSON, print.await.map_err(Fault::of)?))
}

async fn ended(call: Call) -> Result<Answer, Fault> {
    let filter = filter(&call.query);
    let ended = call.handler.context.sessions.ended(&filter).await?;
    Ok(json(&EndedList {
        sessions: ended.into_iter().map(EndedSession::of).collect(),
    }))
}

async fn end(call: Call) -> Result<Answer, Fault> {
    let id = call.names.get("session");
    let unknown = || {
        Fault::Unknown(format!(
            "there is no session {id:?}: `howdah sessions` lists those that are there"
        ))
    };
    let number = read(id).ok_or_else(unknown)?;
    let ended = call.handler.context.sessions.end(number).await?;
    let session = Session::of(ended.ok_or_else(unknown)?);
    tell(&call, &session);
    Ok(json(&session))
}

/// For the journal.
fn tell(call: &Call, session: &Session) {
    let (id, client) = (&session.id, &session.client);
    let event = Event::info(
        journal::Kind::SessionEnded,
        format!("session {id} of {client} was ended"),
    );
    let mut event = event
        .by(&call.by)
        .reason(Reason::EndedByOrder)
        .listener(&session.listener);
    (event.pool, event.server) = (session.pool.clone(), session.server.clone());
    call.handler.context.metrics.journal().tell(event);
}

fn filter(query: &Query) -> Filter {
    Filter {
        id: None,
        listener: query.text("listener").map(Into::into),
        pool: query.text("pool").map(Into::into),
        server: query.text("server").map(server),
        client: query.network("client"),
        idle: query.span("idle"),
    }
}

fn server(named: &str) -> ServerFilter {
    let address = named.rsplit_once(':').and_then(|(host, port)| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Address {
            host: Host::read(host).ok()?,
            port: port.parse().ok()?,
        })
    });
    ServerFilter {
        name: named.into(),
        address,
    }
}

impl From<Busy> for Fault {
    fn from(busy: Busy) -> Self {
        Self::Later(busy.to_string(), Vec::new())
    }
}

/// Without `limit`.
const USUAL: usize = 10_000;
const MOST: usize = 100_000;

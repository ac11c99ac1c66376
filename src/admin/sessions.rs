//! Sessions as `GET /api/v1/sessions` shows them and `howdah sessions` reads them: field by field part of the face that
//! users see.

use std::cell::Cell;

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::status::seconds;
use crate::base::time::rfc3339;
use crate::plan::TlsVersion;
use crate::pool::Pick;
use crate::session::ended;
use crate::session::listing::Row;
use crate::session::listings::Listings;

/// Who is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionList {
    /// Sessions that match, also beyond `limit`.
    pub total: u64,
    /// Those that began first, in that order.
    pub sessions: Vec<Session>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// 16 hexadecimal digits, as in the session log.
    pub id: String,
    /// Who took it.
    pub listener: String,
    /// tcp or udp.
    pub protocol: String,
    /// Address and port.
    pub client: String,
    /// Null until it is known.
    pub pool: Option<String>,
    /// The server that carries it, or is tried; null before.
    pub server: Option<String>,
    /// How far it has come: admit, greet, choose, dial, announce or relay.
    pub stage: String,
    /// What decided for that server.
    pub pick: Option<String>,
    /// The name in the client's TLS hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// The version of TLS that howdah ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Since it was accepted.
    pub age_seconds: f64,
    /// Since its last byte, either way.
    pub idle_seconds: f64,
    /// Relayed to the server.
    pub bytes_from_client: u64,
    /// Relayed to the client.
    pub bytes_from_server: u64,
}

/// Who was there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndedList {
    /// The newest first.
    pub sessions: Vec<EndedSession>,
}

/// One session that is over: what its line in the log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndedSession {
    /// RFC 3339, UTC.
    pub ended_at: String,
    /// 16 hexadecimal digits.
    pub session: String,
    /// Who took it.
    pub listener: String,
    /// Address and port.
    pub client: String,
    /// Where it went.
    pub pool: Option<String>,
    /// The server that carried it, or was tried last.
    pub server: Option<String>,
    /// The name in the client's TLS hello.
    pub sni: Option<String>,
    /// The version of TLS that howdah ended.
    pub tls: Option<String>,
    /// Relayed to the server.
    pub bytes_from_client: u64,
    /// Relayed to the client.
    pub bytes_from_server: u64,
    /// From accept to the end.
    pub duration_seconds: f64,
    /// To connect to the server that took it.
    pub connect_seconds: Option<f64>,
    /// From the client's first byte to the server's.
    pub first_byte_seconds: Option<f64>,
    /// Servers tried.
    pub attempts: u32,
    /// What decided for that server.
    pub pick: Option<String>,
    /// Where it ended.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// tcp or udp.
    pub protocol: String,
}

/// Is written as a [`SessionList`], once: of thousands of sessions, one is there at a time.
pub(super) fn written(all: Listings) -> impl Serialize {
    Written(all.total(), Cell::new(Some(all.into_rows())))
}

struct Written<I>(u64, Cell<Option<I>>);

impl<I: Iterator<Item = Row>> Serialize for Written<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("SessionList", 2)?;
        list.serialize_field("total", &self.0)?;
        list.serialize_field("sessions", &Rows(&self.1))?;
        list.end()
    }
}

struct Rows<'a, I>(&'a Cell<Option<I>>);

impl<I: Iterator<Item = Row>> Serialize for Rows<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten().map(Session::of))
    }
}

impl Session {
    pub(super) fn of(row: Row) -> Self {
        Self {
            id: shown(row.id),
            listener: row.listener.to_string(),
            protocol: row.protocol.as_str().into(),
            client: row.client.to_string(),
            pool: row.pool.map(|pool| pool.to_string()),
            server: row.server.map(|server| server.to_string()),
            stage: row.stage.as_str().into(),
            pick: row.pick.map(Pick::as_str).map(Into::into),
            sni: row.sni.map(Into::into),
            tls: row.tls.map(TlsVersion::as_str).map(Into::into),
            age_seconds: seconds(row.age),
            idle_seconds: seconds(row.idle),
            bytes_from_client: row.from_client,
            bytes_from_server: row.from_server,
        }
    }
}

impl EndedSession {
    pub(super) fn of(ended: ended::Ended) -> Self {
        Self {
            ended_at: rfc3339(ended.at).to_string(),
            session: shown(ended.id),
            listener: ended.listener.to_string(),
            client: ended.client.to_string(),
            pool: ended.pool.map(|pool| pool.to_string()),
            server: ended.server.map(|server| server.to_string()),
            sni: ended.sni.map(Into::into),
            tls: ended.tls.map(TlsVersion::as_str).map(Into::into),
            bytes_from_client: ended.from_client,
            bytes_from_server: ended.from_server,
            duration_seconds: seconds(ended.duration),
            connect_seconds: ended.connect.map(seconds),
            first_byte_seconds: ended.first_byte.map(seconds),
            attempts: ended.attempts,
            pick: ended.pick.map(Pick::as_str).map(Into::into),
            stage: ended.stage.as_str().into(),
            reason: ended.reason.as_str().into(),
            protocol: ended.protocol.as_str().into(),
        }
    }
}

/// As the log writes a session's number.
fn shown(id: u64) -> String {
    format!("{id:016x}")
}

/// What [`shown`] shows; `None` for whatever else.
pub(super) fn read(id: &str) -> Option<u64> {
    let digits = id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(id, 16).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::listing::Listing;

    #[test]
    fn what_is_written_is_a_list_of_sessions() {
        let all = || Listings::of(vec![Listing::one(Row::sample(7))], 10);
        let text = serde_json::to_string(&written(all())).unwrap();
        let sessions: Vec<Session> = all().into_rows().map(Session::of).collect();
        let list = SessionList { total: 1, sessions };
        assert_eq!(text, serde_json::to_string(&list).unwrap());
    }
}

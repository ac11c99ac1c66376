//! HiveServer2's Thrift service: the calls of a short session, for the one who asks and the one who answers.
//!
//! A probe encodes a [`Request`] and decodes a [`Reply`]; a stand-in server does the reverse. Only what a session with one
//! query needs is here (apache/hive `service-rpc/if/TCLIService.thrift`); any other method is
//! [`Request::Other`]. Messages come without a frame: SASL and HTTP add theirs around them.

mod reply;
mod request;
mod rows;

pub use self::reply::{Failure, InfoValue, Outcome, Reply};
pub use self::request::{Call, Request};
pub use self::rows::{Column, RowSet, Schema};

use super::thrift::{Reader, ThriftError, Type, Writer};

/// TProtocolVersion V6, the first with columns instead of rows: every HiveServer2 in use and Impala know it.
pub const PROTOCOL_V6: i32 = 5;

/// TProtocolVersion V11, the newest here.
pub const PROTOCOL_V11: i32 = 10;

/// TGetInfoType: the name of the product behind the service.
pub const INFO_DBMS_NAME: i32 = 17;

/// TOperationState.
pub mod state {
    #![allow(missing_docs)]
    pub const INITIALIZED: i32 = 0;
    pub const RUNNING: i32 = 1;
    pub const FINISHED: i32 = 2;
    pub const CANCELED: i32 = 3;
    pub const CLOSED: i32 = 4;
    pub const ERROR: i32 = 5;
    pub const UNKNOWN: i32 = 6;
    pub const PENDING: i32 = 7;
    pub const TIMED_OUT: i32 = 8;
}

/// TStatusCode.
pub mod code {
    #![allow(missing_docs)]
    pub const SUCCESS: i32 = 0;
    pub const SUCCESS_WITH_INFO: i32 = 1;
    pub const STILL_EXECUTING: i32 = 2;
    pub const ERROR: i32 = 3;
    pub const INVALID_HANDLE: i32 = 4;
}

/// TStatus: how a call went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// One of [`code`].
    pub code: i32,
    /// Five characters, when it failed.
    pub sql_state: Option<String>,
    /// The server's own number.
    pub error_code: Option<i32>,
    /// For people.
    pub message: Option<String>,
}

/// THandleIdentifier: names a session or an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Public part.
    pub guid: [u8; 16],
    /// What proves that the caller was told it.
    pub secret: [u8; 16],
}

/// TOperationHandle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which.
    pub id: Handle,
    /// TOperationType: 0 for a statement.
    pub kind: i32,
    /// There are rows to fetch.
    pub has_rows: bool,
}

impl Status {
    /// It went well.
    pub fn success() -> Self {
        Self::default()
    }

    /// It did not.
    pub fn error(message: &str) -> Self {
        Self {
            code: code::ERROR,
            sql_state: Some("HY000".to_owned()),
            error_code: Some(0),
            message: Some(message.to_owned()),
        }
    }

    /// SUCCESS or SUCCESS_WITH_INFO.
    pub fn is_success(&self) -> bool {
        matches!(self.code, code::SUCCESS | code::SUCCESS_WITH_INFO)
    }

    fn encode(&self, id: i16, writer: &mut Writer) {
        writer.structure(id, |w| {
            w.i32_field(1, self.code);
            if let Some(sql_state) = &self.sql_state {
                w.text_field(3, sql_state);
            }
            if let Some(error_code) = self.error_code {
                w.i32_field(4, error_code);
            }
            if let Some(message) = &self.message {
                w.text_field(5, message);
            }
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let mut code = None;
        let mut status = Self::default();
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::I32) => code = Some(reader.i32()?),
                (3, Type::Binary) => status.sql_state = Some(reader.text()?.into_owned()),
                (4, Type::I32) => status.error_code = Some(reader.i32()?),
                (5, Type::Binary) => status.message = Some(reader.text()?.into_owned()),
                (_, kind) => reader.skip(kind)?,
            }
        }
        status.code = code.ok_or(ThriftError::Missing("statusCode"))?;
        Ok(status)
    }
}

impl Handle {
    /// As the one field of TSessionHandle.
    fn encode_session(&self, id: i16, writer: &mut Writer) {
        writer.structure(id, |w| self.encode(1, w));
    }

    fn encode(&self, id: i16, writer: &mut Writer) {
        writer.structure(id, |w| {
            w.binary_field(1, &self.guid);
            w.binary_field(2, &self.secret);
        });
    }

    fn decode_session(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let mut handle = None;
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::Struct) => handle = Some(Self::decode(reader)?),
                (_, kind) => reader.skip(kind)?,
            }
        }
        handle.ok_or(ThriftError::Missing("sessionId"))
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let (mut guid, mut secret) = (None, None);
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::Binary) => guid = reader.binary()?.try_into().ok(),
                (2, Type::Binary) => secret = reader.binary()?.try_into().ok(),
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(Self {
            guid: guid.ok_or(ThriftError::Missing("guid of 16 bytes"))?,
            secret: secret.ok_or(ThriftError::Missing("secret of 16 bytes"))?,
        })
    }
}

impl Operation {
    fn encode(&self, id: i16, writer: &mut Writer) {
        writer.structure(id, |w| {
            self.id.encode(1, w);
            w.i32_field(2, self.kind);
            w.bool_field(3, self.has_rows);
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let (mut id, mut kind, mut has_rows) = (None, 0, false);
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::Struct) => id = Some(Handle::decode(reader)?),
                (2, Type::I32) => kind = reader.i32()?,
                (3, Type::Bool) => has_rows = reader.bool()?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(Self {
            id: id.ok_or(ThriftError::Missing("operationId"))?,
            kind,
            has_rows,
        })
    }
}

#[cfg(test)]
mod tests;

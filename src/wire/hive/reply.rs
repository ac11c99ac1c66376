//! What a server answers.

use super::super::thrift::{Envelope, Field, Kind, Reader, ThriftError, Type, Writer};
use super::request::text_map;
use super::{Handle, Operation, RowSet, Schema, Status};

/// A reply with its envelope, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The method ran: look at its status.
    Reply(Box<Reply>),
    /// It did not.
    Failure(Failure),
}

/// TApplicationException: the server lives and speaks Thrift, but will not run this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// 1 unknown method, 6 internal error, 7 protocol error.
    pub kind: i32,
    /// For people.
    pub message: String,
}

/// The union of what the replies hold: one status, and what the method gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// How it went.
    pub status: Status,
    /// OpenSession: the lower of both sides' protocols.
    pub protocol: Option<i32>,
    /// OpenSession.
    pub session: Option<Handle>,
    /// OpenSession.
    pub configuration: Vec<(String, String)>,
    /// GetInfo.
    pub info: Option<InfoValue>,
    /// ExecuteStatement and the metadata calls.
    pub operation: Option<Operation>,
    /// GetOperationStatus: one of [`super::state`].
    pub state: Option<i32>,
    /// GetOperationStatus: why it failed.
    pub error: Option<String>,
    /// GetOperationStatus (protocol V9 on).
    pub has_rows: Option<bool>,
    /// GetResultSetMetadata; only encoded.
    pub schema: Option<Schema>,
    /// FetchResults.
    pub has_more: Option<bool>,
    /// FetchResults; by column from protocol V6 on, which is what is decoded.
    pub rows: Option<RowSet>,
}

/// TGetInfoValue, the two forms in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfoValue {
    /// Most.
    Text(String),
    /// The lengths.
    Length(i64),
}

impl Reply {
    /// Nothing but a status.
    pub fn of(status: Status) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The whole message. `method` decides which fields are written, `protocol` (of the session) how rows are.
    pub fn encode(&self, method: &str, sequence: i32, protocol: i32) -> Vec<u8> {
        let mut writer = Writer::message(Kind::Reply, method, sequence);
        writer.structure(0, |w| {
            self.status.encode(1, w);
            self.encode_result(method, protocol, w);
        });
        writer.stop();
        writer.finish()
    }

    fn encode_result(&self, method: &str, protocol: i32, w: &mut Writer) {
        match method {
            "OpenSession" => self.encode_session(w),
            "GetInfo" => self.encode_info(w),
            "GetOperationStatus" => self.encode_state(w),
            "GetResultSetMetadata" => {
                if let Some(schema) = &self.schema {
                    schema.encode(2, w);
                }
            }
            "FetchResults" => {
                if let Some(has_more) = self.has_more {
                    w.bool_field(2, has_more);
                }
                if let Some(rows) = &self.rows {
                    rows.encode(3, protocol, w);
                }
            }
            _ => {
                if let Some(operation) = &self.operation {
                    operation.encode(2, w);
                }
            }
        }
    }

    fn encode_session(&self, w: &mut Writer) {
        w.i32_field(2, self.protocol.unwrap_or(super::PROTOCOL_V6));
        if let Some(session) = &self.session {
            session.encode_session(3, w);
        }
        w.text_map(4, &self.configuration);
    }

    /// The union is required, also where the call failed.
    fn encode_info(&self, w: &mut Writer) {
        w.structure(2, |w| match &self.info {
            Some(InfoValue::Text(text)) => w.text_field(1, text),
            Some(InfoValue::Length(length)) => w.i64_field(6, *length),
            None => w.text_field(1, ""),
        });
    }

    fn encode_state(&self, w: &mut Writer) {
        if let Some(state) = self.state {
            w.i32_field(2, state);
        }
        if let Some(error) = &self.error {
            w.text_field(5, error);
        }
        if let Some(has_rows) = self.has_rows {
            w.bool_field(9, has_rows);
        }
    }

    fn decode_field(
        &mut self,
        method: &str,
        field: Field,
        reader: &mut Reader<'_>,
    ) -> Result<(), ThriftError> {
        match (method, field.id, field.kind) {
            (_, 1, Type::Struct) => self.status = Status::decode(reader)?,
            ("OpenSession", 2, Type::I32) => self.protocol = Some(reader.i32()?),
            ("OpenSession", 3, Type::Struct) => {
                self.session = Some(Handle::decode_session(reader)?);
            }
            ("OpenSession", 4, Type::Map) => self.configuration = text_map(reader)?,
            ("GetInfo", 2, Type::Struct) => self.info = decode_info(reader)?,
            ("ExecuteStatement", 2, Type::Struct) => {
                self.operation = Some(Operation::decode(reader)?);
            }
            ("GetOperationStatus", 2, Type::I32) => self.state = Some(reader.i32()?),
            ("GetOperationStatus", 5, Type::Binary) => {
                self.error = Some(reader.text()?.into_owned());
            }
            ("GetOperationStatus", 9, Type::Bool) => self.has_rows = Some(reader.bool()?),
            ("FetchResults", 2, Type::Bool) => self.has_more = Some(reader.bool()?),
            ("FetchResults", 3, Type::Struct) => self.rows = Some(RowSet::decode(reader)?),
            (_, _, kind) => reader.skip(kind)?,
        }
        Ok(())
    }
}

impl Failure {
    /// What Thrift's own servers say of a method that they do not have.
    pub fn unknown_method(name: &str) -> Self {
        Self {
            kind: 1,
            message: format!("Invalid method name: '{name}'"),
        }
    }

    /// The whole message.
    pub fn encode(&self, method: &str, sequence: i32) -> Vec<u8> {
        let mut writer = Writer::message(Kind::Exception, method, sequence);
        writer.text_field(1, &self.message);
        writer.i32_field(2, self.kind);
        writer.stop();
        writer.finish()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let (mut kind, mut message) = (0, String::new());
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::Binary) => message = reader.text()?.into_owned(),
                (2, Type::I32) => kind = reader.i32()?,
                (_, other) => reader.skip(other)?,
            }
        }
        Ok(Self { kind, message })
    }
}

impl Outcome {
    /// One whole message, as a client reads it.
    ///
    /// # Errors
    /// When it is no answer in Thrift, or lacks what its method must tell.
    pub fn decode(bytes: &[u8]) -> Result<Self, ThriftError> {
        let mut reader = Reader::new(bytes);
        let envelope = reader.envelope()?;
        match envelope.kind {
            Kind::Exception => Failure::decode(&mut reader).map(Self::Failure),
            Kind::Reply => {
                decode_reply(&envelope, &mut reader).map(|reply| Self::Reply(Box::new(reply)))
            }
            Kind::Call | Kind::OneWay => Err(ThriftError::Missing("a reply")),
        }
    }
}

/// The result struct has one field, 0, with the reply in it.
fn decode_reply(envelope: &Envelope<'_>, reader: &mut Reader<'_>) -> Result<Reply, ThriftError> {
    let mut reply = None;
    while let Some(field) = reader.field()? {
        match (field.id, field.kind) {
            (0, Type::Struct) => {
                let reply = reply.get_or_insert_with(Reply::default);
                while let Some(field) = reader.field()? {
                    reply.decode_field(&envelope.name, field, reader)?;
                }
            }
            (_, kind) => reader.skip(kind)?,
        }
    }
    reply.ok_or(ThriftError::Missing("the result"))
}

fn decode_info(reader: &mut Reader<'_>) -> Result<Option<InfoValue>, ThriftError> {
    let mut value = None;
    while let Some(field) = reader.field()? {
        match (field.id, field.kind) {
            (1, Type::Binary) => value = Some(InfoValue::Text(reader.text()?.into_owned())),
            (6, Type::I64) => value = Some(InfoValue::Length(reader.i64()?)),
            (_, kind) => reader.skip(kind)?,
        }
    }
    Ok(value)
}

//! What a client asks.

use super::super::thrift::{Kind, Reader, ThriftError, Type, Writer};
use super::{Handle, Operation};

/// A request with its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The answer carries it too.
    pub sequence: i32,
    /// What is asked.
    pub request: Request,
}

/// The calls that a short session is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begin a session.
    OpenSession {
        /// TProtocolVersion, zero-based.
        protocol: i32,
        /// With SASL the login's name rules.
        user: Option<String>,
        /// The same.
        password: Option<String>,
        /// `use:database`, `set:hiveconf:...`.
        configuration: Vec<(String, String)>,
    },
    /// End it.
    CloseSession(Handle),
    /// Ask for a property such as [`super::INFO_DBMS_NAME`].
    GetInfo {
        /// In which session.
        session: Handle,
        /// TGetInfoType.
        what: i32,
    },
    /// Run SQL.
    ExecuteStatement {
        /// In which session.
        session: Handle,
        /// The SQL.
        statement: String,
        /// Answer before it is done.
        run_async: bool,
    },
    /// How far is it?
    GetOperationStatus(Operation),
    /// Which columns has it?
    GetResultSetMetadata(Operation),
    /// Give rows, or lines of its log.
    FetchResults {
        /// Of which operation.
        operation: Operation,
        /// TFetchOrientation: 0 next, 4 first.
        orientation: i32,
        /// At most so many.
        max_rows: i64,
        /// 0 rows, 1 log.
        fetch: i16,
    },
    /// Forget it.
    CloseOperation(Operation),
    /// Stop it.
    CancelOperation(Operation),
    /// Any other method.
    Other {
        /// Its name.
        name: String,
        /// In which session, where the request names one first, as the metadata calls do.
        session: Option<Handle>,
    },
}

impl Request {
    /// The method's name.
    pub fn name(&self) -> &str {
        match self {
            Self::OpenSession { .. } => "OpenSession",
            Self::CloseSession(_) => "CloseSession",
            Self::GetInfo { .. } => "GetInfo",
            Self::ExecuteStatement { .. } => "ExecuteStatement",
            Self::GetOperationStatus(_) => "GetOperationStatus",
            Self::GetResultSetMetadata(_) => "GetResultSetMetadata",
            Self::FetchResults { .. } => "FetchResults",
            Self::CloseOperation(_) => "CloseOperation",
            Self::CancelOperation(_) => "CancelOperation",
            Self::Other { name, .. } => name,
        }
    }

    /// The whole message.
    pub fn encode(&self, sequence: i32) -> Vec<u8> {
        let mut writer = Writer::message(Kind::Call, self.name(), sequence);
        match self {
            Self::Other { session: None, .. } => {}
            _ => writer.structure(1, |w| self.encode_argument(w)),
        }
        writer.stop();
        writer.finish()
    }

    fn encode_argument(&self, w: &mut Writer) {
        match self {
            Self::OpenSession {
                protocol,
                user,
                password,
                configuration,
            } => {
                w.i32_field(1, *protocol);
                for (id, text) in [(2, user), (3, password)] {
                    if let Some(text) = text {
                        w.text_field(id, text);
                    }
                }
                if !configuration.is_empty() {
                    w.text_map(4, configuration);
                }
            }
            Self::CloseSession(session) => session.encode_session(1, w),
            Self::GetInfo { session, what } => {
                session.encode_session(1, w);
                w.i32_field(2, *what);
            }
            Self::ExecuteStatement {
                session,
                statement,
                run_async,
            } => {
                session.encode_session(1, w);
                w.text_field(2, statement);
                w.bool_field(4, *run_async);
                w.i64_field(5, 0);
            }
            Self::GetOperationStatus(operation)
            | Self::GetResultSetMetadata(operation)
            | Self::CloseOperation(operation)
            | Self::CancelOperation(operation) => operation.encode(1, w),
            Self::FetchResults {
                operation,
                orientation,
                max_rows,
                fetch,
            } => {
                operation.encode(1, w);
                w.i32_field(2, *orientation);
                w.i64_field(3, *max_rows);
                w.i16_field(4, *fetch);
            }
            Self::Other { session, .. } => {
                if let Some(session) = session {
                    session.encode_session(1, w);
                }
            }
        }
    }
}

impl Call {
    /// One whole message, as a server's side reads it.
    ///
    /// # Errors
    /// When it is no Thrift call, or lacks what its method needs.
    pub fn decode(bytes: &[u8]) -> Result<Self, ThriftError> {
        let mut reader = Reader::new(bytes);
        let envelope = reader.envelope()?;
        let argument = Argument::decode(&mut reader)?;
        let request = argument.into_request(&envelope.name)?;
        Ok(Self {
            sequence: envelope.sequence,
            request,
        })
    }
}

/// The fields of every request here, by number and type: the methods differ only in which of them they read.
#[derive(Default)]
struct Argument {
    session: Option<Handle>,
    operation: Option<Operation>,
    int_1: Option<i32>,
    int_2: Option<i32>,
    text_2: Option<String>,
    text_3: Option<String>,
    long_3: Option<i64>,
    short_4: Option<i16>,
    flag_4: Option<bool>,
    map_4: Vec<(String, String)>,
}

impl Argument {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, ThriftError> {
        let mut argument = Self::default();
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::Struct) => argument.read(reader)?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(argument)
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), ThriftError> {
        while let Some(field) = reader.field()? {
            match (field.id, field.kind) {
                (1, Type::Struct) => self.read_handle(reader)?,
                (1, Type::I32) => self.int_1 = Some(reader.i32()?),
                (2, Type::I32) => self.int_2 = Some(reader.i32()?),
                (2, Type::Binary) => self.text_2 = Some(reader.text()?.into_owned()),
                (3, Type::Binary) => self.text_3 = Some(reader.text()?.into_owned()),
                (3, Type::I64) => self.long_3 = Some(reader.i64()?),
                (4, Type::I16) => self.short_4 = Some(reader.i16()?),
                (4, Type::Bool) => self.flag_4 = Some(reader.bool()?),
                (4, Type::Map) => self.map_4 = text_map(reader)?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(())
    }

    /// Sessions and operations are told apart by trying: an operation is a session with more fields.
    fn read_handle(&mut self, reader: &mut Reader<'_>) -> Result<(), ThriftError> {
        let mut ahead = reader.clone();
        self.session = Handle::decode_session(&mut ahead).ok();
        self.operation = Operation::decode(&mut reader.clone()).ok();
        reader.skip(Type::Struct)
    }

    fn into_request(self, name: &str) -> Result<Request, ThriftError> {
        let session = self.session.ok_or(ThriftError::Missing("sessionHandle"));
        let operation = self
            .operation
            .ok_or(ThriftError::Missing("operationHandle"));
        Ok(match name {
            "OpenSession" => Request::OpenSession {
                protocol: self.int_1.unwrap_or(0),
                user: self.text_2,
                password: self.text_3,
                configuration: self.map_4,
            },
            "CloseSession" => Request::CloseSession(session?),
            "GetInfo" => Request::GetInfo {
                session: session?,
                what: self.int_2.ok_or(ThriftError::Missing("infoType"))?,
            },
            "ExecuteStatement" => Request::ExecuteStatement {
                session: session?,
                statement: self.text_2.ok_or(ThriftError::Missing("statement"))?,
                run_async: self.flag_4.unwrap_or(false),
            },
            "GetOperationStatus" => Request::GetOperationStatus(operation?),
            "GetResultSetMetadata" => Request::GetResultSetMetadata(operation?),
            "FetchResults" => Request::FetchResults {
                operation: operation?,
                orientation: self.int_2.unwrap_or(0),
                max_rows: self.long_3.unwrap_or(1000),
                fetch: self.short_4.unwrap_or(0),
            },
            "CloseOperation" => Request::CloseOperation(operation?),
            "CancelOperation" => Request::CancelOperation(operation?),
            other => Request::Other {
                name: other.to_owned(),
                session: session.ok(),
            },
        })
    }
}

pub(super) fn text_map(reader: &mut Reader<'_>) -> Result<Vec<(String, String)>, ThriftError> {
    let (key, value, count) = reader.map()?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        if (key, value) == (Type::Binary, Type::Binary) {
            pairs.push((reader.text()?.into_owned(), reader.text()?.into_owned()));
        } else {
            reader.skip(key)?;
            reader.skip(value)?;
        }
    }
    Ok(pairs)
}

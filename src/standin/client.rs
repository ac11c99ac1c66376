//! The smallest client of HiveServer2 that runs a query: the demo's traffic, and the tests'.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::listener::Bytes;
use crate::wire::hive::{Column, Handle, Operation, Outcome, PROTOCOL_V6, Reply, Request};
use crate::wire::sasl::{self, FRAME_MAX, SaslError, plain_login};
use crate::wire::thrift::{ThriftError, message_length};

/// Why a query came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The other side speaks no SASL.
    #[error("no SASL")]
    Sasl(#[from] SaslError),
    /// The other side speaks no Thrift.
    #[error("no Thrift")]
    Thrift(#[from] ThriftError),
    /// The login was refused.
    #[error("login refused: {0}")]
    Login(String),
    /// A call failed, or its reply lacks something.
    #[error("{call} failed: {text}")]
    Call {
        /// The method.
        call: String,
        /// The server's text.
        text: String,
    },
}

/// A connection with one session.
pub struct HiveClient {
    stream: Box<dyn Bytes>,
    heard: Vec<u8>,
    framed: bool,
    sequence: i32,
    session: Option<Handle>,
}

impl HiveClient {
    /// Connects, logs in with SASL PLAIN and opens a session.
    ///
    /// # Errors
    /// As [`ClientError`] says; so for all here.
    pub async fn connect(address: SocketAddr, user: &str) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(Box::new(stream), Some((user, "anything"))).await
    }

    /// The same over a stream that is there; without an account it speaks no SASL.
    pub async fn over(
        stream: Box<dyn Bytes>,
        account: Option<(&str, &str)>,
    ) -> Result<Self, ClientError> {
        let mut client = Self {
            stream,
            heard: Vec::new(),
            framed: account.is_some(),
            sequence: 0,
            session: None,
        };
        if let Some((user, password)) = account {
            client.log_in(user, password).await?;
        }
        let opened = client.call(Request::OpenSession {
            protocol: PROTOCOL_V6,
            user: account.map(|(user, _)| user.to_owned()),
            password: None,
            configuration: Vec::new(),
        });
        client.session = opened.await?.session;
        Ok(client)
    }

    /// Runs a statement and fetches all of its rows; numbers come as text.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<String>, ClientError> {
        let operation = self.begin(sql).await?;
        let mut rows = Vec::new();
        loop {
            let reply = self
                .call(Request::FetchResults {
                    operation,
                    orientation: 0,
                    max_rows: 10_000,
                    fetch: 0,
                })
                .await?;
            let columns = reply.rows.map(|rows| rows.columns).unwrap_or_default();
            rows.extend(columns.into_iter().next().map(texts).unwrap_or_default());
            if reply.has_more != Some(true) {
                break;
            }
        }
        self.call(Request::CloseOperation(operation)).await?;
        Ok(rows)
    }

    async fn begin(&mut self, sql: &str) -> Result<Operation, ClientError> {
        let session = self.session()?;
        let request = Request::ExecuteStatement {
            session,
            statement: sql.to_owned(),
            run_async: false,
        };
        let reply = self.call(request).await?;
        reply.operation.ok_or_else(|| lacking("ExecuteStatement"))
    }

    /// Closes the session, then the connection, and waits for the server to do the same.
    pub async fn close(mut self) -> Result<(), ClientError> {
        let session = self.session()?;
        self.call(Request::CloseSession(session)).await?;
        self.stream.shutdown().await?;
        while self.stream.read_buf(&mut self.heard).await? > 0 {}
        Ok(())
    }

    fn session(&self) -> Result<Handle, ClientError> {
        self.session.ok_or_else(|| lacking("OpenSession"))
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), ClientError> {
        self.stream.write_all(&plain_login(user, password)).await?;
        self.stream.flush().await?;
        loop {
            if let Some((message, taken)) = sasl::message(&self.heard)? {
                if message.status != sasl::Status::Complete {
                    let text = String::from_utf8_lossy(message.payload).into_owned();
                    return Err(ClientError::Login(text));
                }
                self.heard.drain(..taken);
                return Ok(());
            }
            self.listen().await?;
        }
    }

    async fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        self.sequence += 1;
        let message = request.encode(self.sequence);
        let mut out = Vec::with_capacity(message.len() + 4);
        if self.framed {
            sasl::put_frame(&mut out, &message);
        } else {
            out = message;
        }
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        let call = request.name().to_owned();
        match Outcome::decode(&self.message().await?)? {
            Outcome::Reply(reply) if reply.status.is_success() => Ok(*reply),
            Outcome::Reply(reply) => Err(ClientError::Call {
                call,
                text: reply.status.message.unwrap_or_default(),
            }),
            Outcome::Failure(failure) => Err(ClientError::Call {
                call,
                text: failure.message,
            }),
        }
    }

    /// The next whole message.
    async fn message(&mut self) -> Result<Vec<u8>, ClientError> {
        loop {
            let complete = if self.framed {
                sasl::frame(&self.heard, FRAME_MAX)?
                    .map(|(content, taken)| (content.to_vec(), taken))
            } else {
                match message_length(&self.heard) {
                    Ok(length) => self
                        .heard
                        .get(..length)
                        .map(|message| (message.to_vec(), length)),
                    Err(ThriftError::Incomplete) => None,
                    Err(why) => return Err(why.into()),
                }
            };
            if let Some((message, taken)) = complete {
                self.heard.drain(..taken);
                return Ok(message);
            }
            self.listen().await?;
        }
    }

    async fn listen(&mut self) -> Result<(), ClientError> {
        if self.stream.read_buf(&mut self.heard).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }
}

fn texts(column: Column) -> Vec<String> {
    match column {
        Column::Text(values) => values.into_iter().flatten().collect(),
        Column::Int(values) => values
            .into_iter()
            .flatten()
            .map(|n| n.to_string())
            .collect(),
        Column::Long(values) => values
            .into_iter()
            .flatten()
            .map(|n| n.to_string())
            .collect(),
        Column::Other(_) => Vec::new(),
    }
}

fn lacking(call: &str) -> ClientError {
    ClientError::Call {
        call: call.to_owned(),
        text: "its reply lacks the handle".to_owned(),
    }
}

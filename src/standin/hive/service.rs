//! The methods of TCLIService, as far as clients of a short session call them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ledger::{Ledger, Opened, Running, lock};
use super::query::{self, Table};
use super::{Flavour, HiveOptions};
use crate::wire::hive::{
    Call, Column, Failure, Handle, INFO_DBMS_NAME, InfoValue, Operation, PROTOCOL_V11, Reply,
    Request, RowSet, Status, code, state,
};
use crate::wire::thrift::ThriftError;

/// All that a stand-in knows. Shared by its connections.
pub(super) struct Service {
    pub(super) options: HiveOptions,
    pub(super) delay_millis: AtomicU64,
    pub(super) sessions_opened: AtomicU64,
    pub(super) statements: AtomicU64,
    refusal: Mutex<Option<String>>,
    pub(super) ledger: Arc<Ledger>,
}

impl Service {
    pub(super) fn new(options: HiveOptions) -> Self {
        Self {
            options,
            delay_millis: AtomicU64::new(0),
            sessions_opened: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            refusal: Mutex::default(),
            ledger: Arc::default(),
        }
    }

    pub(super) fn lock_refusal(&self) -> MutexGuard<'_, Option<String>> {
        lock(&self.refusal)
    }

    /// One call in, one reply out; long calls take their time.
    ///
    /// # Errors
    /// The bytes are no call: the connection ends.
    pub(super) async fn answer(
        &self,
        message: &[u8],
        opened: &mut Opened,
    ) -> Result<Vec<u8>, ThriftError> {
        let Call { sequence, request } = Call::decode(message)?;
        let method = request.name().to_owned();
        let protocol = self.protocol_of(&request);
        Ok(match self.run(request, opened).await {
            Some(Ok(reply)) => reply.encode(&method, sequence, protocol),
            Some(Err(status)) => Reply::of(status).encode(&method, sequence, protocol),
            None => Failure::unknown_method(&method).encode(&method, sequence),
        })
    }

    /// `None` for a method that the stand-in does not have.
    async fn run(&self, request: Request, opened: &mut Opened) -> Option<Result<Reply, Status>> {
        Some(match request {
            Request::OpenSession { protocol, .. } => self.open_session(protocol, opened),
            Request::CloseSession(session) => {
                self.ledger.close(&session).map(|()| Reply::default())
            }
            Request::GetInfo { session, what } => self.get_info(&session, what),
            Request::ExecuteStatement {
                session,
                statement,
                run_async,
            } => self.execute(session, &statement, run_async).await,
            Request::GetOperationStatus(operation) => self.operation_status(&operation).await,
            Request::GetResultSetMetadata(operation) => {
                self.ledger.with(&operation, |running| Reply {
                    schema: running.table.as_ref().map(Table::schema),
                    ..Reply::default()
                })
            }
            Request::FetchResults {
                operation,
                fetch: LOG,
                ..
            } => self.ledger.with(&operation, |running| {
                rows(0, Column::Text(std::mem::take(&mut running.log)), false)
            }),
            Request::FetchResults {
                operation,
                max_rows,
                ..
            } => self.fetch(&operation, max_rows).await,
            Request::CloseOperation(operation) | Request::CancelOperation(operation) => {
                self.ledger.end(&operation).map(|()| Reply::default())
            }
            Request::Other { name, session } => return self.other(&name, session),
        })
    }

    fn other(&self, method: &str, session: Option<Handle>) -> Option<Result<Reply, Status>> {
        let impala = self.options.flavour == Flavour::Impala;
        match (method, session) {
            ("PingImpalaHS2Service", Some(_)) if impala => Some(Ok(Reply::default())),
            (method, Some(session)) if CATALOGUE.contains(&method) => Some(self.catalogue(session)),
            _ => None,
        }
    }

    fn open_session(&self, protocol: i32, opened: &mut Opened) -> Result<Reply, Status> {
        if let Some(text) = self.lock_refusal().as_deref() {
            return Err(Status::error(text));
        }
        let protocol = protocol.min(PROTOCOL_V11);
        let session = self.ledger.open(protocol);
        opened.add(session);
        self.sessions_opened.fetch_add(1, Ordering::Relaxed);
        Ok(Reply {
            protocol: Some(protocol),
            session: Some(session),
            configuration: vec![("http_addr".to_owned(), self.options.name.clone())],
            ..Reply::default()
        })
    }

    fn get_info(&self, session: &Handle, what: i32) -> Result<Reply, Status> {
        self.ledger.protocol(session)?;
        let value = match (what, self.options.flavour) {
            (INFO_DBMS_NAME, Flavour::Hive) => "Apache Hive",
            (INFO_DBMS_NAME, Flavour::Impala) => "Impala",
            (INFO_DBMS_VERSION, _) => VERSION,
            _ => &self.options.name,
        };
        Ok(Reply {
            info: Some(InfoValue::Text(value.to_owned())),
            ..Reply::default()
        })
    }

    async fn execute(
        &self,
        session: Handle,
        statement: &str,
        run_async: bool,
    ) -> Result<Reply, Status> {
        self.ledger.protocol(&session)?;
        if let Some(text) = self.lock_refusal().as_deref() {
            return Err(Status::error(text));
        }
        self.statements.fetch_add(1, Ordering::Relaxed);
        let name = &self.options.name;
        let outcome = query::run(statement, name).map_err(|why| parse_error(&why))?;
        let delay = Duration::from_millis(self.delay_millis.load(Ordering::Relaxed));
        let done_at = Instant::now() + outcome.takes + delay;
        let operation = self.ledger.begin(Running {
            session,
            done_at,
            table: outcome.table,
            fetched: 0,
            log: vec![Some(format!("{name} ran {statement}"))],
        });
        if !run_async {
            sleep_until(done_at).await;
        }
        Ok(begun(operation))
    }

    /// GetTables and its like: an operation without rows.
    fn catalogue(&self, session: Handle) -> Result<Reply, Status> {
        self.ledger.protocol(&session)?;
        Ok(begun(self.ledger.begin(Running {
            session,
            done_at: Instant::now(),
            table: Some(Table::empty("TABLE_NAME")),
            fetched: 0,
            log: Vec::new(),
        })))
    }

    /// Answers when the operation is done, at the latest after [`LONG_POLL`]: the JDBC driver asks without a pause.
    async fn operation_status(&self, operation: &Operation) -> Result<Reply, Status> {
        let (done_at, has_rows) = self.ledger.with(operation, |running| {
            (running.done_at, running.table.is_some())
        })?;
        sleep_until(done_at.min(Instant::now() + LONG_POLL)).await;
        let done = done_at <= Instant::now();
        Ok(Reply {
            state: Some(if done {
                state::FINISHED
            } else {
                state::RUNNING
            }),
            has_rows: Some(has_rows),
            ..Reply::default()
        })
    }

    async fn fetch(&self, operation: &Operation, max_rows: i64) -> Result<Reply, Status> {
        sleep_until(self.ledger.with(operation, |running| running.done_at)?).await;
        let most = u64::try_from(max_rows).unwrap_or(0).min(MOST_ROWS);
        self.ledger.with(operation, |running| {
            let Some(table) = &running.table else {
                return rows(0, Column::Text(Vec::new()), false);
            };
            let (first, all) = (running.fetched, table.rows.count());
            let end = all.min(first + most);
            running.fetched = end;
            rows(first, table.rows.part(first..end), end < all)
        })
    }

    /// Of the session that a fetch belongs to; other replies look alike in all protocols.
    fn protocol_of(&self, request: &Request) -> i32 {
        let Request::FetchResults { operation, .. } = request else {
            return PROTOCOL_V11;
        };
        self.ledger
            .with(operation, |running| running.session)
            .and_then(|session| self.ledger.protocol(&session))
            .unwrap_or(PROTOCOL_V11)
    }
}

fn begun(operation: Operation) -> Reply {
    Reply {
        operation: Some(operation),
        ..Reply::default()
    }
}

fn rows(first: u64, column: Column, has_more: bool) -> Reply {
    Reply {
        has_more: Some(has_more),
        rows: Some(RowSet {
            start: i64::try_from(first).unwrap_or(i64::MAX),
            columns: vec![column],
        }),
        ..Reply::default()
    }
}

fn parse_error(why: &str) -> Status {
    Status {
        code: code::ERROR,
        sql_state: Some("42000".to_owned()),
        error_code: Some(40000),
        message: Some(why.to_owned()),
    }
}

/// TGetInfoType: its version.
const INFO_DBMS_VERSION: i32 = 18;

/// Field fetchType of TFetchResultsReq: lines of the log instead of rows.
const LOG: i16 = 1;

/// What GetInfo tells; clients decide by it what they may ask.
const VERSION: &str = "3.1.3";

/// Longest wait inside GetOperationStatus.
const LONG_POLL: Duration = Duration::from_secs(1);

/// Rows in one reply, whatever is asked for: about a megabyte.
const MOST_ROWS: u64 = 10_000;

/// Methods that list what a metastore would know.
const CATALOGUE: &[&str] = &[
    "GetTypeInfo",
    "GetCatalogs",
    "GetSchemas",
    "GetTables",
    "GetTableTypes",
    "GetColumns",
    "GetFunctions",
    "GetPrimaryKeys",
    "GetCrossReference",
];

//! Sessions, operations, and the methods of TCLIService.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

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
    /// Each with the protocol that was agreed on.
    sessions: Mutex<HashMap<Handle, i32>>,
    operations: Mutex<HashMap<Handle, Running>>,
}

/// A statement that was begun.
struct Running {
    session: Handle,
    done_at: Instant,
    table: Option<Table>,
    fetched: u64,
    log: Vec<Option<String>>,
}

/// What one connection opened: closed with it, as `hive.server2.close.session.on.disconnect` has it.
pub(super) struct Opened {
    service: Arc<Service>,
    sessions: Vec<Handle>,
}

impl Opened {
    /// Nothing yet.
    pub(super) fn by(service: &Arc<Service>) -> Self {
        Self {
            service: Arc::clone(service),
            sessions: Vec::new(),
        }
    }

    /// With http they stay.
    pub(super) fn keep(mut self) {
        self.sessions.clear();
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        for session in &self.sessions {
            self.service.forget(session);
        }
    }
}

impl Service {
    pub(super) fn new(options: HiveOptions) -> Self {
        Self {
            options,
            delay_millis: AtomicU64::new(0),
            sessions_opened: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            refusal: Mutex::default(),
            sessions: Mutex::default(),
            operations: Mutex::default(),
        }
    }

    pub(super) fn lock_refusal(&self) -> MutexGuard<'_, Option<String>> {
        lock(&self.refusal)
    }

    pub(super) fn sessions_open(&self) -> usize {
        lock(&self.sessions).len()
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
            Request::CloseSession(session) => match self.forget(&session) {
                true => Ok(Reply::default()),
                false => Err(invalid("SessionHandle")),
            },
            Request::GetInfo { session, what } => self.get_info(&session, what),
            Request::ExecuteStatement {
                session,
                statement,
                run_async,
            } => self.execute(session, &statement, run_async).await,
            Request::GetOperationStatus(operation) => self.operation_status(&operation).await,
            Request::GetResultSetMetadata(operation) => self.with(&operation, |running| Reply {
                schema: running.table.as_ref().map(Table::schema),
                ..Reply::default()
            }),
            Request::FetchResults {
                operation,
                fetch: LOG,
                ..
            } => self.with(&operation, |running| {
                rows(0, Column::Text(std::mem::take(&mut running.log)), false)
            }),
            Request::FetchResults {
                operation,
                max_rows,
                ..
            } => self.fetch(&operation, max_rows).await,
            Request::CloseOperation(operation) | Request::CancelOperation(operation) => {
                match lock(&self.operations).remove(&operation.id) {
                    Some(_) => Ok(Reply::default()),
                    None => Err(invalid("OperationHandle")),
                }
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
        let session = new_handle();
        let protocol = protocol.min(PROTOCOL_V11);
        lock(&self.sessions).insert(session, protocol);
        opened.sessions.push(session);
        self.sessions_opened.fetch_add(1, Ordering::Relaxed);
        Ok(Reply {
            protocol: Some(protocol),
            session: Some(session),
            configuration: vec![("http_addr".to_owned(), self.options.name.clone())],
            ..Reply::default()
        })
    }

    /// Drops a session and its operations; `false` when there is none.
    fn forget(&self, session: &Handle) -> bool {
        lock(&self.operations).retain(|_, running| running.session != *session);
        lock(&self.sessions).remove(session).is_some()
    }

    fn get_info(&self, session: &Handle, what: i32) -> Result<Reply, Status> {
        self.protocol(session).ok_or(invalid("SessionHandle"))?;
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
        self.protocol(&session).ok_or(invalid("SessionHandle"))?;
        if let Some(text) = self.lock_refusal().as_deref() {
            return Err(Status::error(text));
        }
        self.statements.fetch_add(1, Ordering::Relaxed);
        let name = &self.options.name;
        let outcome = query::run(statement, name).map_err(|why| parse_error(&why))?;
        let delay = Duration::from_millis(self.delay_millis.load(Ordering::Relaxed));
        let done_at = Instant::now() + outcome.takes + delay;
        let reply = self.keep(Running {
            session,
            done_at,
            table: outcome.table,
            fetched: 0,
            log: vec![Some(format!("{name} ran {statement}"))],
        });
        if !run_async {
            sleep_until(done_at).await;
        }
        Ok(reply)
    }

    /// GetTables and its like: an operation without rows.
    fn catalogue(&self, session: Handle) -> Result<Reply, Status> {
        self.protocol(&session).ok_or(invalid("SessionHandle"))?;
        Ok(self.keep(Running {
            session,
            done_at: Instant::now(),
            table: Some(Table::empty("TABLE_NAME")),
            fetched: 0,
            log: Vec::new(),
        }))
    }

    fn keep(&self, running: Running) -> Reply {
        let id = new_handle();
        let has_rows = running.table.is_some();
        lock(&self.operations).insert(id, running);
        Reply {
            operation: Some(Operation {
                id,
                kind: 0,
                has_rows,
            }),
            ..Reply::default()
        }
    }

    /// Answers when the operation is done, at the latest after [`LONG_POLL`]: the JDBC driver asks without a pause.
    async fn operation_status(&self, operation: &Operation) -> Result<Reply, Status> {
        let (done_at, has_rows) = self.with(operation, |running| {
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
        sleep_until(self.with(operation, |running| running.done_at)?).await;
        let most = u64::try_from(max_rows).unwrap_or(0).min(MOST_ROWS);
        self.with(operation, |running| {
            let Some(table) = &running.table else {
                return rows(0, Column::Text(Vec::new()), false);
            };
            let (first, all) = (running.fetched, table.rows.count());
            let end = all.min(first + most);
            running.fetched = end;
            rows(first, table.rows.part(first..end), end < all)
        })
    }

    fn protocol(&self, session: &Handle) -> Option<i32> {
        lock(&self.sessions).get(session).copied()
    }

    /// Of the session that a fetch belongs to; other replies look alike in all protocols.
    fn protocol_of(&self, request: &Request) -> i32 {
        let Request::FetchResults { operation, .. } = request else {
            return PROTOCOL_V11;
        };
        self.with(operation, |running| running.session)
            .ok()
            .and_then(|session| self.protocol(&session))
            .unwrap_or(PROTOCOL_V11)
    }

    fn with<T>(
        &self,
        operation: &Operation,
        look: impl FnOnce(&mut Running) -> T,
    ) -> Result<T, Status> {
        lock(&self.operations)
            .get_mut(&operation.id)
            .map(look)
            .ok_or_else(|| invalid("OperationHandle"))
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

fn invalid(what: &str) -> Status {
    Status::error(&format!("Invalid {what}"))
}

fn parse_error(why: &str) -> Status {
    Status {
        code: code::ERROR,
        sql_state: Some("42000".to_owned()),
        error_code: Some(40000),
        message: Some(why.to_owned()),
    }
}

fn new_handle() -> Handle {
    let mut handle = Handle {
        guid: [0; 16],
        secret: [0; 16],
    };
    fastrand::fill(&mut handle.guid);
    fastrand::fill(&mut handle.secret);
    handle
}

/// A panic elsewhere leaves plain data, which stays usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

//! The sessions and operations of a stand-in, and who opened them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::query::Table;
use crate::wire::hive::{Handle, Operation, Status};

/// What is open. Shared by the connections: a handle works on any of them.
#[derive(Default)]
pub(super) struct Ledger {
    /// Each with the protocol that was agreed on.
    sessions: Mutex<HashMap<Handle, i32>>,
    operations: Mutex<HashMap<Handle, Running>>,
}

/// A statement that was begun.
pub(super) struct Running {
    pub(super) session: Handle,
    pub(super) done_at: Instant,
    pub(super) table: Option<Table>,
    pub(super) fetched: u64,
    pub(super) log: Vec<Option<String>>,
}

impl Ledger {
    pub(super) fn open(&self, protocol: i32) -> Handle {
        let session = new_handle();
        lock(&self.sessions).insert(session, protocol);
        session
    }

    /// Drops a session and its operations.
    pub(super) fn close(&self, session: &Handle) -> Result<(), Status> {
        lock(&self.operations).retain(|_, running| running.session != *session);
        let known = lock(&self.sessions).remove(session).is_some();
        known.then_some(()).ok_or_else(|| invalid("SessionHandle"))
    }

    /// How many sessions are open.
    pub(super) fn count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// The session's protocol.
    pub(super) fn protocol(&self, session: &Handle) -> Result<i32, Status> {
        let found = lock(&self.sessions).get(session).copied();
        found.ok_or_else(|| invalid("SessionHandle"))
    }

    pub(super) fn begin(&self, running: Running) -> Operation {
        let id = new_handle();
        let has_rows = running.table.is_some();
        lock(&self.operations).insert(id, running);
        Operation {
            id,
            kind: 0,
            has_rows,
        }
    }

    /// Looks at an operation, or changes it.
    pub(super) fn with<T>(
        &self,
        operation: &Operation,
        look: impl FnOnce(&mut Running) -> T,
    ) -> Result<T, Status> {
        let mut operations = lock(&self.operations);
        let found = operations.get_mut(&operation.id).map(look);
        found.ok_or_else(|| invalid("OperationHandle"))
    }

    pub(super) fn end(&self, operation: &Operation) -> Result<(), Status> {
        let known = lock(&self.operations).remove(&operation.id).is_some();
        known
            .then_some(())
            .ok_or_else(|| invalid("OperationHandle"))
    }
}

/// What one connection opened: closed with it, as `hive.server2.close.session.on.disconnect` has it.
pub(super) struct Opened {
    ledger: Arc<Ledger>,
    sessions: Vec<Handle>,
}

impl Opened {
    /// Nothing yet.
    pub(super) fn of(ledger: &Arc<Ledger>) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            sessions: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, session: Handle) {
        self.sessions.push(session);
    }

    /// With http they stay.
    pub(super) fn keep(mut self) {
        self.sessions.clear();
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        for session in &self.sessions {
            // The client may have closed it already.
            let _ = self.ledger.close(session);
        }
    }
}

fn invalid(what: &str) -> Status {
    Status::error(&format!("Invalid {what}"))
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
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The calls of a session, one after the other.

use std::time::Duration;

use super::super::link::{Link, Target};
use super::super::trace::{Answer, Asked, Trace};
use super::login::Login;
use super::login_mode::{self, ProbeMemory};
use super::negotiate::log_in;
use super::transport::Transport;
use crate::health::{Reason, Verdict};
use crate::plan::{HiveAuth, HiveTransport};
use crate::wire::hive::{Failure, Handle, Operation, Outcome, PROTOCOL_V6, Reply, Request, state};

/// Part of the timeout kept for finding out why nothing has come.
const HINT_SHARE: u32 = 4;
const HINT_MAX: Duration = Duration::from_millis(500);

/// Between two looks at a running query.
const POLL: Duration = Duration::from_millis(20);

/// A connection over which Thrift calls go.
pub(in super::super) struct Conversation<'a> {
    link: &'a mut Link,
    transport: Transport,
    login: Login<'a>,
    sequence: i32,
}

impl<'a> Conversation<'a> {
    pub(in super::super) async fn open(
        target: &'a Target<'_>,
        trace: &mut Trace,
        link: &'a mut Option<Link>,
        transport: &HiveTransport,
        auth: &'a HiveAuth,
    ) -> Asked<Self> {
        let link = link.insert(target.open(trace).await?);
        if let HiveTransport::Binary = transport {
            let kept = (target.plan.timeout / HINT_SHARE).min(HINT_MAX);
            link.hint_at(trace.deadline() - kept);
        }
        Ok(Self {
            link,
            transport: Transport::of(target, transport, auth),
            login: Login::of(auth, &target.pass),
            sequence: 0,
        })
    }

    /// Goes on where an earlier question has logged in.
    pub(super) fn resume(link: &'a mut Link, transport: Transport, login: Login<'a>) -> Self {
        Self {
            link,
            transport,
            login,
            sequence: 0,
        }
    }

    /// What is needed to resume, where a ticket was shown: that costs both sides more than a password.
    pub(super) fn worth_keeping(self) -> Option<Transport> {
        matches!(self.login, Login::Ticket(_)).then_some(self.transport)
    }

    /// The handshake as the whole question; without SASL, a call that no server has, which none runs and few log.
    pub(in super::super) async fn greet(
        &mut self,
        trace: &mut Trace,
        memory: &mut ProbeMemory,
    ) -> Asked<Answer> {
        if let Transport::Sasl { .. } = self.transport {
            trace.step("sasl");
            let transport = &mut self.transport;
            return login_mode::greet(self.link, trace, transport, self.login, memory).await;
        }
        trace.step("ping");
        match self.call(&unknown_method()).await {
            Ok(_) => Ok(Answer::up()),
            Err(answer) => Err(self.shallow_judgement(answer)),
        }
    }

    /// Before a session.
    pub(in super::super) async fn log_in(&mut self, trace: &mut Trace) -> Asked<()> {
        if let Transport::Sasl { sealing } = &mut self.transport {
            trace.step("sasl");
            *sealing = log_in(self.link, self.login, false).await?;
        }
        self.transport.as_anybody();
        Ok(())
    }

    pub(in super::super) async fn open_session(&mut self, trace: &mut Trace) -> Asked<Handle> {
        trace.step("open-session");
        let user = self.login.user();
        let request = Request::OpenSession {
            protocol: PROTOCOL_V6,
            user: Some(user.to_owned()),
            password: None,
            configuration: Vec::new(),
        };
        let reply = match self.call(&request).await? {
            Ok(reply) => reply,
            Err(failure) => return Err(Answer::down(Reason::SessionRefused, &failure.message)),
        };
        if !reply.status.is_success() {
            let text = reply.status.message.unwrap_or_default();
            return Err(refusal(&text));
        }
        let missing = || Answer::down(Reason::NotThrift, "a session without a handle");
        reply.session.ok_or_else(missing)
    }

    pub(in super::super) async fn close_session(
        &mut self,
        trace: &mut Trace,
        session: Handle,
    ) -> Asked<()> {
        trace.step("close-session");
        let request = Request::CloseSession(session);
        self.succeed(&request, Reason::SessionRefused).await?;
        Ok(())
    }

    /// `SELECT 1`, to a row with 1 in it.
    pub(in super::super) async fn query(
        &mut self,
        trace: &mut Trace,
        session: Handle,
    ) -> Asked<()> {
        trace.step("execute");
        let request = Request::ExecuteStatement {
            session,
            statement: "SELECT 1".to_owned(),
            run_async: false,
        };
        let reply = self.succeed(&request, Reason::QueryFailed).await?;
        let missing = || Answer::down(Reason::QueryFailed, "a query without a handle");
        let operation = reply.operation.ok_or_else(missing)?;
        self.wait_for(operation).await?;
        trace.step("fetch");
        self.fetch(operation).await?;
        trace.step("close-query");
        let request = Request::CloseOperation(operation);
        self.succeed(&request, Reason::QueryFailed).await?;
        Ok(())
    }

    async fn wait_for(&mut self, operation: Operation) -> Asked<()> {
        loop {
            let request = Request::GetOperationStatus(operation);
            let reply = self.succeed(&request, Reason::QueryFailed).await?;
            match reply.state {
                Some(state::FINISHED) => return Ok(()),
                Some(state::INITIALIZED | state::RUNNING | state::PENDING) => {
                    tokio::time::sleep(POLL).await;
                }
                other => {
                    let text = match (reply.error, other) {
                        (Some(error), _) => error,
                        (None, Some(state)) => format!("operation state {state}"),
                        (None, None) => "no operation state".to_owned(),
                    };
                    return Err(Answer::down(Reason::QueryFailed, &text));
                }
            }
        }
    }

    async fn fetch(&mut self, operation: Operation) -> Asked<()> {
        let request = Request::FetchResults {
            operation,
            orientation: 0,
            max_rows: 10,
            fetch: 0,
        };
        let reply = self.succeed(&request, Reason::QueryFailed).await?;
        let first = reply.rows.and_then(|rows| rows.first());
        match first.as_deref() {
            Some("1") => Ok(()),
            other => {
                let text = format!("SELECT 1 gave {}", other.unwrap_or("no row"));
                Err(Answer::down(Reason::QueryFailed, &text))
            }
        }
    }

    /// One call; the outer error ends the question, the inner one is Thrift's own exception.
    pub(in super::super) async fn call(
        &mut self,
        request: &Request,
    ) -> Asked<Result<Reply, Failure>> {
        let message = request.encode(self.sequence);
        self.sequence += 1;
        let answer = self.transport.exchange(self.link, &message).await?;
        match Outcome::decode(&answer) {
            Ok(Outcome::Reply(reply)) => Ok(Ok(*reply)),
            Ok(Outcome::Failure(failure)) => Ok(Err(failure)),
            Err(fault) => Err(Answer::down(Reason::NotThrift, &fault.to_string())),
        }
    }

    /// One call that must go well; otherwise `reason`.
    async fn succeed(&mut self, request: &Request, reason: Reason) -> Asked<Reply> {
        match self.call(request).await? {
            Ok(reply) if reply.status.is_success() => Ok(reply),
            Ok(reply) => {
                let text = reply.status.message.unwrap_or_default();
                Err(Answer::down(reason, &text))
            }
            Err(failure) => Err(Answer::down(reason, &failure.message)),
        }
    }

    /// Over HTTP, 401 to a request without an account shows that listener and servlets work, and is not logged.
    fn shallow_judgement(&self, answer: Answer) -> Answer {
        let wants_account = matches!(
            answer.reason,
            Reason::AccountNeeded | Reason::UnsupportedMechanism
        );
        match self.login.is_known() {
            false if wants_account => Answer {
                verdict: Verdict::Up,
                ..answer
            },
            _ => answer,
        }
    }
}

/// Golden: thrift answers it with exception 1 without looking further, before any session exists.
fn unknown_method() -> Request {
    Request::Other {
        name: "howdahPing".to_owned(),
        session: None,
    }
}

/// The wording changed between versions (HIVE-21825); the fragments are what they share.
fn refusal(text: &str) -> Answer {
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&[
        "inactive hs2",
        "inactive hiveserver2",
        "passive",
        "decommission",
    ]) {
        return Answer::alive(Reason::Passive, text);
    }
    if says(&["being shut down", "shutting down"]) {
        return Answer::alive(Reason::ShuttingDown, text);
    }
    Answer::down(Reason::SessionRefused, text)
}

//! One request → one answer.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request};
use tokio::task::JoinError;

use super::answer::{Answer, Fault, JSON, lines, text, with};
use super::audit::Audit;
use super::orders::{self, Deadlines};
use super::path::{PathError, Route};
use super::peer::Peer;
use super::shared::Shared;
use super::status::Status;
use super::{HandlerContext, RuntimeView, guard, ready};

/// What all requests share.
pub(super) struct Handler {
    pub(super) context: HandlerContext,
    pub(super) deadlines: Deadlines,
    status: Shared,
    metrics: Shared,
}

impl Handler {
    pub(super) fn new(context: HandlerContext) -> Arc<Self> {
        Arc::new(Self {
            deadlines: Deadlines::on(&context.runtime),
            context,
            status: Shared::default(),
            metrics: Shared::default(),
        })
    }

    /// Never fails: a fault is an answer too.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Answer {
        let answer = match self.judge(request, peer).await {
            Ok(answer) => answer,
            Err(fault) => fault.answer(),
        };
        let code = answer.status().as_u16();
        self.context.metrics.admin_answered(code);
        answer
    }

    async fn judge(&self, request: Request<Incoming>, peer: &Peer) -> Result<Answer, Fault> {
        let route = Route::parse(request.uri().path()).map_err(|error| match error {
            PathError::Unknown => Fault::Unknown(
                "nothing is here: try /, /metrics, /healthz, /readyz or /api/v1/status".into(),
            ),
            PathError::Encoding => Fault::Request("the path is not percent-encoded UTF-8".into()),
        })?;
        let view = self.context.view.load_full();
        let looking = request.method() == Method::GET || request.method() == Method::HEAD;
        if looking && !matches!(route, Route::Healthz | Route::Readyz) {
            guard::may_look(request.headers(), peer, &view.admin)?;
        }
        match (request.method(), &route) {
            (&Method::GET | &Method::HEAD, Route::Page) => {
                Ok(with("text/html; charset=utf-8", PAGE))
            }
            (&Method::GET | &Method::HEAD, Route::Metrics) => {
                Ok(with(EXPOSITION, self.metrics().await?))
            }
            (&Method::GET | &Method::HEAD, Route::Healthz) => Ok(text("ok\n")),
            (&Method::GET | &Method::HEAD, Route::Readyz) => {
                let reasons = ready::reasons(&view);
                let notes = ready::notes(&view);
                if reasons.is_empty() {
                    let lines = ["ready".to_owned()].into_iter().chain(notes);
                    return Ok(text(lines.map(|line| line + "\n").collect::<String>()));
                }
                Err(Fault::Later(
                    "howdah is not ready".into(),
                    reasons.into_iter().chain(notes).collect(),
                ))
            }
            (&Method::GET | &Method::HEAD, Route::Status) => Ok(with(JSON, self.status().await?)),
            (&Method::GET | &Method::HEAD, Route::Server(named)) => orders::show(&view, named),
            (&Method::POST, Route::Order(..) | Route::Reload)
            | (&Method::PUT, Route::Weight(_)) => self.order(request, peer, &route, &view).await,
            (_, route) => Err(Fault::Method(route.methods())),
        }
    }

    /// Told in the log, whatever comes of it.
    async fn order(
        &self,
        request: Request<Incoming>,
        peer: &Peer,
        route: &Route,
        view: &RuntimeView,
    ) -> Result<Answer, Fault> {
        let audit = Audit::of(route, *peer);
        let who = guard::may_command(request.headers(), peer, &view.admin).await;
        let who = who.inspect_err(|fault| audit.denied(fault))?;
        let body = body(request).await?;
        let commands = &self.context.commands;
        let outcome = match route {
            Route::Order(named, order) => {
                orders::order(view, named, *order, &body, &self.deadlines, commands).await
            }
            Route::Weight(named) => orders::weight(view, named, &body).await,
            _ => orders::reload(commands).await,
        };
        audit.judged(who, &body, &outcome);
        outcome
    }
}

impl Handler {
    async fn status(&self) -> Result<Bytes, Fault> {
        let (view, metrics) = (Arc::clone(&self.context.view), self.context.metrics.clone());
        let print = move || lines(&Status::of(&view.load_full(), &metrics));
        self.status.ask(print).await.map_err(Fault::of)
    }

    async fn metrics(&self) -> Result<Bytes, Fault> {
        let metrics = self.context.metrics.clone();
        let print = move || metrics.render().into_bytes();
        self.metrics.ask(print).await.map_err(Fault::of)
    }
}

impl Fault {
    /// A rendering that panicked.
    fn of(error: JoinError) -> Self {
        Self::Later(error.to_string(), Vec::new())
    }
}

/// The whole body, within bounds of size and time.
async fn body(request: Request<Incoming>) -> Result<Vec<u8>, Fault> {
    let whole = Limited::new(request.into_body(), BODY_MAX).collect();
    match tokio::time::timeout(BODY_TIME, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Fault::Request(
            format!("the body is longer than {} KiB", BODY_MAX / 1024),
        )),
        Ok(Err(error)) => Err(Fault::Request(format!("the body did not arrive: {error}"))),
        Err(_) => Err(Fault::Request("the body took too long to arrive".into())),
    }
}

const PAGE: &str = include_str!("page.html");
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
const BODY_MAX: usize = 64 * 1024;
const BODY_TIME: Duration = Duration::from_secs(10);

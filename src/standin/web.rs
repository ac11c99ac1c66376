//! HTTP for stand-ins: one function from request to page.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes as Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::listener::Visit;

/// A request, body read.
pub(super) struct Question {
    /// GET, as a rule.
    pub(super) method: Method,
    /// Path and query, as sent.
    pub(super) target: String,
    /// All of them.
    pub(super) headers: HeaderMap,
    /// At most [`LARGEST_BODY`] bytes.
    pub(super) body: Body,
}

/// A whole answer.
pub(super) struct Page {
    /// Default 200.
    pub(super) status: StatusCode,
    /// Content type.
    pub(super) kind: &'static str,
    /// Content.
    pub(super) body: Body,
}

impl Page {
    /// 200 with text.
    pub(super) fn html(body: String) -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", body)
    }

    /// 200 with JSON.
    pub(super) fn json(body: &serde_json::Value) -> Self {
        Self::new(StatusCode::OK, "application/json", body.to_string())
    }

    /// A status and a few words.
    pub(super) fn plain(status: StatusCode, body: &'static str) -> Self {
        Self::new(status, "text/plain", body)
    }

    /// Anything.
    pub(super) fn new(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Self {
        Self {
            status,
            kind,
            body: body.into(),
        }
    }
}

/// Answers every request of one connection.
pub(super) async fn serve<F, R>(visit: Visit, answer: F)
where
    F: Fn(Question) -> R + Send + Sync + 'static,
    R: Future<Output = Page> + Send,
{
    let answer = Arc::new(answer);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let page = match read(request).await {
                Some(question) => answer(question).await,
                None => Page::plain(StatusCode::PAYLOAD_TOO_LARGE, "too much"),
            };
            Ok::<_, Infallible>(respond(page))
        }
    });
    // A client that breaks off is the client's business.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(visit.stream), service)
        .await;
}

async fn read(request: Request<Incoming>) -> Option<Question> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.ok()?;
    Some(Question {
        method: head.method,
        target: head.uri.to_string(),
        headers: head.headers,
        body: body.to_bytes(),
    })
}

fn respond(page: Page) -> Response<Full<Body>> {
    let mut response = Response::new(Full::new(page.body));
    *response.status_mut() = page.status;
    if let Ok(kind) = page.kind.parse() {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

/// More than any Thrift call of a client that behaves.
const LARGEST_BODY: usize = 1 << 20;

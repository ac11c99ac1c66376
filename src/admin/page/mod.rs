//! The page for people: files that are embedded, and nothing that is fetched from elsewhere.

use super::answer::{Answer, Fault, with};
use super::call::Call;
use super::endpoint::{Endpoint, Given};

/// `GET /`.
pub(super) const PAGE: Endpoint = Endpoint {
    summary: "The page",
    answer: Given::Text(HTML),
    ..Endpoint::get("/", |_| Box::pin(async { Ok(with(HTML, INDEX)) }))
};

/// `GET /assets/{file}`.
pub(super) const ASSET: Endpoint = Endpoint {
    summary: "A file of the page",
    answer: Given::Text("*/*"),
    ..Endpoint::get("/assets/{file}", |call| {
        Box::pin(async move { asset(&call) })
    })
};

fn asset(call: &Call) -> Result<Answer, Fault> {
    let file = call.names.get("file");
    let found = ASSETS.iter().find(|(name, ..)| *name == file);
    let found = found.ok_or_else(|| Fault::Unknown(format!("the page has no file {file:?}")));
    found.map(|(_, kind, text)| with(kind, *text))
}

/// What the page asks for besides itself: its name, media type and text.
const ASSETS: &[(&str, &str, &str)] = &[];
const HTML: &str = "text/html; charset=utf-8";
const INDEX: &str = include_str!("index.html");

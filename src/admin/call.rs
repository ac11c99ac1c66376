//! A request as its endpoint gets it: judged, with its parameters read.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::body::Bytes;

use super::RuntimeView;
use super::handler::Handler;
use super::path::Names;
use super::query::Query;

/// All that an endpoint may need to answer.
pub(super) struct Call {
    pub(super) handler: Arc<Handler>,
    /// What runs, as it was when the request was judged.
    pub(super) view: Arc<RuntimeView>,
    /// The names in the path.
    pub(super) names: Names,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    /// Empty for those who look.
    pub(super) body: Vec<u8>,
    /// Who orders, and from where; empty for those who look.
    pub(super) by: String,
    /// Writes the OpenAPI document of the table that this call came by.
    pub(super) document: fn() -> Bytes,
}

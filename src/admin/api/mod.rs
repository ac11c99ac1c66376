//! The table of endpoints: one file here and one line below for each.
//!
//! A file holds its [`Endpoint`], the types that it alone takes or gives, and how it answers. Where two templates fit a
//! path, the one with more of it spelled out wins.

mod availability;
mod certificates;
mod cluster;
mod configuration;
mod doctor;
mod events;
mod explain;
mod history;
mod metrics;
mod openapi;
mod order;
mod pulse;
mod readyz;
mod reload;
mod schema;
mod server;
mod sessions;
mod status;
mod stream;
mod timelines;
mod weight;

use super::endpoint::Endpoint;
use super::page;

/// Every endpoint, in the order of the document.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    page::PAGE,
    page::ASSET,
    metrics::ENDPOINT,
    pulse::ENDPOINT,
    readyz::ENDPOINT,
    status::ENDPOINT,
    server::ENDPOINT,
    cluster::ENDPOINT,
    history::ENDPOINT,
    timelines::ENDPOINT,
    availability::ENDPOINT,
    order::DRAIN,
    order::MAINTENANCE,
    order::READY,
    weight::ENDPOINT,
    sessions::LIST,
    sessions::ENDED,
    sessions::END,
    reload::ENDPOINT,
    configuration::ENDPOINT,
    certificates::ENDPOINT,
    events::ENDPOINT,
    stream::ENDPOINT,
    explain::ENDPOINT,
    doctor::ENDPOINT,
    openapi::ENDPOINT,
    schema::ENDPOINT,
];

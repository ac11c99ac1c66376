//! The admin server: status page, API, metrics.

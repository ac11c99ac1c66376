//! Metrics, labels, logs.

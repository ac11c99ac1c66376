//! howdah: a Layer 4 load balancer for HiveServer2, Impala and Hue.

pub mod admin;
pub mod app;
pub mod balance;
pub mod base;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod health;
pub mod listener;
pub mod plan;
pub mod pool;
pub mod session;
pub mod standin;
pub mod telemetry;
pub mod tls;
pub mod wire;

//! Bytes to values and back: the protocols that howdah reads or speaks itself.
//!
//! Nothing here knows a socket, a clock or a task. Every decoder takes what has arrived so far and answers with a
//! value, "not complete yet" included; whatever the network sends, none of them panics, loops, or reserves
//! memory for a length that it has only been told.

pub mod agent;
pub mod announce;
mod checksum;
pub mod client_hello;
pub mod dns;
pub mod exchange;
pub mod gauges;
pub mod hive;
pub mod http;
pub mod json;
pub mod kerberos;
pub mod mysql;
pub mod netlink;
pub mod peers;
pub mod postgres;
pub mod proxy_protocol;
pub mod sasl;
pub mod thrift;
pub mod vrrp;
pub mod znode;
pub mod zookeeper;

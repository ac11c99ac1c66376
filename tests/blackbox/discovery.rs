//! Servers that others list: who comes takes sessions, who goes keeps those it has, and silence changes nothing.

mod file;
mod impala;

use std::time::Duration;

use serde_json::Value;

use crate::support::{Howdah, named, read_line};

/// A listener and a pool of that name whose servers `discover` lists; each answers to probes at once.
fn listed(name: &str, discover: &str, more: &str) -> String {
    format!(
        r#"
[[listener]]
name = "{name}"
bind = "127.0.0.1:0"
pool = "{name}"

[pool.{name}]
service = "tcp"
balance = "round-robin"
discover = {{ {discover} }}
probe = {{ interval = "60s", fast_interval = "20ms" }}
{more}
"#
    )
}

async fn pool(howdah: &Howdah, name: &str) -> Value {
    named(&howdah.status().await["pools"], name)
}

/// The state and the age of the list.
async fn discovery(howdah: &Howdah, name: &str) -> (String, Option<Duration>) {
    let discovery = &pool(howdah, name).await["discovery"];
    let age = discovery["age_seconds"].as_f64();
    let state = discovery["state"].as_str().unwrap().to_owned();
    (state, age.map(Duration::from_secs_f64))
}

/// Names and health, in order.
async fn servers(howdah: &Howdah, name: &str) -> Vec<(String, String)> {
    let pool = pool(howdah, name).await;
    let servers = pool["servers"].as_array().unwrap().iter();
    let word = |server: &Value, key: &str| server[key].as_str().unwrap().to_owned();
    servers
        .map(|server| (word(server, "name"), word(server, "health")))
        .collect()
}

fn up(names: &[&str]) -> Vec<(String, String)> {
    let up = |name: &&str| ((*name).to_owned(), "up".to_owned());
    names.iter().map(up).collect()
}

/// Who answers a new session; [`::howdah::standin::raw::named`] says so.
async fn who(howdah: &Howdah, listener: &str) -> std::io::Result<String> {
    use tokio::io::AsyncWriteExt;
    let mut stream = howdah.connect(listener).await;
    stream.write_all(b"?").await?;
    read_line(&mut stream).await
}

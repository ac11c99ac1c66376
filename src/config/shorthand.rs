//! What people mean who write a word where a table stands: `sticky = "source-ip"`, `tls = true`.

use toml::de::DeValue;

/// What to write instead, where one can tell from the word; `header` is the table's.
pub(super) fn of(header: &str, value: &DeValue<'_>) -> Option<String> {
    let word = match value {
        DeValue::String(word) => word.to_lowercase(),
        DeValue::Boolean(true) => "true".into(),
        DeValue::Boolean(false) => "false".into(),
        _ => return None,
    };
    let off = OFF.contains(&word.as_str());
    let written = value.as_str().unwrap_or_default();
    Some(match header {
        "[pool.NAME.sticky]" if off => "sticky = { by = \"none\" }".into(),
        "[pool.NAME.sticky]" => "sticky = { by = \"source-ip\" }".into(),
        "[pool.NAME.tls]" if off => "no tls at all, which is plain TCP".into(),
        "[pool.NAME.tls]" => {
            "tls = { ca = \"FILE\" }, or tls = {}, which trusts the system's store".into()
        }
        "[listener.tls]" if off => "no tls at all, which is plain TCP".into(),
        "[listener.tls]" => "tls = { certificates = [{ cert = \"FILE\", key = \"FILE\" }] }".into(),
        "[pool.NAME.timeouts]" => format!("timeouts = {{ idle = {} }}", time(&word)),
        "[pool.NAME.load]" if off => "no load at all, and the weights are those of the file".into(),
        "[pool.NAME.load]" if word == "agent" => "load = { from = \"agent\", port = 7777 }".into(),
        "[pool.NAME.load]" => format!("load = {{ from = {written:?} }}"),
        "[pool.NAME.discover]" if off => {
            "no discover at all, and the servers are those of the file".into()
        }
        "[pool.NAME.discover]" => format!("discover = {{ {} }}", source(written)),
        _ => return None,
    })
}

/// A time that is one.
fn time(word: &str) -> String {
    let like = word.starts_with(|c: char| c.is_ascii_digit());
    format!("{:?}", if like { word } else { "12h" })
}

/// Who lists servers, by what the word looks like.
fn source(word: &str) -> String {
    let key = match word {
        _ if word.starts_with('_') => "dns_srv",
        _ if word.ends_with(".toml") || word.contains('/') => "file",
        _ if word.ends_with(":25000") => "impala",
        _ => "zookeeper",
    };
    match word {
        "true" | "" => "zookeeper = [\"zk1.example.com\"]".into(),
        "zookeeper" => "zookeeper = [\"zk1.example.com\"]".into(),
        "dns" | "srv" | "dns_srv" => "dns_srv = \"_solr._tcp.example.com\"".into(),
        "file" => "file = \"members.toml\"".into(),
        "impala" => "impala = \"impalad-1.example.com:25000\"".into(),
        word => format!("{key} = {word:?}"),
    }
}

/// What turns something off elsewhere.
pub(super) const OFF: [&str; 7] = ["off", "none", "no", "false", "disabled", "disable", "never"];

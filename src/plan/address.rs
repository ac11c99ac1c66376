//! Where a server listens, and what a host is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or number.
    pub host: Host,
    /// 1 to 65535.
    pub port: u16,
}

/// The host half of an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Written as a number: never resolved.
    Ip(IpAddr),
    /// Resolved at start and again while running.
    Name(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl Host {
    /// A name, in lower case and without the dot at its end, or a number.
    ///
    /// # Errors
    /// Why `text` is neither.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        judge_name(text)?;
        Ok(Self::Name(text.trim_end_matches('.').to_ascii_lowercase()))
    }
}

/// RFC 1123 §2.1, with the underscore that some sites use.
fn judge_name(host: &str) -> Result<(), &'static str> {
    let labels = host.strip_suffix('.').unwrap_or(host);
    if labels.is_empty() {
        return Err("the host is missing");
    }
    if labels.len() > 253 {
        return Err("longer than 253 characters");
    }
    for label in labels.split('.') {
        if label.is_empty() {
            return Err("two dots in a row");
        }
        if label.len() > 63 {
            return Err("a part between dots is longer than 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a part between dots begins or ends with \"-\"");
        }
        if !label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            return Err("a host name has letters, digits, \"-\" and dots only");
        }
    }
    let last = labels.rsplit('.').next().unwrap_or(labels);
    if last.bytes().all(|b| b.is_ascii_digit()) && labels.parse::<Ipv4Addr>().is_err() {
        return Err("it looks like an IPv4 address, but is none");
    }
    Ok(())
}

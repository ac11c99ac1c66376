//! A request's path → what is meant; pure.
//!
//! The path is split at its slashes first and each segment is percent-decoded then, so a name may hold anything:
//! `hs2-1.example.com:10000` as it is or with `%3A`, a slash as `%2F`.

use crate::plan::{PoolName, ServerName};
use crate::pool::Order;

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    Metrics,
    Healthz,
    Readyz,
    Status,
    Reload,
    Server(Named),
    Order(Named, Order),
    Weight(Named),
}

/// A server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) pool: PoolName,
    pub(super) server: ServerName,
}

/// Why a path stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathError {
    Unknown,
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    Encoding,
}

impl Route {
    pub(super) fn parse(path: &str) -> Result<Self, PathError> {
        let inside = path.strip_prefix('/').ok_or(PathError::Unknown)?;
        let segments: Vec<&str> = inside.split('/').collect();
        match segments.as_slice() {
            [""] => Ok(Self::Page),
            ["metrics"] => Ok(Self::Metrics),
            ["healthz"] => Ok(Self::Healthz),
            ["readyz"] => Ok(Self::Readyz),
            ["api", "v1", "status"] => Ok(Self::Status),
            ["api", "v1", "reload"] => Ok(Self::Reload),
            ["api", "v1", "pools", pool, "servers", server] => {
                Ok(Self::Server(Named::decode(pool, server)?))
            }
            ["api", "v1", "pools", pool, "servers", server, verb] => {
                let named = Named::decode(pool, server)?;
                match *verb {
                    "drain" => Ok(Self::Order(named, Order::Drain)),
                    "maintenance" => Ok(Self::Order(named, Order::Maintenance)),
                    "ready" => Ok(Self::Order(named, Order::Ready)),
                    "weight" => Ok(Self::Weight(named)),
                    _ => Err(PathError::Unknown),
                }
            }
            _ => Err(PathError::Unknown),
        }
    }

    /// For the header `Allow`.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Reload | Self::Order(..) => "POST",
            Self::Weight(_) => "PUT",
            _ => "GET, HEAD",
        }
    }
}

impl Named {
    fn decode(pool: &str, server: &str) -> Result<Self, PathError> {
        Ok(Self {
            pool: PoolName::new(&decode(pool)?),
            server: ServerName::new(&decode(server)?),
        })
    }
}

/// RFC 3986 §2.1.
fn decode(segment: &str) -> Result<String, PathError> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(PathError::Encoding)?;
        let high = hex(digits[0]).ok_or(PathError::Encoding)?;
        let low = hex(digits[1]).ok_or(PathError::Encoding)?;
        bytes.push(high << 4 | low);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| PathError::Encoding)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Writes a name so that it is one segment: everything but RFC 3986's unreserved characters and `:` is encoded.
pub fn encode(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                segment.push(char::from(byte));
            }
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(pool: &str, server: &str) -> Named {
        Named {
            pool: PoolName::new(pool),
            server: ServerName::new(server),
        }
    }

    #[test]
    fn every_route() {
        let hs2 = || named("hive", "hs2-1.example.com:10000");
        let table = [
            ("/", Route::Page),
            ("/metrics", Route::Metrics),
            ("/healthz", Route::Healthz),
            ("/readyz", Route::Readyz),
            ("/api/v1/status", Route::Status),
            ("/api/v1/reload", Route::Reload),
            (
                "/api/v1/pools/hive/servers/hs2-1.example.com:10000",
                Route::Server(hs2()),
            ),
            (
                "/api/v1/pools/hive/servers/hs2-1.example.com%3a10000/drain",
                Route::Order(hs2(), Order::Drain),
            ),
            (
                "/api/v1/pools/hive/servers/hs2-1.example.com:10000/maintenance",
                Route::Order(hs2(), Order::Maintenance),
            ),
            (
                "/api/v1/pools/hive/servers/hs2-1.example.com:10000/ready",
                Route::Order(hs2(), Order::Ready),
            ),
            (
                "/api/v1/pools/a%20b/servers/c%2Fd%25/weight",
                Route::Weight(named("a b", "c/d%")),
            ),
        ];
        for (path, route) in table {
            assert_eq!(Route::parse(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn what_is_not_a_route() {
        for path in [
            "",
            "*",
            "/x",
            "//",
            "/metrics/",
            "/api/v1",
            "/api/v1/pools/hive/servers/a/b/drain",
            "/api/v1/pools/hive/servers/a/stop",
        ] {
            assert_eq!(Route::parse(path), Err(PathError::Unknown), "{path}");
        }
        for path in ["%", "%4", "%zz", "%ff", "%+1"] {
            let path = format!("/api/v1/pools/hive/servers/{path}/drain");
            assert_eq!(Route::parse(&path), Err(PathError::Encoding), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_name_survives_the_journey(name in any::<String>()) {
            let encoded = encode(&name);
            prop_assert!(!encoded.contains('/') && encoded.is_ascii());
            prop_assert_eq!(decode(&encoded), Ok(name));
        }

        #[test]
        fn no_path_panics(path in any::<String>()) {
            let _ = Route::parse(&path);
        }
    }
}

//! The simple values of the file: text, numbers, durations, networks, addresses. How each is read, and what to say when
//! it is none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value as Schema, json};
use toml::de::DeValue;

use super::cx::Cx;
use super::field::Value;
use super::words::{FilePath, Whole, Word};
use crate::base::unit;

impl Word for String {
    fn kind() -> String {
        "text".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string" })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let read = value.get_ref().as_str().map(str::to_owned);
        if read.is_none() {
            let example = match value.get_ref() {
                DeValue::Array(_) | DeValue::Table(_) => format!("{} = \"...\"", cx.key),
                _ => format!("\"{}\", in quotes", cx.written(value)),
            };
            cx.wrong_type(value, "text", &example);
        }
        read
    }
}

impl Word for FilePath {
    fn kind() -> String {
        "path".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string", "minLength": 1, "examples": ["/etc/howdah/FILE"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let path = String::read(value, cx)?;
        if path.is_empty() || path.contains('\0') {
            let what = format!("{} names no file", cx.subject());
            let example = format!("{} = \"/etc/howdah/FILE\"", cx.key);
            cx.error(&value.span(), what)
                .why("a path is wanted")
                .fix(example);
            return None;
        }
        Some(Self(path))
    }
}

impl Word for bool {
    fn kind() -> String {
        "true or false".into()
    }

    fn schema() -> Schema {
        json!({ "type": "boolean" })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            let example = format!("{0} = true or {0} = false, without quotes", cx.key);
            cx.wrong_type(value, "true or false", &example);
        }
        read
    }
}

impl<const LOW: u64, const HIGH: u64> Word for Whole<LOW, HIGH> {
    fn kind() -> String {
        format!("{LOW} to {HIGH}")
    }

    fn schema() -> Schema {
        json!({ "type": "integer", "minimum": LOW, "maximum": HIGH })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let DeValue::Integer(digits) = value.get_ref() else {
            let example = match value.get_ref().as_str().map(str::parse::<u64>) {
                Some(Ok(number)) => format!("{number}, without quotes"),
                _ => format!("a number from {LOW} to {HIGH}"),
            };
            cx.wrong_type(value, "a whole number", &example);
            return None;
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
        let fits = u64::try_from(number)
            .ok()
            .filter(|number| (LOW..=HIGH).contains(number));
        if fits.is_none() {
            let is = if number < i128::from(LOW) {
                "too small"
            } else {
                "too large"
            };
            let what = format!("{} is {is}", cx.subject());
            let nothing = (number == 0).then(|| nothing(&cx.key)).flatten();
            let fault = cx
                .error(&value.span(), what)
                .why(format!("{LOW} to {HIGH}"));
            nothing.map(|fix| fault.fix(fix));
        }
        fits.map(Self)
    }
}

/// What people mean who write 0.
fn nothing(key: &str) -> Option<&'static str> {
    match key {
        "weight" => Some(
            "to send nothing to a server, `howdah drain POOL/SERVER`, or take it out of the list",
        ),
        "max_connections" => Some("leave it out for the default"),
        "workers" => Some("leave it out for one per core"),
        _ => None,
    }
}

impl Word for Duration {
    fn kind() -> String {
        "duration".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string", "pattern": unit::DURATION, "examples": ["500ms", "30s", "5m", "12h"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let example = match value.get_ref().as_integer() {
                Some(number) => format!("{} = \"{number}s\", if seconds are meant", cx.key),
                None => format!("{} = \"30s\"", cx.key),
            };
            cx.wrong_type(value, "a duration", &example);
            return None;
        };
        let (is, why) = match unit::duration(text) {
            Ok(read) if read.is_zero() => ("has no length", "must be longer than zero".to_owned()),
            Ok(read) if read > LONGEST => ("is too long", "at most \"365d\"".to_owned()),
            Ok(read) => return Some(read),
            Err(error) => ("is no duration", error.to_string()),
        };
        let what = format!("{} {is}", cx.subject());
        cx.error(&value.span(), what).why(why).fix(GOOD_DURATION);
        None
    }
}

impl Word for IpNet {
    fn kind() -> String {
        "network".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string", "pattern": NETWORK, "examples": ["10.0.0.0/8", "fd00::/8"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            cx.wrong_type(
                value,
                "a network",
                &format!("{} = [\"10.0.0.0/8\"]", cx.key),
            );
            return None;
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::from(address));
        }
        let Ok(net) = text.parse::<Self>() else {
            let what = format!("{} has {text:?}, which is no network", cx.subject());
            cx.error(&value.span(), what)
                .why(why_no_network(text))
                .fix(GOOD_NETWORK);
            return None;
        };
        let meant = net.trunc();
        if meant != net {
            let what = format!("{} has bits behind the prefix of {text:?}", cx.subject());
            cx.warning(&value.span(), what)
                .why(format!("taken as {meant}"))
                .fix(format!(
                    "write \"{meant}\", or \"{}\" for the one address",
                    net.addr()
                ));
        }
        Some(meant)
    }
}

fn why_no_network(text: &str) -> &'static str {
    let Some((address, prefix)) = text.split_once('/') else {
        return "neither an address nor a network";
    };
    match (address.parse::<IpAddr>(), prefix.parse::<u8>()) {
        (Err(_), _) => "no address before the slash",
        (Ok(IpAddr::V4(_)), Ok(33..)) => "the prefix of IPv4 is at most 32",
        (Ok(IpAddr::V6(_)), Ok(129..)) => "the prefix of IPv6 is at most 128",
        (Ok(_), _) => "no prefix length behind the slash",
    }
}

impl Word for SocketAddr {
    fn kind() -> String {
        "address with port".into()
    }

    fn schema() -> Schema {
        json!({ "type": "string", "pattern": ADDRESS, "examples": ["0.0.0.0:10000", "[::]:10000"] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let port = value
                .get_ref()
                .as_integer()
                .map_or("10000", |port| port.as_str());
            let example = format!("{} = \"0.0.0.0:{port}\"", cx.key);
            cx.wrong_type(value, "an address with a port", &example);
            return None;
        };
        let read = text.parse();
        if read.is_err() {
            let port = if cx.owner == "[admin]" {
                "9600"
            } else {
                "10000"
            };
            let (why, fix) = why_no_socket_address(text, port);
            let what = format!("{} is no address with a port", cx.subject());
            cx.error(&value.span(), what).why(why).fix(fix);
        }
        read.ok()
    }
}

/// Reason and remedy; `usual` is a port for examples.
fn why_no_socket_address(text: &str, usual: &str) -> (String, String) {
    let any = |port: &str| {
        format!(
            "\"0.0.0.0:{port}\" listens on every IPv4 address, \"[::]:{port}\" on every IPv6 one"
        )
    };
    if text.parse::<Ipv4Addr>().is_ok() {
        return (
            "the port is missing".into(),
            format!("write \"{text}:{usual}\""),
        );
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return (
            "the port is missing".into(),
            format!("write \"[{text}]:{usual}\""),
        );
    }
    if text.contains("://") {
        return ("a bind is no URL".into(), any(usual));
    }
    if text.parse::<u16>().is_ok() {
        return ("the address is missing".into(), any(text));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return ("the port is missing".into(), any(usual));
    };
    if port.parse::<u16>().is_err() {
        return (
            format!("{port:?} is no port, which is a number up to 65535"),
            any(usual),
        );
    }
    match host {
        "" | "*" => ("the address is missing".into(), any(port)),
        "localhost" => (
            "a bind is a number, not a name".into(),
            format!("\"127.0.0.1:{port}\" listens on this machine only"),
        ),
        host if host.contains(':') => (
            "an IPv6 address stands in brackets".into(),
            format!("write \"[{host}]:{port}\""),
        ),
        _ => ("a bind is a number, not a name".into(), any(port)),
    }
}

/// For editors: what reading refuses besides is told by `howdah check`.
const NETWORK: &str = "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$";
const ADDRESS: &str = r"^([0-9.]+|\[[0-9A-Fa-f:.]+(%[0-9]+)?\]):[0-9]{1,5}$";
const GOOD_DURATION: &str = "durations are \"500ms\", \"30s\", \"5m\", \"12h\", \"7d\"";
const GOOD_NETWORK: &str = "a network is \"10.0.0.0/8\" or \"fd00::/8\", one address \"10.0.0.7\"";
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

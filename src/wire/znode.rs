//! What a HiveServer2 writes of itself into ZooKeeper: its znode's name, and the settings that the znode holds.
//!
//! Three forms, all of apache/hive: the name `serverUri=HOST:PORT;version=V;sequence=N` with `key=value` pairs joined by `;` as
//! data (`hive.server2.zookeeper.publish.configs`, the default); the same name with `HOST:PORT` as data; and, of a pair of
//! which one is active, `instance-N` with a service record in JSON (`HS2ActivePassiveHARegistry.java`).

use super::json;

/// What one znode says. Settings that it does not hold are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// Host name or address, without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// Of Hive, from the znode's name.
    pub version: Option<String>,
    /// False for the one of a pair that stands by.
    pub passive: bool,
    /// `hive.server2.transport.mode`.
    pub transport: Option<String>,
    /// `hive.server2.use.SSL`.
    pub tls: Option<bool>,
    /// `hive.server2.authentication`.
    pub authentication: Option<String>,
    /// `hive.server2.authentication.kerberos.principal`.
    pub principal: Option<String>,
    /// `hive.server2.thrift.http.path`.
    pub http_path: Option<String>,
}

/// Why a znode names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZnodeError {
    /// Neither form.
    #[error("its name is neither serverUri=HOST:PORT;... nor instance-N")]
    Name,
    /// Nothing in it is a host and a port.
    #[error("neither its name nor its data has a host and a port")]
    Address,
    /// An address on which a server listens, and to which nobody can connect.
    #[error(
        "its address is the wildcard: hive.server2.thrift.bind.host must be a name or an address that others reach"
    )]
    Wildcard,
    /// Not JSON.
    #[error("its data are no service record in JSON")]
    Record,
    /// More than settings ever take.
    #[error("its data are longer than {DATA_MAX} bytes")]
    Long,
}

/// Whether a znode of that name can be a server's: its data are worth reading.
pub fn is_server(name: &str) -> bool {
    name.starts_with(URI) || name.starts_with(INSTANCE)
}

/// What the znode `name` with these data says.
///
/// # Errors
/// It names no server.
pub fn registered(name: &str, data: &[u8]) -> Result<Registered, ZnodeError> {
    if data.len() > DATA_MAX {
        return Err(ZnodeError::Long);
    }
    let found = match name.strip_prefix(URI) {
        Some(rest) => by_name(rest, data),
        None if name.starts_with(INSTANCE) => by_record(data),
        None => Err(ZnodeError::Name),
    }?;
    match is_wildcard(&found.host) {
        true => Err(ZnodeError::Wildcard),
        false => Ok(found),
    }
}

fn by_name(rest: &str, data: &[u8]) -> Result<Registered, ZnodeError> {
    let mut words = rest.split(';');
    let named = words.next().unwrap_or_default();
    let version = words.find_map(|word| word.strip_prefix("version="));
    let text = String::from_utf8_lossy(data);
    let of = |key: &str| {
        (text.split(';')).find_map(|pair| pair.trim().strip_prefix(key)?.strip_prefix('='))
    };
    let (host, port) = [of(INSTANCE_URI), Some(text.trim()), Some(named)]
        .into_iter()
        .flatten()
        .find_map(address)
        .ok_or(ZnodeError::Address)?;
    Ok(Registered {
        host,
        port,
        version: version.map(str::to_owned),
        passive: false,
        ..settings(|key| of(key).map(str::to_owned))
    })
}

fn by_record(data: &[u8]) -> Result<Registered, ZnodeError> {
    let at = |pointer: &str| match json::at(data, pointer) {
        Ok(json::Found::Scalar(text)) => Ok(Some(text)),
        Ok(_) => Ok(None),
        Err(_) => Err(ZnodeError::Record),
    };
    let (host, port) = at(&format!("/{INSTANCE_URI}"))?
        .as_deref()
        .and_then(address)
        .ok_or(ZnodeError::Address)?;
    let mut active = false;
    for place in 0..ENDPOINTS {
        active |= at(&format!("/internal/{place}/api"))?.as_deref() == Some("activeEndpoint");
    }
    Ok(Registered {
        host,
        port,
        version: None,
        passive: !active,
        ..settings(|key| at(&format!("/{key}")).ok().flatten())
    })
}

fn settings(of: impl Fn(&str) -> Option<String>) -> Registered {
    let of = |key: &str| {
        let value = of(key)?.trim().to_owned();
        (!value.is_empty() && value != "null").then_some(value)
    };
    Registered {
        transport: of("hive.server2.transport.mode").map(|mode| mode.to_ascii_lowercase()),
        tls: of("hive.server2.use.SSL").and_then(|word| word.to_ascii_lowercase().parse().ok()),
        authentication: of("hive.server2.authentication").map(|word| word.to_ascii_uppercase()),
        principal: of("hive.server2.authentication.kerberos.principal"),
        http_path: of("hive.server2.thrift.http.path"),
        ..Registered::default()
    }
}

/// `HOST:PORT`, `[V6]:PORT`, or what Java makes of an address of version 6, which has no brackets.
fn address(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.trim().rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let is_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = (1..=HOST_MAX).contains(&host.len()) && host.bytes().all(is_label);
    (is_v6 || bare.is_none() && is_name).then(|| (host.to_ascii_lowercase(), port))
}

fn is_wildcard(host: &str) -> bool {
    host.parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_unspecified())
}

const URI: &str = "serverUri=";
const INSTANCE: &str = "instance-";
const INSTANCE_URI: &str = "hive.server2.instance.uri";

/// Hive's settings are a few hundred bytes.
const DATA_MAX: usize = 64 * 1024;

/// Of a service record; Hive writes one.
const ENDPOINTS: usize = 4;

/// RFC 1035 §2.3.4.
const HOST_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "serverUri=hs2-1.example.com:10000;version=3.1.3;sequence=0000000042";

    #[test]
    fn settings_are_read_as_hive_publishes_them() {
        let data = "hive.server2.instance.uri=hs2-1.example.com:10001;hive.server2.authentication=KERBEROS;\
            hive.server2.transport.mode=http;hive.server2.thrift.http.port=10001;\
            hive.server2.thrift.http.path=cliservice;hive.server2.thrift.bind.host=hs2-1.example.com;\
            hive.server2.use.SSL=true;hive.server2.authentication.kerberos.principal=hive/_HOST@EXAMPLE.COM";
        let wanted = Registered {
            host: "hs2-1.example.com".into(),
            port: 10001,
            version: Some("3.1.3".into()),
            passive: false,
            transport: Some("http".into()),
            tls: Some(true),
            authentication: Some("KERBEROS".into()),
            principal: Some("hive/_HOST@EXAMPLE.COM".into()),
            http_path: Some("cliservice".into()),
        };
        assert_eq!(registered(NAME, data.as_bytes()), Ok(wanted));
    }

    #[test]
    fn where_nothing_is_published_the_address_is_in_the_data_or_in_the_name() {
        for (data, host, port) in [
            ("hs2-9.example.com:10009", "hs2-9.example.com", 10009),
            ("", "hs2-1.example.com", 10000),
            ("\u{fffd}\0 rubbish", "hs2-1.example.com", 10000),
            (
                "hive.server2.instance.uri=nonsense",
                "hs2-1.example.com",
                10000,
            ),
            ("hive.server2.instance.uri=fe80::1:10000", "fe80::1", 10000),
            ("[2001:db8::7]:10000", "2001:db8::7", 10000),
        ] {
            let found = registered(NAME, data.as_bytes()).unwrap();
            assert_eq!((found.host.as_str(), found.port), (host, port), "{data}");
            assert_eq!(found.version.as_deref(), Some("3.1.3"));
            assert_eq!(
                (found.transport, found.tls, found.principal),
                (None, None, None)
            );
        }
    }

    #[test]
    fn of_a_pair_the_record_says_who_is_active() {
        let record = |api: &str| {
            format!(
                r#"{{"type":"JSONServiceRecord","external":[],"internal":[{{"api":"{api}","addressType":"host/port",
                "protocolType":"hadoop/IPC","addresses":[{{"host":"hs2-1","port":"10000"}}]}}],
                "hive.server2.instance.uri":"hs2-1:10000","hive.server2.use.SSL":"false","hive.server2.webui.port":"10002"}}"#
            )
        };
        for (api, passive) in [("activeEndpoint", false), ("passiveEndpoint", true)] {
            let found = registered("instance-0000000003", record(api).as_bytes()).unwrap();
            assert_eq!((found.host.as_str(), found.port), ("hs2-1", 10000));
            assert_eq!((found.passive, found.tls), (passive, Some(false)), "{api}");
        }
    }

    #[test]
    fn what_names_no_server_says_why() {
        for (name, data, why) in [
            ("_LEADER", "", ZnodeError::Name),
            ("serverUri=;version=1", "", ZnodeError::Address),
            ("serverUri=a b:1", "", ZnodeError::Address),
            ("serverUri=host:0", "", ZnodeError::Address),
            ("serverUri=host:65536", "", ZnodeError::Address),
            ("serverUri=[host]:1", "", ZnodeError::Address),
            (
                "serverUri=0.0.0.0:10000;version=1",
                "",
                ZnodeError::Wildcard,
            ),
            ("serverUri=[::]:10000", "", ZnodeError::Wildcard),
            ("instance-1", "{", ZnodeError::Record),
            ("instance-1", "{}", ZnodeError::Address),
        ] {
            assert_eq!(registered(name, data.as_bytes()), Err(why), "{name}");
        }
        let long = vec![b'x'; DATA_MAX + 1];
        assert_eq!(registered(NAME, &long), Err(ZnodeError::Long));
    }

    proptest! {
        #[test]
        fn whatever_a_znode_holds_a_server_has_a_host_and_a_port(
            name in "(serverUri=|instance-)?\\PC{0,40}(:[0-9]{1,6})?(;version=\\PC{0,9})?",
            data in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "(hive\\.server2\\.[a-z.]{1,20}=[^;]{0,20};){0,6}".prop_map(String::into_bytes),
                "\\{(\"[a-z./0-9]{1,9}\":\"\\PC{0,9}\",?){0,5}\\}".prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(found) = registered(&name, &data) {
                prop_assert!(is_server(&name));
                prop_assert!(found.port != 0 && !found.host.is_empty() && found.host.len() <= HOST_MAX);
                prop_assert!(found.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)));
            }
        }
    }
}

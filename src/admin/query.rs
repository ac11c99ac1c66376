//! What stands after the `?`: read once, by what the endpoint declares; a fault names the parameter.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::answer::Fault;
use super::path::decode;
use crate::base::unit;

/// One parameter of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    /// A sentence for the document.
    pub(super) about: &'static str,
    pub(super) example: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A name, or whatever.
    Text,
    /// A whole number, from and up to.
    Count(u64, u64),
    /// Like `30m`, at most a year.
    Span,
    /// Like `10.1.2.3`.
    Address,
    /// Like `10.0.0.0/8`, or one address.
    Network,
    /// One of these.
    Word(&'static [&'static str]),
}

/// The parameters that were sent.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(&'static str, Value)>);

#[derive(Debug)]
enum Value {
    Text(String),
    Count(u64),
    Span(Duration),
    Address(IpAddr),
    Network(IpNet),
}

impl Query {
    /// Where nothing is declared, nothing is read.
    pub(super) fn read(sent: Option<&str>, known: &'static [Parameter]) -> Result<Self, Fault> {
        let mut query = Self::default();
        let sent = sent.filter(|_| !known.is_empty()).unwrap_or_default();
        for pair in sent.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let parameter = known.iter().find(|one| one.name == name);
            let parameter = parameter.ok_or_else(|| unknown(name, known))?;
            let name = parameter.name;
            if query.find(name).is_some() {
                return Err(wrong(name, "stands there twice"));
            }
            let text = decode(&value.replace('+', " "));
            let text = text.map_err(|_| wrong(name, "is not percent-encoded UTF-8"))?;
            query.0.push((name, parameter.kind.read(name, text)?));
        }
        let missing = known
            .iter()
            .find(|one| one.is_required && query.find(one.name).is_none());
        match missing {
            Some(one) => Err(wrong(
                one.name,
                &format!("is missing: say for example {}={}", one.name, one.example),
            )),
            None => Ok(query),
        }
    }

    /// For orders: where nothing is declared, nothing may be sent, so that nobody believes to have said what was passed over.
    /// `body` is an example of what the order takes instead.
    pub(super) fn obey(
        sent: Option<&str>,
        known: &'static [Parameter],
        body: Option<&str>,
    ) -> Result<Self, Fault> {
        let first = sent.and_then(|sent| sent.split('&').find(|pair| !pair.is_empty()));
        match first.filter(|_| known.is_empty()) {
            Some(pair) => Err(refused(pair.split('=').next().unwrap_or(pair), body)),
            None => Self::read(sent, known),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }
}

/// Each is `None` where it was not sent.
impl Query {
    /// Of [`Kind::Text`] and [`Kind::Word`].
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.find(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn count(&self, name: &str) -> Option<u64> {
        match self.find(name)? {
            Value::Count(count) => Some(*count),
            _ => None,
        }
    }

    pub(super) fn span(&self, name: &str) -> Option<Duration> {
        match self.find(name)? {
            Value::Span(span) => Some(*span),
            _ => None,
        }
    }

    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        match self.find(name)? {
            Value::Address(address) => Some(*address),
            _ => None,
        }
    }

    pub(super) fn network(&self, name: &str) -> Option<IpNet> {
        match self.find(name)? {
            Value::Network(network) => Some(*network),
            _ => None,
        }
    }
}

impl Kind {
    fn read(self, name: &str, text: String) -> Result<Value, Fault> {
        if text.is_empty() {
            return Err(wrong(name, "is empty: leave it away"));
        }
        let value = match self {
            Self::Text => Some(Value::Text(text)),
            Self::Count(least, most) => {
                let count = text.parse().ok();
                let count = count.filter(|count| (least..=most).contains(count));
                count.map(Value::Count)
            }
            Self::Span => {
                let span = unit::duration(&text).ok();
                span.filter(|span| *span <= LONGEST).map(Value::Span)
            }
            Self::Address => text.parse().ok().map(Value::Address),
            Self::Network => {
                let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
                let network = text.parse().ok().or_else(one);
                network.map(canonical).map(Value::Network)
            }
            Self::Word(words) => words
                .iter()
                .any(|word| *word == text)
                .then_some(Value::Text(text)),
        };
        value.ok_or_else(|| wrong(name, &format!("must be {}", self.wanted())))
    }

    /// As the end of a sentence.
    fn wanted(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Count(least, most) => format!("a whole number from {least} to {most}"),
            Self::Span => "a duration like \"30m\", at most a year".into(),
            Self::Address => "an IP address like 10.1.2.3".into(),
            Self::Network => "an IP address or a network like 10.0.0.0/8".into(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
        }
    }
}

fn wrong(name: &str, what: &str) -> Fault {
    Fault::Request(format!("the parameter \"{name}\" {what}"))
}

fn unknown(name: &str, known: &[Parameter]) -> Fault {
    let known: Vec<_> = known.iter().map(|one| one.name).collect();
    Fault::Request(format!(
        "there is no parameter {name:?} here: known are {}",
        known.join(", ")
    ))
}

fn refused(name: &str, body: Option<&str>) -> Fault {
    let name: String = name.chars().take(NAME_SHOWN).collect();
    let taken = body.map_or_else(
        || "nothing".into(),
        |body| format!("a JSON body like {body}"),
    );
    Fault::Request(format!(
        "there is no parameter {name:?} here: this order takes {taken}"
    ))
}

/// IPv4 in IPv6's clothes is IPv4, as for addresses of clients.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else {
        return network;
    };
    let four = six.addr().to_ipv4_mapped();
    let length = six.prefix_len().checked_sub(MAPPED);
    let four = four
        .zip(length)
        .map(|(four, length)| Ipv4Net::new(four, length));
    four.and_then(Result::ok).map_or(network, IpNet::V4)
}

/// Bits that stand before an IPv4 address in IPv6.
const MAPPED: u8 = 96;
/// Characters of a name that nobody knows.
const NAME_SHOWN: usize = 64;
/// What [`Kind::Span`] may be, as a regular expression for those who do not read sentences.
pub(super) const SPAN: &str = "^([0-9]{1,8}ms|[0-9]{1,7}s|[0-9]{1,5}m|[0-9]{1,3}h([0-9]{1,2}m)?|[12]?[0-9]{1,2}d|3[0-5][0-9]d|36[0-5]d)$";
/// tokio's clock ends some years from now.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    const fn named(name: &'static str, kind: Kind) -> Parameter {
        Parameter {
            name,
            kind,
            is_required: false,
            about: "",
            example: "x",
        }
    }

    const KNOWN: &[Parameter] = &[
        named("pool", Kind::Text),
        named("limit", Kind::Count(1, 100)),
        named("since", Kind::Span),
        named("client", Kind::Network),
        named("from", Kind::Address),
        named("kind", Kind::Word(&["health", "order"])),
    ];

    #[test]
    fn what_is_declared_is_read() {
        let sent = "pool=a%20b+c&limit=100&since=1h30m&client=10.0.0.0/8&from=%3A%3A1&kind=order&";
        let query = Query::read(Some(sent), KNOWN).expect("good");
        assert_eq!(query.text("pool"), Some("a b c"));
        assert_eq!(query.count("limit"), Some(100));
        assert_eq!(query.span("since"), Some(Duration::from_secs(5400)));
        assert_eq!(query.network("client"), "10.0.0.0/8".parse().ok());
        assert_eq!(query.address("from"), "::1".parse().ok());
        assert_eq!(query.text("kind"), Some("order"));
        let query = Query::read(Some("client=10.1.2.3"), KNOWN).expect("good");
        assert_eq!(query.network("client"), "10.1.2.3/32".parse().ok());
        assert_eq!(query.text("pool"), None);
    }

    #[test]
    fn a_fault_names_the_parameter() {
        for (sent, sentence) in [
            ("pol=x", "no parameter \"pol\" here: known are pool, limit"),
            ("pool=x&pool=y", "\"pool\" stands there twice"),
            ("pool=%zz", "\"pool\" is not percent-encoded"),
            ("pool=", "\"pool\" is empty"),
            ("limit=0", "\"limit\" must be a whole number from 1 to 100"),
            ("limit=-1", "\"limit\" must be a whole number"),
            ("since=1", "\"since\" must be a duration like"),
            ("since=366d", "at most a year"),
            ("client=10", "\"client\" must be an IP address or a network"),
            ("from=10.0.0.0/8", "\"from\" must be an IP address"),
            ("kind=x", "\"kind\" must be one of health, order"),
        ] {
            let fault = Query::read(Some(sent), KNOWN).expect_err(sent);
            assert!(fault.sentence().contains(sentence), "{sent}: {fault:?}");
        }
    }

    #[test]
    fn what_is_required_is_missed() {
        const ASKED: &[Parameter] = &[Parameter {
            is_required: true,
            ..named("client", Kind::Address)
        }];
        let fault = Query::read(None, ASKED).expect_err("missing");
        assert!(fault.sentence().contains("\"client\" is missing"));
    }

    #[test]
    fn where_nothing_is_declared_anything_goes() {
        assert!(Query::read(Some("name[]=%zz&&=&x"), &[]).is_ok());
    }

    #[test]
    fn an_order_takes_nothing_that_it_does_not_know() {
        let body = Some(r#"{"dry_run": true}"#);
        let fault = Query::obey(Some("&dry_run=true"), &[], body).expect_err("unknown");
        let wanted =
            "no parameter \"dry_run\" here: this order takes a JSON body like {\"dry_run\": true}";
        assert!(fault.sentence().contains(wanted), "{fault:?}");
        let fault = Query::obey(Some("x"), &[], None).expect_err("unknown");
        assert!(fault.sentence().ends_with("takes nothing"), "{fault:?}");
        for sent in [None, Some(""), Some("&")] {
            assert!(Query::obey(sent, &[], body).is_ok());
        }
        assert!(Query::obey(Some("limit=5"), KNOWN, body).is_ok());
    }

    #[test]
    fn a_network_of_mapped_addresses_is_the_one_of_ipv4() {
        for (sent, wanted) in [
            ("::ffff:127.0.0.1", "127.0.0.1/32"),
            ("::ffff:127.0.0.0/104", "127.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::ffff:0:0/95", "::ffff:0:0/95"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            let sent = format!("client={sent}");
            let query = Query::read(Some(&sent), KNOWN).expect("good");
            assert_eq!(query.network("client"), wanted.parse().ok(), "{sent}");
        }
    }
}

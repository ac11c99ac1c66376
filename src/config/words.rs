//! Values of the file, each with its place, and what to say when one is not what was asked for.
//!
//! Between the TOML parser and the tables of `file`: a [`Word`] is a type that can be read from one value. Reading never
//! stops at a fault: it is noted in [`Cx`] and the field becomes [`Field::Faulty`], so that one run shows them all and
//! nothing is reported twice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Fault, Severity};
use super::source::{Source, Span};
use super::suggest;
use crate::base::unit;

/// A value of the file.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Something read, and where it stood.
#[derive(Clone, Debug)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// What became of one key.
#[derive(Clone, Debug, Default)]
pub(super) enum Field<T> {
    /// Not in the file: the default holds.
    #[default]
    Absent,
    /// In the file, but wrong, which has been said.
    Faulty,
    /// Read.
    Given(Spot<T>),
}

/// Can be read from one value.
pub(super) trait Word: Sized {
    /// What it is called in the reference: "duration".
    const KIND: &'static str;

    /// Notes what is wrong in `cx` and gives `None`.
    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self>;
}

/// One value or a list of them.
#[derive(Clone, Debug)]
pub(super) struct Many<T>(pub(super) Vec<Spot<T>>);

/// A list.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<Spot<T>>,
    /// How many there were, faulty ones included.
    pub(super) written: usize,
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<const LOW: u64, const HIGH: u64>(pub(super) u64);

/// The path of a file, as written.
#[derive(Clone, Debug)]
pub(super) struct FilePath(pub(super) String);

/// What reading and lowering share: the source, the faults so far, and whose table is being read.
pub(super) struct Cx {
    pub(super) source: Source,
    pub(super) faults: Vec<Fault>,
    /// `pool "hive"`.
    pub(super) owner: String,
    /// The key whose value is being read.
    pub(super) key: String,
    base: PathBuf,
}

impl<T> Field<T> {
    pub(super) fn get(&self) -> Option<&Spot<T>> {
        match self {
            Self::Given(spot) => Some(spot),
            Self::Absent | Self::Faulty => None,
        }
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.get().map(|spot| &spot.value)
    }

    pub(super) fn span(&self) -> Option<Span> {
        self.get().map(|spot| spot.span.clone())
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Clone> Field<T> {
    pub(super) fn or(&self, default: T) -> T {
        self.value().cloned().unwrap_or(default)
    }
}

impl Cx {
    pub(super) fn new(path: &Path, text: String) -> Self {
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self {
            source: Source::new(&path.display().to_string(), text),
            faults: Vec::new(),
            owner: String::new(),
            key: String::new(),
            base,
        }
    }

    /// Notes a fault; `why` and `fix` are added to what comes back.
    pub(super) fn error(&mut self, span: &Span, what: impl Into<String>) -> &mut Fault {
        self.note(Severity::Error, Some(span), what.into())
    }

    /// Notes a fault of the file as a whole.
    pub(super) fn error_anywhere(&mut self, what: impl Into<String>) -> &mut Fault {
        self.note(Severity::Error, None, what.into())
    }

    /// Notes a warning.
    pub(super) fn warning(&mut self, span: &Span, what: impl Into<String>) -> &mut Fault {
        self.note(Severity::Warning, Some(span), what.into())
    }

    fn note(&mut self, severity: Severity, span: Option<&Span>, what: String) -> &mut Fault {
        let place = span.map(|span| self.source.place(span));
        let fault = Fault {
            severity,
            what,
            place,
            why: String::new(),
            fix: Vec::new(),
        };
        let at = self.faults.len();
        self.faults.push(fault);
        &mut self.faults[at]
    }

    /// A path of the file, relative to the file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Reads the value of one key.
    pub(super) fn field<T: Word>(&mut self, key: &str, value: &Value<'_>) -> Field<T> {
        let outer = std::mem::replace(&mut self.key, key.to_owned());
        let field = match T::read(value, self) {
            Some(read) => Field::Given(Spot {
                value: read,
                span: value.span(),
            }),
            None => Field::Faulty,
        };
        self.key = outer;
        field
    }

    /// The table in `value`, or a fault.
    pub(super) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        example: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table", example);
        }
        table
    }

    /// The fault of a value of another type.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, want: &str, example: &str) {
        let is = kind_of(value.get_ref());
        let what = format!("{} in {} is {is}, not {want}", self.key, self.owner);
        let fault = self
            .error(&value.span(), what)
            .why(format!("{want} is wanted"));
        if !example.is_empty() {
            fault.fix(format!("write {example}"));
        }
    }
}

/// With an article, as people say it.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl Word for String {
    const KIND: &'static str = "text";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.as_ref().to_owned()),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                let written = cx.source.text()[value.span()].trim().to_owned();
                let example = format!("{} = \"{written}\"", cx.key);
                cx.wrong_type(value, "text", &example);
                None
            }
            _ => {
                cx.wrong_type(value, "text", &format!("{} = \"...\"", cx.key));
                None
            }
        }
    }
}

impl Word for FilePath {
    const KIND: &'static str = "path";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let path = String::read(value, cx)?;
        if path.is_empty() {
            let what = format!("{} in {} names no file", cx.key, cx.owner);
            cx.error(&value.span(), what).why("a path is wanted");
            return None;
        }
        Some(Self(path))
    }
}

impl Word for bool {
    const KIND: &'static str = "true or false";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            let key = &cx.key;
            let example = format!("{key} = true or {key} = false, without quotes");
            cx.wrong_type(value, "true or false", &example);
        }
        read
    }
}

impl<const LOW: u64, const HIGH: u64> Word for Whole<LOW, HIGH> {
    const KIND: &'static str = "number";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let DeValue::Integer(digits) = value.get_ref() else {
            let example = match value.get_ref().as_str().map(str::parse::<u64>) {
                Some(Ok(number)) => format!("{} = {number}, without quotes", cx.key),
                _ => format!("{} = {}", cx.key, LOW.max(1)),
            };
            cx.wrong_type(value, "a whole number", &example);
            return None;
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
        let fits = u64::try_from(number)
            .ok()
            .filter(|number| (LOW..=HIGH).contains(number));
        if fits.is_none() {
            let small = number < i128::from(LOW);
            let what = format!(
                "{} in {} is too {}",
                cx.key,
                cx.owner,
                if small { "small" } else { "large" }
            );
            cx.error(&value.span(), what)
                .why(format!("{LOW} to {HIGH}"));
        }
        fits.map(Self)
    }
}

impl Word for Duration {
    const KIND: &'static str = "duration";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let example = match value.get_ref().as_integer() {
                Some(number) => format!("{} = \"{number}s\", if seconds are meant", cx.key),
                None => format!("{} = \"30s\"", cx.key),
            };
            cx.wrong_type(value, "a duration", &example);
            return None;
        };
        let (what, why) = match unit::duration(text) {
            Ok(read) if read.is_zero() => ("of no length", "must be longer than zero".to_owned()),
            Ok(read) if read > LONGEST => ("too long", "at most \"365d\"".to_owned()),
            Ok(read) => return Some(read),
            Err(error) => ("not a duration", error.to_string()),
        };
        let what = format!("{} in {} is {what}", cx.key, cx.owner);
        cx.error(&value.span(), what).why(why).fix(GOOD_DURATION);
        None
    }
}

impl Word for IpNet {
    const KIND: &'static str = "network";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let text = String::read(value, cx)?;
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Some(Self::from(address));
        }
        let Ok(net) = text.parse::<Self>() else {
            let what = format!("{} in {} has no network in {text:?}", cx.key, cx.owner);
            cx.error(&value.span(), what)
                .why(why_no_network(&text))
                .fix("a network looks like \"10.0.0.0/8\" or \"fd00::/8\", one address like \"10.0.0.7\"");
            return None;
        };
        if net.trunc() != net {
            let what = format!("{} in {} has bits behind its prefix", cx.key, cx.owner);
            let meant = net.trunc();
            cx.warning(&value.span(), what)
                .why(format!("taken as {meant}"));
        }
        Some(net.trunc())
    }
}

fn why_no_network(text: &str) -> &'static str {
    let Some((address, prefix)) = text.split_once('/') else {
        return "neither an address nor a network";
    };
    let known = address.parse::<std::net::IpAddr>();
    match (known, prefix.parse::<u8>()) {
        (Err(_), _) => "no address before the slash",
        (Ok(std::net::IpAddr::V4(_)), Ok(33..)) => "the prefix of IPv4 is at most 32",
        (Ok(std::net::IpAddr::V6(_)), Ok(129..)) => "the prefix of IPv6 is at most 128",
        (Ok(_), _) => "no prefix length behind the slash",
    }
}

impl Word for SocketAddr {
    const KIND: &'static str = "address";

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        if let Some(port) = value.get_ref().as_integer() {
            let example = format!("{} = \"0.0.0.0:{port}\"", cx.key);
            cx.wrong_type(value, "an address with a port", &example);
            return None;
        }
        let text = String::read(value, cx)?;
        let read = text.parse();
        if read.is_err() {
            let (why, fix) = why_no_socket_address(&text);
            let what = format!("{} in {} is no address with a port", cx.key, cx.owner);
            cx.error(&value.span(), what).why(why).fix(fix);
        }
        read.ok()
    }
}

/// Reason and remedy.
fn why_no_socket_address(text: &str) -> (String, String) {
    let any = |port: &str| {
        format!(
            "\"0.0.0.0:{port}\" listens on every IPv4 address, \"[::]:{port}\" on every IPv6 one"
        )
    };
    if text.parse::<std::net::Ipv4Addr>().is_ok() {
        return (
            "the port is missing".into(),
            format!("write \"{text}:10000\", with your port"),
        );
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return (
            "the port is missing".into(),
            format!("write \"[{text}]:10000\", with your port"),
        );
    }
    if text.contains("://") {
        return ("a bind is no URL".into(), any("10000"));
    }
    if text.parse::<u16>().is_ok() {
        return ("the address is missing".into(), any(text));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return ("the port is missing".into(), any("10000"));
    };
    if port.parse::<u16>().is_err() {
        return (
            format!("{port:?} is no port, which is a number up to 65535"),
            any("10000"),
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

impl<T: Word> Word for Many<T> {
    const KIND: &'static str = T::KIND;

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            let one = T::read(value, cx)?;
            return Some(Self(vec![Spot {
                value: one,
                span: value.span(),
            }]));
        };
        if array.is_empty() {
            return Some(Self(Vec::new()));
        }
        let items = read_all(array.iter(), cx);
        (items.len() == array.len()).then_some(Self(items))
    }
}

impl<T: Word> Word for List<T> {
    const KIND: &'static str = T::KIND;

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            cx.wrong_type(value, "a list", &list_example::<T>(value, cx));
            return None;
        };
        let items = read_all(array.iter(), cx);
        Some(Self {
            items,
            written: array.len(),
        })
    }
}

fn list_example<T>(value: &Value<'_>, cx: &Cx) -> String {
    match value.get_ref() {
        DeValue::Table(_) if cx.key == "listener" || cx.key == "route" => {
            "double brackets: there may be several of them".into()
        }
        DeValue::Table(_) | DeValue::Array(_) => format!("{} = [...]", cx.key),
        _ => {
            let written = &cx.source.text()[value.span()];
            let line = written.lines().next().unwrap_or("...");
            format!("{} = [{line}]", cx.key)
        }
    }
}

fn read_all<'v, 'i: 'v, T: Word>(
    values: impl Iterator<Item = &'v Value<'i>>,
    cx: &mut Cx,
) -> Vec<Spot<T>> {
    let mut items = Vec::new();
    for value in values {
        if let Some(read) = T::read(value, cx) {
            items.push(Spot {
                value: read,
                span: value.span(),
            });
        }
    }
    items
}

/// A key whose value is one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// "balancer", for "asks for an unknown balancer".
    const NOUN: &'static str;
    /// In the order of the docs.
    const ALL: &'static [(&'static str, Self)];
    /// Words of other programs.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];

    /// More to say than the nearest word.
    fn advice(_word: &str) -> Option<&'static str> {
        None
    }
}

/// Reads a word of a closed set.
pub(super) fn choose<C: Choice>(value: &Value<'_>, cx: &mut Cx) -> Option<C> {
    let word = String::read(value, cx)?;
    if let Some((_, choice)) = C::ALL.iter().find(|(known, _)| *known == word) {
        return Some(*choice);
    }
    let known: Vec<&str> = C::ALL.iter().map(|(known, _)| *known).collect();
    let what = format!("{} asks for an unknown {} {word:?}", cx.owner, C::NOUN);
    let hint = suggest::value(&word, &known, C::ALIASES);
    let fault = cx
        .error(&value.span(), what)
        .why(format!("known: {}", known.join(", ")));
    if let Some(advice) = C::advice(&word) {
        fault.fix(advice);
    } else if let Some(hint) = hint {
        fault.fix(hint);
    }
    None
}

const GOOD_DURATION: &str = "durations are \"500ms\", \"30s\", \"5m\", \"12h\", \"7d\"";
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

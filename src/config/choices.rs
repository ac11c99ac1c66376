//! The keys whose value is one of a few words, with what other programs call them.

use super::cx::Cx;
use super::field::Value;
use super::words::Word;
use super::{foreign, suggest};
use crate::plan::{
    Balance, ClientAuth, Confine, CpuAffinity, Depth, Dial, LogFormat, LogLevel, Observe, OnDown,
    OnRefuse, Protocol, ProxyVersion, RelayWay, Sni, TlsVersion,
};

/// Key `probe.auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    Plain,
    NoSasl,
}

/// Key `probe.transport`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Binary,
    Http,
}

/// Key `probe.via`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    Web,
    Thrift,
}

/// Key `sticky.by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StickyBy {
    SourceIp,
    None,
}

macro_rules! choices {
    ($( $type:ty, $noun:literal, [$( $word:literal => $value:expr ),* $(,)?] $(, aliases $aliases:expr)? $(, advice $advice:expr)?; )*) => { $(
        impl Choice for $type {
            const NOUN: &'static str = $noun;
            $( const ALIASES: &'static [(&'static str, &'static str)] = $aliases; )?

            fn all() -> Vec<(&'static str, Self)> {
                vec![$( ($word, $value) ),*]
            }

            $( fn advice(word: &str) -> Option<String> {
                let advice: fn(&str) -> Option<&'static str> = $advice;
                advice(word).map(str::to_owned)
            } )?
        }
    )* };
}

choices! {
    LogLevel, "log level", [
        "error" => Self::Error,
        "warn" => Self::Warn,
        "info" => Self::Info,
        "debug" => Self::Debug,
        "trace" => Self::Trace,
    ], advice |word: &str| match word.to_lowercase().as_str() {
        "warning" | "notice" => Some("did you mean \"warn\"?"),
        "err" | "crit" | "critical" | "alert" | "emerg" | "fatal" => Some("did you mean \"error\"?"),
        _ => None,
    };
    RelayWay, "way to relay", [
        "auto" => Self::Auto,
        "copy" => Self::Copy,
        "splice" => Self::Splice,
    ];
    CpuAffinity, "processor affinity", [
        "auto" => Self::Auto,
        "none" => Self::None,
    ];
    Sni, "rule for names", [
        "any" => Self::Any,
        "strict" => Self::Strict,
    ];
    Confine, "lock", [
        "auto" => Self::Auto,
        "landlock" => Self::Landlock,
        "seccomp" => Self::Seccomp,
        "off" => Self::Off,
    ];
    LogFormat, "log format", ["json" => Self::Json, "text" => Self::Text];
    Balance, "balancer", [
        "round-robin" => Self::RoundRobin,
        "least-connection" => Self::LeastConnection,
        "response-time" => Self::ResponseTime,
        "random" => Self::Random,
        "source-hash" => Self::SourceHash,
    ], aliases foreign::BALANCE, advice |word: &str| match word {
        "first" => Some("howdah has no \"first\": mark the servers that should wait with backup = true"),
        "uri" | "url_param" | "hdr" | "rdp-cookie" => {
            Some("howdah does not read requests: \"source-hash\" keeps a client's address on one server")
        }
        _ => None,
    };
    ProxyVersion, "PROXY protocol version", ["v1" => Self::V1, "v2" => Self::V2];
    Protocol, "protocol", ["tcp" => Self::Tcp, "udp" => Self::Udp];
    OnRefuse, "on_refuse", ["close" => Self::Close, "reset" => Self::Reset, "hold" => Self::Hold];
    Dial, "dial", ["late" => Self::Late, "at-once" => Self::AtOnce];
    TlsVersion, "TLS version", ["1.2" => Self::V1_2, "1.3" => Self::V1_3], advice |word: &str| match word {
        "1.0" | "1.1" | "TLSv1" | "TLSv1.0" | "TLSv1.1" | "SSLv3" => Some("nothing below TLS 1.2 is offered"),
        _ if word.contains("1.3") => Some("did you mean \"1.3\"?"),
        _ if word.contains("1.2") => Some("did you mean \"1.2\"?"),
        _ => None,
    };
    ClientAuth, "client_auth", [
        "none" => Self::None,
        "optional" => Self::Optional,
        "required" => Self::Required,
    ], advice |word: &str| match word {
        "require" | "mandatory" | "verify" | "on" | "yes" => Some("did you mean \"required\"?"),
        "off" | "no" => Some("did you mean \"none\"?"),
        _ => None,
    };
    Observe, "observe", ["sessions" => Self::Sessions, "connects" => Self::Connects], advice |word: &str| match word {
        "layer4" => Some("did you mean \"connects\"? (HAProxy says layer4)"),
        "layer7" => Some("did you mean \"sessions\"?"),
        _ => None,
    };
    OnDown, "on_down", [
        "keep" => Self::Keep,
        "drain" => Self::Drain,
        "reset" => Self::Reset,
    ], advice |word: &str| match word {
        "shutdown-sessions" | "cut" | "close" => Some("did you mean \"reset\"? (HAProxy says shutdown-sessions)"),
        _ => None,
    };
    Depth, "depth", [
        "handshake" => Self::Handshake,
        "session" => Self::Session,
        "query" => Self::Query,
    ];
    Auth, "auth", ["plain" => Self::Plain, "nosasl" => Self::NoSasl], advice |word: &str| {
        match word.to_lowercase().as_str() {
            "kerberos" | "gssapi" => Some(
                "the probe has no Kerberos ticket; auth = \"plain\" with depth = \"handshake\" judges such servers too",
            ),
            "none" | "ldap" | "pam" | "custom" => Some("servers with NONE, LDAP, PAM or CUSTOM take \"plain\""),
            _ => None,
        }
    };
    Transport, "transport", ["binary" => Self::Binary, "http" => Self::Http];
    Via, "via", ["web" => Self::Web, "thrift" => Self::Thrift];
    StickyBy, "kind of stickiness", ["source-ip" => Self::SourceIp, "none" => Self::None],
    advice |word: &str| match word {
        "source" | "src" | "ip" | "client-ip" | "source-address" => Some("did you mean \"source-ip\"?"),
        "cookie" => Some("howdah does not read requests: \"source-ip\" keeps a client's address on one server"),
        _ => None,
    };
}

/// A key whose value is one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// "balancer", for "asks for an unknown balancer".
    const NOUN: &'static str;
    /// HAProxy's words.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];

    /// In the order of the docs.
    fn all() -> Vec<(&'static str, Self)>;

    /// Better than the nearest word.
    fn advice(_word: &str) -> Option<String> {
        None
    }
}

impl<C: Choice> Word for C {
    fn kind() -> String {
        let words = C::all().into_iter().map(|(word, _)| format!("`{word}`"));
        words.collect::<Vec<_>>().join(", ")
    }

    /// A word of a closed set.
    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let all = C::all();
        let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
        let Some(word) = value.get_ref().as_str() else {
            let written = cx.written(value).to_owned();
            let best = known
                .iter()
                .find(|known| **known == written)
                .unwrap_or(&known[0]);
            let example = format!("{} = {best:?} (known: {})", cx.key, known.join(", "));
            cx.wrong_type(value, "text", &example);
            return None;
        };
        if let Some((_, choice)) = all.iter().find(|(known, _)| *known == word) {
            return Some(*choice);
        }
        let what = format!("{} asks for an unknown {} {word:?}", cx.owner, C::NOUN);
        let hint = C::advice(word).or_else(|| suggest::value(word, &known, C::ALIASES));
        let fault = cx
            .error(&value.span(), what)
            .why(format!("known: {}", known.join(", ")));
        hint.map(|hint| fault.fix(hint));
        None
    }
}

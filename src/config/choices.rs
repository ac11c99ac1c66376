//! The keys whose value is one of a few words, with what other programs call them.

use serde_json::{Value as Schema, json};

use super::cx::Cx;
use super::field::Value;
use super::words::Word;
use super::{foreign, suggest};
use crate::base::word::{Label, words};
use crate::plan::{
    AlertTemplate, AnswerEnd, Balance, ClientAuth, ClusterMode, Confine, CpuAffinity, Depth, Dial,
    Facility, Kind, LoadSource, LogFormat, LogLevel, Observe, OnDown, OnRefuse, OnRoleLost,
    Protocol, ProxyVersion, RelayWay, Severity, Sni, TlsVersion,
};

words! {
    /// Key `probe.auth`.
    pub(super) enum Auth {
        /// SASL PLAIN.
        Plain = "plain",
        /// No SASL at all.
        NoSasl = "nosasl",
        /// A ticket, by SASL GSSAPI or in the head of a request.
        Kerberos = "kerberos",
    }
}

words! {
    /// Key `probe.transport`.
    pub(super) enum Transport {
        /// Thrift on the socket.
        Binary = "binary",
        /// Thrift in HTTP requests.
        Http = "http",
    }
}

words! {
    /// Key `probe.via`.
    pub(super) enum Via {
        /// Its web server.
        Web = "web",
        /// A ping by Thrift.
        Thrift = "thrift",
    }
}

words! {
    /// Key `role`.
    pub(super) enum WantedRole {
        /// Whatever they are.
        Any = "any",
        /// The one that serves.
        Active = "active",
        /// Those that would take over.
        Standby = "standby",
        /// Active.
        Leader = "leader",
        /// Active.
        Master = "master",
        /// Active.
        Primary = "primary",
        /// Standby.
        Replica = "replica",
        /// Standby.
        Follower = "follower",
    }
}

words! {
    /// Key `sticky.by`.
    pub(super) enum StickyBy {
        /// The client's address.
        SourceIp = "source-ip",
        /// Nothing: what the service brings is off.
        None = "none",
    }
}

macro_rules! choices {
    ($( $type:ty, $noun:literal $(, aliases $aliases:expr)? $(, advice $advice:expr)?; )*) => { $(
        impl Choice for $type {
            const NOUN: &'static str = $noun;
            $( const ALIASES: &'static [(&'static str, &'static str)] = $aliases; )?

            fn all() -> Vec<(&'static str, Self)> {
                let all = <Self as Label>::ALL.iter();
                all.map(|one| (one.as_str(), *one)).collect()
            }

            $( fn advice(word: &str) -> Option<String> {
                let advice: fn(&str) -> Option<&'static str> = $advice;
                advice(word).map(str::to_owned)
            } )?
        }
    )* };
}

choices! {
    LogLevel, "log level", advice |word: &str| match word.to_lowercase().as_str() {
        "warning" | "notice" => Some("did you mean \"warn\"?"),
        "err" | "crit" | "critical" | "alert" | "emerg" | "fatal" => Some("did you mean \"error\"?"),
        _ => None,
    };
    RelayWay, "way to relay";
    CpuAffinity, "processor affinity";
    Sni, "rule for names";
    Confine, "lock";
    LogFormat, "log format";
    ClusterMode, "mode", advice |word: &str| match word {
        "active-passive" | "active-backup" | "standby" => Some("did you mean \"active-standby\"?"),
        _ => None,
    };
    Facility, "facility";
    AlertTemplate, "template", advice |word: &str| match word.to_lowercase().as_str() {
        "rocketchat" | "rocket.chat" | "rocket-chat" => Some("did you mean \"mattermost\"? (Rocket.Chat takes the same)"),
        "msteams" | "microsoft-teams" => Some("did you mean \"teams\"?"),
        "webhook" | "generic" => Some("did you mean \"json\"?"),
        _ => None,
    };
    Severity, "severity", advice |word: &str| match word.to_lowercase().as_str() {
        "warn" => Some("did you mean \"warning\"?"),
        "critical" | "crit" | "err" => Some("did you mean \"error\"?"),
        _ => None,
    };
    Kind, "kind of event";
    Balance, "balancer", aliases foreign::BALANCE, advice |word: &str| match word {
        "first" => Some("howdah has no \"first\": mark the servers that should wait with backup = true"),
        "uri" | "url_param" | "hdr" | "rdp-cookie" => {
            Some("howdah does not read requests: \"source-hash\" keeps a client's address on one server")
        }
        _ => None,
    };
    ProxyVersion, "PROXY protocol version";
    Protocol, "protocol";
    OnRefuse, "on_refuse";
    Dial, "dial";
    TlsVersion, "TLS version", advice |word: &str| match word {
        "1.0" | "1.1" | "TLSv1" | "TLSv1.0" | "TLSv1.1" | "SSLv3" => Some("nothing below TLS 1.2 is offered"),
        _ if word.contains("1.3") => Some("did you mean \"1.3\"?"),
        _ if word.contains("1.2") => Some("did you mean \"1.2\"?"),
        _ => None,
    };
    ClientAuth, "client_auth", advice |word: &str| match word {
        "require" | "mandatory" | "verify" | "on" | "yes" => Some("did you mean \"required\"?"),
        "off" | "no" => Some("did you mean \"none\"?"),
        _ => None,
    };
    Observe, "observe", advice |word: &str| match word {
        "layer4" => Some("did you mean \"connects\"? (HAProxy says layer4)"),
        "layer7" => Some("did you mean \"sessions\"?"),
        _ => None,
    };
    OnDown, "on_down", advice |word: &str| match word {
        "shutdown-sessions" | "cut" | "close" => Some("did you mean \"reset\"? (HAProxy says shutdown-sessions)"),
        _ => None,
    };
    WantedRole, "role", advice |word: &str| match word.to_lowercase().as_str() {
        "slave" | "secondary" | "backup" | "passive" | "read" | "ro" => Some("did you mean \"standby\"?"),
        "write" | "rw" | "read-write" => Some("did you mean \"active\"?"),
        _ => None,
    };
    OnRoleLost, "on_role_lost", advice |word: &str| match word {
        "reset" | "shutdown-sessions" | "close" => Some("did you mean \"cut\"?"),
        _ => None,
    };
    Depth, "depth";
    LoadSource, "source of load", advice |word: &str| match word {
        "agent-check" | "haproxy" | "tcp" => Some("did you mean \"agent\"?"),
        "hiveserver2" | "hive" | "hs2" | "jmx" => Some("did you mean \"hiveserver2-web\"?"),
        "impala" | "impalad" | "web" => Some("did you mean \"impala-web\"?"),
        _ => None,
    };
    Auth, "auth", advice |word: &str| {
        match word.to_lowercase().as_str() {
            "gssapi" | "gss" | "spnego" | "negotiate" | "krb5" => Some("did you mean \"kerberos\"?"),
            "none" | "ldap" | "pam" | "custom" => Some("servers with NONE, LDAP, PAM or CUSTOM take \"plain\""),
            _ => None,
        }
    };
    AnswerEnd, "answer";
    Transport, "transport";
    Via, "via";
    StickyBy, "kind of stickiness",
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

    fn schema() -> Schema {
        let words: Vec<&str> = C::all().into_iter().map(|(word, _)| word).collect();
        json!({ "type": "string", "enum": words })
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
        let why = match hint {
            Some(_) if known.len() > MANY => format!("not one of the {} known", known.len()),
            _ => format!("known: {}", known.join(", ")),
        };
        let fault = cx.error(&value.span(), what).why(why);
        hint.map(|hint| fault.fix(hint));
        None
    }
}

/// More than that are no help beside a better hint.
const MANY: usize = 12;

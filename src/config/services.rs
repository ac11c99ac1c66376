//! The words of services: `service` itself, and the types of probe, which are the questions of all services beside those
//! that fit any.

use super::choices::Choice;
use crate::plan::{Question, Service};

/// Key `probe.type`: the word, and what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProbeType {
    pub(super) word: &'static str,
    pub(super) question: Question,
}

impl ProbeType {
    /// What the service brings.
    pub(super) fn of(service: Service) -> Self {
        Self {
            word: service.word,
            question: service.probe,
        }
    }

    /// All, in the order of the docs: first those that fit any server.
    pub(super) fn all() -> Vec<Self> {
        let services = Service::ALL.iter().map(|service| Self::of(*service));
        let asked = services.filter(|of| of.question != Question::None);
        let own = asked.filter(|of| ANY.iter().all(|any| any.word != of.word));
        ANY.iter().copied().chain(own).collect()
    }
}

impl Choice for Service {
    const NOUN: &'static str = "service";

    fn all() -> Vec<(&'static str, Self)> {
        let all = Self::ALL.iter();
        all.map(|service| (service.word, *service)).collect()
    }

    fn advice(word: &str) -> Option<String> {
        match word.to_lowercase().as_str() {
            "https" => Some("https is service = \"http\", with tls = {} in the pool".into()),
            other => meant(other),
        }
    }
}

impl Choice for ProbeType {
    const NOUN: &'static str = "type of probe";

    fn all() -> Vec<(&'static str, Self)> {
        let all = Self::all().into_iter();
        all.map(|kind| (kind.word, kind)).collect()
    }

    fn advice(word: &str) -> Option<String> {
        let advice = match word {
            "https" => "https is type = \"http\" with tls = true",
            "thrift" => "did you mean \"hiveserver2\"?",
            "ssl" | "ssl-hello" => "did you mean \"tls\"?",
            "tcp-check" | "send-expect" => "did you mean \"exchange\"? (HAProxy says tcp-check)",
            "external-check" | "script" | "exec" => "did you mean \"command\"?",
            "httpchk" => "did you mean \"http\"? (HAProxy says httpchk)",
            _ => return meant(word),
        };
        Some(advice.into())
    }
}

/// The service that people know by `word`.
fn meant(word: &str) -> Option<String> {
    let mut all = Service::ALL.iter();
    let service = all.find(|service| service.aliases.contains(&word))?;
    Some(format!("did you mean {:?}?", service.word))
}

const ANY: [ProbeType; 5] = [
    ProbeType {
        word: "tcp",
        question: Question::Tcp,
    },
    ProbeType {
        word: "tls",
        question: Question::Tls,
    },
    ProbeType {
        word: "http",
        question: Question::Http { path: "/" },
    },
    ProbeType {
        word: "exchange",
        question: Question::Exchange { steps: &[] },
    },
    ProbeType {
        word: "command",
        question: Question::Command,
    },
];

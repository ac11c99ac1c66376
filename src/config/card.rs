//! What a service brings, in Markdown: its row in the manual's table, and the card on its own page.

use crate::base::unit::show_duration;
use crate::plan::{Profile, Question, Service};

/// The manual's table of all services.
pub(super) fn table() -> String {
    let head = "| service | port | `balance` | `sticky` | `max_connections` of a server | `dial` | `timeouts.idle` | `probe` |\n\
                |---|---|---|---|---|---|---|---|\n";
    let rows = Service::ALL.iter().map(|service| row(*service));
    head.to_owned() + &rows.collect::<String>()
}

fn row(service: Service) -> String {
    let word = service.word;
    let cells: Vec<String> = values(service)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    format!(
        "| [`{word}`](services/{word}.md) | {} |\n",
        cells.join(" | ")
    )
}

/// What stands on `docs/services/NAME.md` between its marks: values, clients, reasons with their sources, hints.
pub fn card(service: Service) -> String {
    let rows = values(service).into_iter();
    let rows: String = rows
        .map(|(key, value)| format!("| {key} | {value} |\n"))
        .collect();
    let role = match service.role.wanted {
        Some(role) => format!(
            "| `role` | `{role}`, `on_role_lost` `{}` |\n",
            service.role.on_lost
        ),
        None => String::new(),
    };
    let facts = service.facts.iter();
    let facts: String = facts
        .map(|fact| format!("| `{}` | {} | {} |\n", fact.of, fact.why, fact.source))
        .collect();
    let hints: String = service
        .hints
        .iter()
        .map(|hint| format!("- {hint}\n"))
        .collect();
    format!(
        "{}\n\n| | |\n|---|---|\n{rows}{role}\nClients: {}\n\n| key | why | source |\n|---|---|---|\n{facts}\n{hints}",
        service.summary, service.clients
    )
}

/// Each key with what the service brings for it.
fn values(service: Service) -> [(&'static str, String); 7] {
    let port = match (service.port, service.tls_port) {
        (None, _) => "none: write it".to_owned(),
        (Some(port), None) => port.to_string(),
        (Some(port), Some(tls)) => format!("{port}, with TLS {tls}"),
    };
    let sticky = |ttl| format!("`source-ip`, {}", show_duration(ttl));
    let bound = |bound: u32| bound.to_string();
    [
        ("port", port),
        ("`balance`", format!("`{}`", service.balance)),
        ("`sticky`", service.sticky.map_or("no".to_owned(), sticky)),
        (
            "`max_connections`",
            service.max_connections.map_or("no bound".to_owned(), bound),
        ),
        ("`dial`", format!("`{}`", service.dial)),
        ("`timeouts.idle`", show_duration(service.idle)),
        ("`probe`", question(service.probe) + &pace(service)),
    ]
}

fn pace(service: Service) -> String {
    match service.interval == Profile::INTERVAL {
        true => String::new(),
        false => format!(", every {}", show_duration(service.interval)),
    }
}

fn question(question: Question) -> String {
    match question {
        Question::None => "none: all count as up".into(),
        Question::Tcp => "a connect".into(),
        Question::Tls => "a TLS handshake".into(),
        Question::Http { path } | Question::Hue { path } => format!("GET `{path}`"),
        Question::Page(page) => format!("{} `{}`", page.method, page.path),
        Question::Exchange { .. } => "an exchange".into(),
        Question::Command => "a program".into(),
        Question::Datagrams { .. } => "a datagram".into(),
        Question::HiveServer2 { .. } => "SASL handshake".into(),
        Question::PostgreSql => "startup".into(),
        Question::MySql => "login".into(),
        Question::Impala { web_port, .. } => format!("web server on {web_port}"),
    }
}

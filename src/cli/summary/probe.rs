//! A probe in two lines: what is asked, and how often.

use std::fmt;

use super::{joined, row};
use crate::base::unit::show_duration;
use crate::plan::{Ask, DatabaseAsk, Depth, HiveAuth, HiveTransport, HttpAsk, ProbePlan};

pub(super) fn show(f: &mut fmt::Formatter<'_>, probe: &ProbePlan) -> fmt::Result {
    let mut what = question(&probe.ask, probe.port);
    if let Some(port) = probe.port {
        what.push_str(&format!(" on port {port}"));
    }
    if probe.tls.is_some() && probe.ask != Ask::Tls {
        what.push_str(" over TLS");
    }
    if let Some(kerberos) = &probe.kerberos {
        let (parts, realm) = (&kerberos.service.parts, &kerberos.service.realm);
        let realm = realm.as_ref().map(|realm| format!("@{realm}"));
        let to = format!("{}{}", parts.join("/"), realm.unwrap_or_default());
        what.push_str(&format!(", as {} to {to}", kerberos.client));
    }
    row(f, "probe", what)?;
    let [every, fast, deep, wait] = [
        probe.interval,
        probe.fast_interval,
        probe.deep_interval,
        probe.timeout,
    ]
    .map(show_duration);
    let deep = match &probe.ask {
        Ask::HiveServer2 { depth, .. } if *depth != Depth::Handshake => {
            format!(", in depth every {deep}")
        }
        _ => String::new(),
    };
    let (rise, fall) = (probe.rise, probe.fall);
    let pace = format_args!(
        "every {every} ({fast} in doubt){deep}, answer within {wait}, rise {rise}, fall {fall}"
    );
    row(f, "", pace)
}

fn question(ask: &Ask, port: Option<u16>) -> String {
    match ask {
        Ask::Tcp => "tcp connect".into(),
        Ask::Tls => "tls handshake".into(),
        Ask::Http(http) => format!("http {}", request(http)),
        Ask::Exchange(script) => match script.steps().len() {
            1 => "exchange of 1 step".into(),
            many => format!("exchange of {many} steps"),
        },
        Ask::Command(words) => format!("command {}", words.join(" ")),
        Ask::Datagrams(script) => match script.steps().len() {
            1 => "a datagram".into(),
            many => format!("{many} datagrams"),
        },
        Ask::Hue(http) => format!("hue {}", request(http)),
        Ask::PostgreSql(ask) => format!("postgresql {}", role(ask)),
        Ask::MySql(ask) => format!("mysql {}", role(ask)),
        Ask::Impala { .. } if port.is_some() => "impala web server".into(),
        Ask::Impala { auth } => format!("impala ping, {}", account(auth)),
        Ask::HiveServer2 {
            depth,
            transport,
            auth,
        } => {
            let transport = match transport {
                HiveTransport::Binary => String::new(),
                HiveTransport::Http { path } => format!(" by http at {path}"),
            };
            format!("hiveserver2 {depth}{transport}, {}", account(auth))
        }
    }
}

fn request(http: &HttpAsk) -> String {
    let mut text = format!(
        "{} {} expects {}",
        http.method,
        http.path,
        joined(&http.expect_status)
    );
    if http.below_500.is_some() {
        text.push_str(", or any status below 500");
    }
    if let Some(body) = &http.expect_body {
        text.push_str(&format!(" and {body:?} in the body"));
    }
    if !http.body.is_empty() {
        text.push_str(" and a body that is known");
    }
    if let Some(json) = &http.json {
        text.push_str(&format!(" and a known {} in the body", json.pointer));
    }
    text
}

fn role(ask: &DatabaseAsk) -> String {
    let Some(account) = &ask.account else {
        return "greeting, without a login".into();
    };
    let mut text = format!("role as {}", account.user);
    if account.password.is_some() {
        text.push_str(", password ***");
    }
    if let Some(most) = ask.max_lag {
        text.push_str(&format!(
            ", standbys at most {} behind",
            show_duration(most)
        ));
    }
    text
}

fn account(auth: &HiveAuth) -> String {
    match auth {
        HiveAuth::NoSasl => "nosasl".into(),
        HiveAuth::Kerberos => "kerberos".into(),
        HiveAuth::Plain { account: None } => "plain".into(),
        HiveAuth::Plain {
            account: Some((user, _)),
        } => format!("plain as {user}, password ***"),
    }
}

//! `[[alert]]` → [`AlertPlan`]: a webhook, and what it is told when.

use std::sync::Arc;
use std::time::Duration;

use super::{address, judge_name, material, missing, pool_reference, tls};
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::{Alert, Pools};
use crate::config::source::Span;
use crate::config::words::List;
use crate::plan::{
    Address, AlertForm, AlertName, AlertPace, AlertPlan, AlertScope, AlertTemplate, ConnectTls,
    Host, Secret, Severity, Webhook,
};

pub(super) fn lower(
    words: &Field<List<Alert>>,
    pools: Option<&Pools>,
    cx: &mut Cx,
) -> Vec<Arc<AlertPlan>> {
    let mut plans = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for alert in words.value().map(|list| &list.items).into_iter().flatten() {
        let words = &alert.value;
        cx.owner = owner(words, cx);
        if let Some(name) = words.name.get()
            && names.contains(&name.value.as_str())
        {
            cx.error(&name.span, format!("there are two alerts {:?}", name.value))
                .why("the second")
                .fix("give it a name of its own");
        }
        names.extend(words.name.value().map(String::as_str));
        plans.extend(one(words, pools, cx).map(Arc::new));
    }
    plans
}

fn owner(words: &Alert, cx: &mut Cx) -> String {
    match words.name.get() {
        Some(name) => {
            judge_name(name, "", "alert", cx);
            format!("alert {:?}", name.value)
        }
        None => format!("the alert of line {}", cx.source.line_of(&words.span)),
    }
}

fn one(words: &Alert, pools: Option<&Pools>, cx: &mut Cx) -> Option<AlertPlan> {
    if words.name.is_absent() {
        missing(&words.span, "name", "name = \"ops\"", cx);
    }
    let form = form(words, cx);
    let kinds = words.on.value().into_iter().flat_map(|many| &many.0);
    let chosen = words.pools.value().into_iter().flat_map(|many| &many.0);
    let about = AlertScope {
        severity: words.severity.or(Severity::Warning),
        kinds: kinds.map(|kind| kind.value).collect(),
        pools: chosen.map(|pool| pool_reference(pool, pools, cx)).collect(),
    };
    let most = words.max_per_minute.value();
    let most = most.and_then(|most| usize::try_from(most.0).ok());
    let pace = AlertPace {
        group_wait: words.group_wait.or(GROUP_WAIT),
        group_interval: words.group_interval.or(GROUP_INTERVAL),
        repeat: words.repeat.value().copied(),
        max_per_minute: most.unwrap_or(MAX_PER_MINUTE),
    };
    Some(AlertPlan {
        name: AlertName::new(&words.name.or(String::new())),
        to: webhook(words, cx)?,
        form,
        about,
        pace,
        resolve: words.resolve.or(true),
    })
}

fn webhook(words: &Alert, cx: &mut Cx) -> Option<Webhook> {
    let (text, span) = url(words, cx)?;
    let url = match read(text.expose()) {
        Ok(url) => url,
        Err((why, fix)) => {
            cx.error(&span, format!("url of {} leads nowhere", cx.owner))
                .why(why)
                .fix(fix);
            return None;
        }
    };
    let tls = words.tls.value().map(|words| tls::connect_tls(words, cx));
    if let (Some(at), false) = (words.tls.span(), url.https) {
        cx.error(&at, format!("{} has tls, and its url is http://", cx.owner))
            .why("nothing is encrypted")
            .fix("write https:// in the url, or leave tls out");
    }
    let token = words.token_file.get();
    let token = token.and_then(|path| material::secret(path, "token_file", cx));
    if let Some(path) = words.token_file.get()
        && !url.https
        && !is_here(&url.address)
    {
        cx.warning(
            &path.span,
            format!("{} shows its token in clear text", cx.owner),
        )
        .why("whoever is on the way can read it")
        .fix("write https:// in the url");
    }
    Some(Webhook {
        tls: url.https.then(|| tls.unwrap_or_else(by_the_system)),
        address: url.address,
        authority: url.authority,
        path: Secret::new(&url.path),
        token,
        timeout: words.timeout.or(TIMEOUT),
    })
}

fn is_here(address: &Address) -> bool {
    match &address.host {
        Host::Ip(ip) => ip.to_canonical().is_loopback(),
        Host::Name(name) => name == "localhost",
    }
}

fn by_the_system() -> ConnectTls {
    ConnectTls {
        roots: None,
        server_name: None,
        identity: None,
    }
}

/// The URL, from the file or from a file of its own.
fn url(words: &Alert, cx: &mut Cx) -> Option<(Secret, Span)> {
    match (words.url.get(), words.url_file.get()) {
        (Some(url), None) => Some((Secret::new(&url.value), url.span.clone())),
        (None, Some(path)) => {
            let secret = material::secret(path, "url_file", cx)?;
            Some((secret, path.span.clone()))
        }
        (Some(_), Some(path)) => {
            cx.error(&path.span, format!("{} has url and url_file", cx.owner))
                .why("one is wanted")
                .fix("leave one of them out");
            None
        }
        (None, None) if words.url.is_absent() && words.url_file.is_absent() => {
            let example = "url = \"https://chat.example.com/hooks/...\", or url_file = \"FILE\" where the URL is a secret";
            missing(&words.span, "url", example, cx);
            None
        }
        (None, None) => None,
    }
}

struct Url {
    https: bool,
    address: Address,
    authority: String,
    path: String,
}

fn read(text: &str) -> Result<Url, (String, String)> {
    let example = || "a URL is \"https://HOST/PATH\" or \"http://HOST:PORT/PATH\"".to_owned();
    let (https, rest) = match text.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some(_) => return Err(("neither http:// nor https://".into(), example())),
        None => return Err(("http:// or https:// is missing".into(), example())),
    };
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains('#') {
        let why = "it has characters that no URL of a request has";
        return Err((why.into(), "encode them, as in %20".into()));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        let fix = "write a token into a file, and token_file = \"FILE\"";
        return Err(("it has a login".into(), fix.into()));
    }
    let (host, port) = address(authority).map_err(|why| (why, example()))?;
    let port = port.unwrap_or(if https { 443 } else { 80 });
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    Ok(Url {
        https,
        address: Address { host, port },
        authority: authority.to_owned(),
        path,
    })
}

fn form(words: &Alert, cx: &mut Cx) -> AlertForm {
    let known = AlertForm::Known(words.template.or(AlertTemplate::Json));
    let Some(path) = words.template_file.get() else {
        if let Some(span) = words.content_type.span() {
            cx.error(
                &span,
                format!("{} has a content_type, and no template_file", cx.owner),
            )
            .why("a known template has its own")
            .fix("leave it out, or add template_file = \"FILE\"");
        }
        return known;
    };
    if let Some(span) = words.template.span() {
        cx.error(
            &span,
            format!("{} has template and template_file", cx.owner),
        )
        .why("one is wanted")
        .fix("leave one of them out");
    }
    let json = "application/json".to_owned();
    let content_type = words.content_type.or(json);
    let sendable = |c: char| c.is_ascii_graphic() || c == ' ';
    if let Some(word) = words.content_type.get()
        && (word.value.is_empty() || !word.value.chars().all(sendable))
    {
        cx.error(
            &word.span,
            format!("content_type of {} cannot be sent", cx.owner),
        )
        .why("a media type is wanted")
        .fix("content_type = \"application/json\"");
    }
    let Some((_, bytes)) = material::read(path, "template_file", cx) else {
        return known;
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if content_type.contains("json") {
        judge_json(&text, path, cx);
    }
    AlertForm::Own { text, content_type }
}

/// With the placeholders filled in it must be JSON: better now than at three in the morning.
fn judge_json<T>(text: &str, path: &Spot<T>, cx: &mut Cx) {
    let filled = AlertForm::PLACEHOLDERS
        .iter()
        .fold(text.to_owned(), |text, name| {
            text.replace(&format!("{{{name}}}"), "0")
        });
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&filled) {
        cx.error(
            &path.span,
            format!("template_file of {} is no JSON", cx.owner),
        )
        .why(error.to_string())
        .fix("placeholders stand inside quotes: \"{title}\"; or say another content_type");
    }
}

const GROUP_WAIT: Duration = Duration::from_secs(10);
const GROUP_INTERVAL: Duration = Duration::from_secs(60);
const MAX_PER_MINUTE: usize = 6;
const TIMEOUT: Duration = Duration::from_secs(5);

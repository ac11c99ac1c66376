//! `keytab`, `principal` and `service_principal` of a probe → [`KerberosPlan`], with what `krb5.conf` says.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{material, probe_rules};
use crate::base::principal::Principal;
use crate::config::choices::Auth;
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::{Probe, ProbeWord};
use crate::config::keytab::{self, Entry};
use crate::config::krb5::{self, Included};
use crate::config::services::ProbeType;
use crate::config::words::FilePath;
use crate::plan::{
    Host, KerberosPlan, KeytabKey, ProbePlan, Question, Realms, ServerPlan, ServicePrincipal,
};

/// `None` where the probe has no keytab, or one that cannot be used, which is then noted.
pub(super) fn lower(words: &Probe, kind: ProbeType, cx: &mut Cx) -> Option<Arc<KerberosPlan>> {
    // Elsewhere the keys are strangers, and told so.
    if !probe_rules::login(kind.question) {
        return None;
    }
    if probe_rules::request(kind.question) {
        logins_of_requests(words, cx);
    }
    let Some(path) = words.keytab.get() else {
        orphans(words, cx);
        return None;
    };
    let realms = realms(cx);
    let client = client(words, path, &realms, cx);
    let service = service(words, kind, cx);
    let entries = entries(path, cx);
    let (client, entries) = (client?, entries?);
    let keys = keys(words, path, &client, entries, cx)?;
    if !realms.kdcs.contains_key(&client.realm) {
        without_kdc(words, path, &client.realm, cx);
    }
    Some(Arc::new(KerberosPlan {
        keys,
        client,
        service,
        realms: Arc::new(realms),
    }))
}

/// A request shows a ticket, or nothing.
fn logins_of_requests(words: &Probe, cx: &mut Cx) {
    let Some(auth) = words.auth.get() else {
        return;
    };
    if auth.value != Auth::Kerberos {
        let what = format!("{} asks by HTTP, which has no such login", cx.owner);
        cx.error(&auth.span, what)
            .why("kerberos is the one login that a request shows")
            .fix("leave auth out, or say auth = \"kerberos\" with a keytab");
    } else if words.keytab.is_absent() {
        only(words, cx);
    }
}

/// What does not go with a ticket.
pub(super) fn only(words: &Probe, cx: &mut Cx) {
    if let (Some(auth), true) = (words.auth.get(), words.keytab.is_absent()) {
        let what = format!("{} asks with a ticket, but has no keytab", cx.owner);
        cx.error(&auth.span, what)
            .why("whose keys?")
            .fix("add keytab = \"FILE\" and principal = \"howdah@EXAMPLE.COM\"");
    }
    let spans = [
        ("username", words.username.span()),
        ("password_file", words.password_file.span()),
    ];
    for (key, span) in spans {
        if let Some(span) = span {
            let what = format!("{} has a {key}, but asks with a ticket", cx.owner);
            cx.error(&span, what).why("without effect").fix(format!(
                "leave {key} out, or say auth = \"plain\" and leave keytab out"
            ));
        }
    }
}

/// A keytab beside another way in.
pub(super) fn unused(words: &Probe, auth: &str, cx: &mut Cx) {
    if let Some(span) = words.keytab.span() {
        let what = format!("{} has a keytab, but its auth is {auth}", cx.owner);
        cx.error(&span, what)
            .why("without effect")
            .fix("say auth = \"kerberos\", or leave keytab out");
    }
}

/// A KDC knows services by names: one of a number is seldom among them.
pub(super) fn judge_names(
    field: &Field<ProbeWord>,
    probe: Option<&ProbePlan>,
    servers: &[Arc<ServerPlan>],
    cx: &mut Cx,
) {
    let (Some(ProbeWord::Table(words)), Some(probe)) = (field.value(), probe) else {
        return;
    };
    let Some(plan) = probe
        .kerberos
        .as_ref()
        .filter(|plan| plan.service.names_the_host())
    else {
        return;
    };
    let mut numbers = servers.iter();
    let number = numbers.find(|server| matches!(server.address.host, Host::Ip(_)));
    if let (Some(server), Some(span)) = (number, words.keytab.span()) {
        let what = format!(
            "{} has a server that is written by its address, {}",
            cx.owner, server.name
        );
        let service = plan.service.parts.join("/");
        cx.warning(&span, what)
            .why(format!(
                "tickets are for {service}, and a KDC hardly knows that by a number"
            ))
            .fix("write the server's host name, or add service_principal");
    }
}

/// Keys that say nothing without a keytab.
fn orphans(words: &Probe, cx: &mut Cx) {
    if !words.keytab.is_absent() {
        return;
    }
    let spans = [
        ("principal", words.principal.span()),
        ("service_principal", words.service_principal.span()),
    ];
    for (key, span) in spans {
        if let Some(span) = span {
            let what = format!("{} has a {key}, but no keytab", cx.owner);
            cx.error(&span, what)
                .why("whose keys?")
                .fix("add keytab = \"FILE\"");
        }
    }
}

fn client(words: &Probe, path: &Spot<FilePath>, realms: &Realms, cx: &mut Cx) -> Option<Principal> {
    let Some(principal) = words.principal.get() else {
        if words.principal.is_absent() {
            let what = format!("{} has a keytab, but no principal", cx.owner);
            cx.error(&path.span, what)
                .why("in whose name is it to ask?")
                .fix("add principal = \"howdah@EXAMPLE.COM\"");
        }
        return None;
    };
    let Some((parts, realm)) = Principal::split(&principal.value) else {
        odd(&principal.span, "principal", "howdah@EXAMPLE.COM", cx);
        return None;
    };
    let Some(realm) = realm.or_else(|| realms.default.clone()) else {
        let what = format!("the principal of {} has no realm", cx.owner);
        cx.error(&principal.span, what)
            .why(format!("{} has no default_realm", shown(&conf())))
            .fix(format!("principal = \"{}@EXAMPLE.COM\"", principal.value));
        return None;
    };
    Some(Principal { parts, realm })
}

fn odd(span: &crate::config::source::Span, key: &str, example: &str, cx: &mut Cx) {
    let what = format!("{} has a {key} that is no Kerberos principal", cx.owner);
    cx.error(span, what)
        .why("not NAME@REALM or NAME/HOST@REALM")
        .fix(format!("{key} = {example:?}"));
}

/// The one of the file, else what servers of the kind call themselves.
fn service(words: &Probe, kind: ProbeType, cx: &mut Cx) -> ServicePrincipal {
    if let Some(own) = words.service_principal.get() {
        match Principal::split(&own.value) {
            Some((parts, realm)) if parts.len() > 1 => return ServicePrincipal { parts, realm },
            _ => odd(&own.span, "service_principal", "hive/_HOST@EXAMPLE.COM", cx),
        }
    }
    ServicePrincipal::of(match kind.question {
        Question::HiveServer2 { .. } => "hive",
        Question::Impala { .. } if !probe_rules::asks_web(words, kind) => "impala",
        _ => "HTTP",
    })
}

fn entries(path: &Spot<FilePath>, cx: &mut Cx) -> Option<Vec<Entry>> {
    let (full, bytes) = material::read(path, "keytab", cx)?;
    material::secret_mode(&full, path, "keytab", cx);
    let bytes = zeroize::Zeroizing::new(bytes);
    let entries = keytab::read(&bytes);
    if entries.is_none() {
        let what = format!("{} is no keytab", cx.subject_of("keytab"));
        cx.error(&path.span, what)
            .why("does not begin as one of version 2 does")
            .fix(format!("klist -kt {} shows what it is", path.value.0));
    }
    entries
}

/// The newest first, of types that are not broken.
fn keys(
    words: &Probe,
    path: &Spot<FilePath>,
    client: &Principal,
    entries: Vec<Entry>,
    cx: &mut Cx,
) -> Option<Vec<KeytabKey>> {
    let span = words.principal.span().unwrap_or_else(|| path.span.clone());
    let mut others: Vec<String> = entries
        .iter()
        .map(|entry| entry.principal.to_string())
        .collect();
    others.sort();
    others.dedup();
    let own = entries
        .into_iter()
        .filter(|entry| entry.principal == *client);
    let own: Vec<KeytabKey> = own.map(|entry| entry.key).collect();
    if own.is_empty() {
        let what = format!("{} holds no key of {client}", cx.subject_of("keytab"));
        let fault = cx.error(&span, what);
        match others.as_slice() {
            [] => fault
                .why("holds no key at all")
                .fix(format!("kadmin: ktadd -k {} {client}", path.value.0)),
            [one] => fault.why("of another").fix(format!("principal = {one:?}")),
            many => fault
                .why("of others")
                .fix(format!("it holds keys of {}", many.join(", "))),
        };
        return None;
    }
    let of_types = own.iter().map(|key| key.etype.to_string());
    let of_types = of_types.collect::<Vec<_>>().join(", ");
    let mut keys: Vec<KeytabKey> = own
        .into_iter()
        .filter(|key| KNOWN.contains(&key.etype))
        .collect();
    if keys.is_empty() {
        let what = format!(
            "{} holds keys of {client} of types alone that are not safe any more",
            cx.subject_of("keytab")
        );
        cx.error(&span, what)
            .why(format!("of type {of_types}: RC4 or DES"))
            .fix("have the KDC make keys of AES (types 17 to 20), and write a new keytab");
        return None;
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.version));
    Some(keys)
}

fn without_kdc(words: &Probe, path: &Spot<FilePath>, realm: &str, cx: &mut Cx) {
    let span = words.principal.span().unwrap_or_else(|| path.span.clone());
    let what = format!(
        "nobody knows where the KDC of {realm} is, whom {} has to ask",
        cx.owner
    );
    let conf = shown(&conf());
    cx.error(&span, what)
        .why(format!("{conf} does not name one, and DNS is not asked"))
        .fix(format!(
            "add to {conf}: [realms] {realm} = {{ kdc = kdc.example.com }}"
        ));
}

/// Where MIT's library looks.
fn conf() -> Vec<PathBuf> {
    match std::env::var_os("KRB5_CONFIG") {
        Some(paths) if !paths.is_empty() => std::env::split_paths(&paths).collect(),
        _ => vec![PathBuf::from("/etc/krb5.conf")],
    }
}

fn shown(paths: &[PathBuf]) -> String {
    let paths = paths.iter().map(|path| path.display().to_string());
    paths.collect::<Vec<_>>().join(":")
}

/// What all files say, each before what it includes.
fn realms(cx: &mut Cx) -> Realms {
    let mut realms = Realms::default();
    let mut left = conf();
    left.reverse();
    let mut seen = 0;
    while let Some(path) = left.pop().filter(|_| seen < FILES_MAX) {
        seen += 1;
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let included = krb5::read(&text, &mut realms);
        cx.files.push(path);
        let more = included.into_iter().flat_map(|one| match one {
            Included::File(path) => vec![PathBuf::from(path)],
            Included::Folder(path) => folder(Path::new(&path)),
        });
        let more: Vec<PathBuf> = more.collect();
        left.extend(more.into_iter().rev());
    }
    realms
}

fn folder(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let counting = entries.filter(|entry| entry.file_name().to_str().is_some_and(krb5::counts));
    let mut paths: Vec<PathBuf> = counting.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// AES, with SHA-1 and SHA-2.
const KNOWN: [i32; 4] = [17, 18, 19, 20];

/// A file that includes itself ends, too.
const FILES_MAX: usize = 100;

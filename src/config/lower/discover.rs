//! `discover` → [`DiscoverPlan`]: one source, and nothing beside it that only another would understand.

use super::{address, material, tls};
use crate::base::reach;
use crate::config::cx::Cx;
use crate::config::field::{Field, Spot};
use crate::config::file::Discover;
use crate::config::words::{FilePath, Many};
use crate::plan::{Address, DiscoverPlan, Host, Secret, Service, ZooKeeperPlan};

pub(super) fn lower(
    field: &Field<Discover>,
    service: Service,
    cx: &mut Cx,
) -> Option<DiscoverPlan> {
    let words = field.value()?;
    let outer = cx.owner.clone();
    cx.owner = format!("discover of {outer}");
    judge(words, cx);
    let plan = source(words, service, cx);
    cx.owner = outer;
    plan
}

/// Just one source, and `path` with it only where it has one.
fn judge(words: &Discover, cx: &mut Cx) {
    let sources = [
        (
            "zookeeper",
            words.zookeeper.span(),
            words.zookeeper.is_absent(),
        ),
        ("dns_srv", words.dns_srv.span(), words.dns_srv.is_absent()),
        ("file", words.file.span(), words.file.is_absent()),
        ("impala", words.impala.span(), words.impala.is_absent()),
    ];
    let mut named = sources.iter().filter(|(_, _, absent)| !absent);
    let Some((first, _, _)) = named.next() else {
        let what = format!("{} names nobody who lists servers", cx.owner);
        cx.error(&words.span, what)
            .why("one of zookeeper, dns_srv, file and impala is wanted")
            .fix("discover = { file = \"members.toml\" }, for one");
        return;
    };
    for (other, span, _) in named {
        if let Some(span) = span {
            let what = format!("{} has {first} and {other}", cx.owner);
            cx.error(span, what)
                .why("one source lists the servers")
                .fix(format!(
                    "leave {first} or {other} out, or make two pools of it"
                ));
        }
    }
    if *first != "zookeeper" {
        judge_keys_of_zookeeper(words, cx);
    }
}

fn judge_keys_of_zookeeper(words: &Discover, cx: &mut Cx) {
    let keys = [
        (
            "path",
            words.path.span(),
            "it is the node below which servers register in ZooKeeper",
        ),
        (
            "username",
            words.username.span(),
            "it is for a login at ZooKeeper",
        ),
        (
            "password_file",
            words.password_file.span(),
            "it is for a login at ZooKeeper",
        ),
        (
            "tls",
            words.tls.span(),
            "it is for connections to ZooKeeper",
        ),
    ];
    for (key, span, why) in keys {
        if let Some(span) = span {
            let what = format!("{} has a {key} without zookeeper", cx.owner);
            cx.error(&span, what).why(why).fix(format!(
                "leave {key} out, or say zookeeper = [\"zk1.example.com\"]"
            ));
        }
    }
}

fn source(words: &Discover, service: Service, cx: &mut Cx) -> Option<DiscoverPlan> {
    if let Some(ensemble) = words.zookeeper.get() {
        let ensemble = addresses(ensemble, "zookeeper", ZOOKEEPER, cx);
        let path = path(words, service, cx)?;
        let account = account(&words.username, &words.password_file, cx);
        let tls = words.tls.value().map(|words| tls::connect_tls(words, cx));
        return Some(DiscoverPlan::ZooKeeper(ZooKeeperPlan {
            ensemble,
            path,
            account,
            tls,
        }));
    }
    if let Some(name) = words.dns_srv.get() {
        return srv(name, cx);
    }
    if let Some(path) = words.file.get() {
        return Some(file(path, cx));
    }
    let seeds = words.impala.get()?;
    let coordinators = addresses(seeds, "impala", IMPALA, cx);
    if service.port.is_none() {
        let what = format!("{} asks Impala for servers without a port", cx.owner);
        let why = format!(
            "service {:?} has no default port, and Impala tells none",
            service.as_str()
        );
        cx.error(&seeds.span, what)
            .why(why)
            .fix("service = \"impala\"");
    }
    Some(DiscoverPlan::Impala { coordinators })
}

/// Each once.
pub(super) fn addresses(
    list: &Spot<Many<String>>,
    key: &str,
    port: u16,
    cx: &mut Cx,
) -> Vec<Address> {
    let mut all: Vec<Address> = Vec::new();
    if list.value.0.is_empty() {
        let what = format!("{key} in {} names nobody", cx.owner);
        cx.error(&list.span, what)
            .why("empty")
            .fix(format!("{key} = [\"HOST:{port}\"]"));
    }
    for spot in &list.value.0 {
        if spot.value.contains(',') {
            let hosts: Vec<_> = spot
                .value
                .split(',')
                .map(|one| format!("{:?}", one.trim()))
                .collect();
            let what = format!("{key} in {} has several addresses in one text", cx.owner);
            cx.error(&spot.span, what)
                .why("a list is wanted")
                .fix(format!("{key} = [{}]", hosts.join(", ")));
            continue;
        }
        let Some(address) = address::with_port(&spot.value, port, &spot.span, cx) else {
            continue;
        };
        if all.contains(&address) {
            let what = format!("{key} in {} has {address} twice", cx.owner);
            cx.error(&spot.span, what)
                .why("once is enough")
                .fix("leave one out");
            continue;
        }
        all.push(address);
    }
    all
}

fn path(words: &Discover, service: Service, cx: &mut Cx) -> Option<String> {
    let Some(spot) = words.path.get() else {
        if words.path.is_absent() && service == Service::HIVESERVER2 {
            return Some(HIVE_PATH.to_owned());
        }
        if words.path.is_absent() {
            let example = "path = \"/NODE\", below which the servers register";
            super::missing(&words.span, "path", example, cx);
        }
        return None;
    };
    judge_path(spot, cx)
}

/// A node of ZooKeeper that is not the root.
pub(super) fn judge_path(spot: &Spot<String>, cx: &mut Cx) -> Option<String> {
    let text = spot.value.as_str();
    let why = if !text.starts_with('/') {
        "it begins with a slash"
    } else if text
        .split('/')
        .skip(1)
        .any(|part| matches!(part, "" | "." | ".."))
    {
        "a name is missing between two slashes, or behind the last"
    } else if text.chars().any(char::is_control) {
        "it has a control character"
    } else {
        return Some(text.to_owned());
    };
    let what = format!("path in {} is no node of ZooKeeper", cx.owner);
    let meant: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    cx.error(&spot.span, what)
        .why(why)
        .fix(format!("write {:?}", format!("/{}", meant.join("/"))));
    None
}

/// A user with a password, or neither.
pub(super) fn account(
    username: &Field<String>,
    password_file: &Field<FilePath>,
    cx: &mut Cx,
) -> Option<(String, Secret)> {
    let password = password_file.get();
    let password = password.and_then(|path| material::secret(path, "password_file", cx));
    for (key, given, other, absent) in [
        (
            "username",
            username.span(),
            "password_file",
            password_file.is_absent(),
        ),
        (
            "password_file",
            password_file.span(),
            "username",
            username.is_absent(),
        ),
    ] {
        if let Some(span) = given.filter(|_| absent) {
            let what = format!("{} has a {key} without a {other}", cx.owner);
            cx.error(&span, what)
                .why("a login at ZooKeeper takes both")
                .fix(format!("add {other}, or leave {key} out"));
        }
    }
    let user = username.get()?;
    if user.value.is_empty() || user.value.contains(':') {
        let what = format!("username in {} is no user of ZooKeeper", cx.owner);
        cx.error(&user.span, what)
            .why("a name is at least one letter long, and what follows a \":\" is the password")
            .fix("username = \"NAME\", with the password in password_file");
    }
    Some((user.value.clone(), password?))
}

fn srv(name: &Spot<String>, cx: &mut Cx) -> Option<DiscoverPlan> {
    let why = match Host::read(&name.value) {
        Ok(Host::Name(name)) => return Some(DiscoverPlan::DnsSrv { name }),
        Ok(Host::Ip(_)) => "an address has no SRV records",
        Err(why) => why,
    };
    let what = format!("dns_srv in {} is no name", cx.owner);
    cx.error(&name.span, what)
        .why(why)
        .fix("dns_srv = \"_solr._tcp.example.com\"");
    None
}

/// The file need not be there yet. What is in it is judged whenever it is read.
fn file(path: &Spot<FilePath>, cx: &mut Cx) -> DiscoverPlan {
    let full = cx.resolve(&path.value.0);
    let folder = full.parent().filter(|one| !one.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let what = format!(
            "file in {} stands in a folder that does not exist",
            cx.owner
        );
        cx.error(&path.span, what)
            .why("the file need not be there yet, its folder must")
            .fix("make the folder: howdah locks itself out of those that are not there when it starts");
    } else if !reach::may_read(&full) {
        let what = format!("file in {} cannot be read", cx.owner);
        cx.error(&path.span, what)
            .why("outside the folders that howdah locked itself into when it started")
            .fix("name a file in the configuration's folder, or restart howdah");
    }
    cx.files.push(full.clone());
    DiscoverPlan::File { path: full }
}

pub(super) const ZOOKEEPER: u16 = 2181;
const IMPALA: u16 = 25000;
/// `hive.server2.zookeeper.namespace` (HiveConf.java), below the root.
const HIVE_PATH: &str = "/hiveserver2";

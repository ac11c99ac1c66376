//! Who may look and command: socket, tokens, TLS, the users of this machine; and what the log tells of it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::eventually;
use crate::support::howdah::http;
use crate::support::{Certificates, Frame, Howdah, Site, TERM, plain, program, raw, run};

/// `howdah ARGUMENTS --admin ADMIN`, by that user if it is not ours.
async fn ctl(admin: &str, arguments: &[&str], token: Option<&str>, uid: Option<u32>) -> Output {
    let mut command = program();
    command.args(arguments).args(["--admin", admin]);
    if let Some(token) = token {
        command.env("HOWDAH_TOKEN", token);
    }
    if let Some(uid) = uid {
        command.uid(uid);
    }
    run(command).await
}

fn said(output: &Output) -> String {
    [output.stdout.clone(), output.stderr.clone()]
        .concat()
        .escape_ascii()
        .to_string()
}

/// Every audit line so far.
fn audit(howdah: &Howdah) -> Vec<Value> {
    let lines = howdah.log().so_far();
    let lines = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["message"] == "order")
        .collect()
}

const LOCKED: &str = "[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n";

/// Any user of the machine could drain its servers.
#[tokio::test]
async fn another_user_of_this_machine_looks_and_commands_nothing() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can be somebody else.
    }
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let admin = format!("http://{}", howdah.admin().await);
    let name = format!("echo/{}", server.address());
    let nobody = 65_534;
    let looked = ctl(&admin, &["status"], None, Some(nobody)).await;
    assert!(looked.status.success(), "{}", said(&looked));
    let denied = ctl(&admin, &["drain", &name], None, Some(nobody)).await;
    assert_eq!(denied.status.code(), Some(1), "{}", said(&denied));
    assert!(
        said(&denied).contains("are for root and the user"),
        "{}",
        said(&denied)
    );
    let address = server.address().to_string();
    assert_eq!(howdah.server("echo", &address).await["admin"], "ready");
    let own = ctl(&admin, &["drain", &name], None, None).await;
    assert!(own.status.success(), "{}", said(&own));
    eventually!(audit(&howdah).len() == 2);
    let lines = audit(&howdah);
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["who"]),
        (&"denied".into(), &"nobody".into())
    );
    assert_eq!(
        (&lines[1]["outcome"], &lines[1]["who"]),
        (&"done".into(), &"uid 0".into())
    );
    assert_eq!(lines[1]["order"], "draining");
    assert_eq!(lines[1]["server"], address);
}

#[tokio::test]
async fn the_socket_takes_commands_and_the_port_none() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    let config = plain("echo", &[server.address()], "")
        + &LOCKED.replace(
            "[log]",
            "socket = \"admin.sock\"\nsocket_mode = \"0600\"\n[log]",
        );
    let mut howdah = site.start(&config).await;
    let path = howdah.dir().join("admin.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let socket = format!("unix:{}", path.display());
    let name = format!("echo/{}", server.address());
    for command in [
        &["status"][..],
        &["drain", &name],
        &["weight", &name, "3"],
        &["reload"],
    ] {
        let output = ctl(&socket, command, None, None).await;
        assert!(output.status.success(), "{command:?}: {}", said(&output));
    }
    let denied = howdah.ctl(&["ready", &name]).await;
    assert_eq!(denied.status.code(), Some(1), "{}", said(&denied));
    assert!(
        howdah.ctl(&["status"]).await.status.success(),
        "looking is free"
    );
    let uid = rustix::process::geteuid().as_raw();
    let orders: Vec<_> = audit(&howdah)
        .iter()
        .map(|line| {
            (
                line["order"].clone(),
                line["outcome"].clone(),
                line["who"].clone(),
            )
        })
        .collect();
    let who = Value::from(format!("uid {uid}"));
    let line =
        |order: &str, outcome: &str, who: &Value| (order.into(), outcome.into(), who.clone());
    let expected = [
        line("draining", "done", &who),
        line("weight", "done", &who),
        line("reload", "done", &who),
        line("ready", "denied", &"nobody".into()),
    ];
    assert_eq!(orders, expected);
    howdah.signal(TERM);
    howdah.exit().await;
    assert!(!path.exists(), "it takes its socket away");
}

/// A crowd at the port, of which each waits for an answer, leaves the operator the socket.
#[tokio::test]
async fn a_socket_left_by_a_kill_is_taken_again() {
    let server = raw::echo(&Frame::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let config = plain("echo", &[server.address()], "")
        + &LOCKED.replace(
            "[log]",
            &format!("socket = {:?}\n[log]", path.display().to_string()),
        );
    let mut howdah = Howdah::start(&config).await;
    howdah.signal(Signal::KILL);
    howdah.exit().await;
    assert!(path.exists(), "nobody was there to take it away");
    let _again = Howdah::start(&config).await;
    let socket = format!("unix:{}", path.display());
    let output = ctl(&socket, &["status"], None, None).await;
    assert!(output.status.success(), "{}", said(&output));
}

fn tokens(site: &Site) {
    for (file, secret) in [("operator.token", OPERATOR), ("reader.token", READER)] {
        let path = site.write(file, &format!("{secret}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

const OPERATOR: &str = "operator-secret-4711";
const READER: &str = "reader-secret-0815";
const TOKENS: &str = "token_file = \"operator.token\"\nreader_token_file = \"reader.token\"\n[log]";

#[tokio::test]
async fn readers_look_operators_command_and_nobody_does_neither() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    tokens(&site);
    let config = plain("echo", &[server.address()], "") + &LOCKED.replace("[log]", TOKENS);
    let howdah = site.start(&config).await;
    let at = howdah.admin().await;
    let drain = format!("/api/v1/pools/echo/servers/{}/drain", server.address());
    let bearer = |token: &str| vec![format!("Authorization: Bearer {token}")];
    for (headers, look, command) in [
        (Vec::new(), 401, 401),
        (bearer("wrong"), 401, 401),
        (bearer(READER), 200, 401),
        (bearer(OPERATOR), 200, 200),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        for path in ["/", "/metrics", "/api/v1/status"] {
            assert_eq!(
                http(at, "GET", path, "", &headers).await.0,
                look,
                "{path} {headers:?}"
            );
        }
        assert_eq!(
            http(at, "POST", &drain, "", &headers).await.0,
            command,
            "{headers:?}"
        );
        for path in ["/healthz", "/readyz"] {
            assert_ne!(http(at, "GET", path, "", &headers).await.0, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn the_admin_address_speaks_tls() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    tokens(&site);
    let certificates = Certificates::new(&site);
    certificates.write(&site, "admin", &["localhost", "127.0.0.1"]);
    let with = TOKENS.replace(
        "[log]",
        "[admin.tls]\ncert = \"admin.crt\"\nkey = \"admin.key\"\n[log]",
    );
    let config = plain("echo", &[server.address()], "") + &LOCKED.replace("[log]", &with);
    let howdah = site.start(&config).await;
    let ca = howdah.dir().join("ca.crt").display().to_string();
    let port = howdah.admin().await.port();
    let admin = format!("https://localhost:{port}");
    let name = format!("echo/{}", server.address());
    let drained = ctl(&admin, &["drain", &name, "--ca", &ca], Some(OPERATOR), None).await;
    assert!(drained.status.success(), "{}", said(&drained));
    let stranger = ctl(&admin, &["status"], Some(OPERATOR), None).await;
    assert_eq!(
        stranger.status.code(),
        Some(1),
        "signed by nobody that the system knows"
    );
    assert!(said(&stranger).contains("--ca FILE"), "{}", said(&stranger));
    let clear = ctl(
        &format!("http://localhost:{port}"),
        &["status"],
        Some(OPERATOR),
        None,
    )
    .await;
    assert_eq!(clear.status.code(), Some(1), "{}", said(&clear));
    assert!(said(&clear).contains("is no howdah"), "{}", said(&clear));
    let plainly = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let https = format!("https://{}", plainly.admin().await);
    let clear = ctl(&https, &["status", "--ca", &ca], None, None).await;
    assert!(said(&clear).contains("write http://"), "{}", said(&clear));
}

/// Tokens, passwords and keys are in no line, no answer and no error, at the most talkative level.
#[tokio::test]
async fn no_secret_is_ever_told() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    tokens(&site);
    let password = site.write("probe.password", "probe-secret-2323\n");
    std::fs::set_permissions(password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = plain("echo", &[server.address()], "")
        + &format!(
            "[pool.hive]\nservice = \"hiveserver2\"\nservers = [\"{}\"]\n\
             probe = {{ type = \"hiveserver2\", depth = \"session\", username = \"u\", password_file = \"probe.password\", interval = \"100ms\", timeout = \"50ms\" }}\n",
            server.address()
        )
        + &LOCKED.replace("[log]", &format!("{TOKENS}\nlevel = \"trace\""));
    let mut howdah = site.start(&config).await;
    let at = howdah.admin().await;
    let name = format!("echo/{}", server.address());
    let admin = format!("http://{at}");
    let mut told = String::new();
    for (command, token) in [
        (&["status", "--json"][..], OPERATOR),
        (&["drain", &name], OPERATOR),
        (&["ready", &name], READER),
        (&["weight", "echo/none", "3"], OPERATOR),
        (&["reload"], OPERATOR),
        (&["reload"], "guess-secret-9999"),
    ] {
        told += &said(&ctl(&admin, command, Some(token), None).await);
    }
    for secret in [OPERATOR, READER] {
        let header = format!("Authorization: Bearer {secret}");
        for path in ["/metrics", "/api/v1/status", "/nowhere"] {
            told += &http(at, "GET", path, "", &[&header]).await.1;
        }
        told += &http(at, "PUT", "/api/v1/reload", "{", &[&header]).await.1;
    }
    let broken = config.replace("interval = \"100ms\"", "interval = 7");
    std::fs::write(howdah.dir().join("howdah.toml"), broken).unwrap();
    told += &said(&ctl(&admin, &["reload"], Some(OPERATOR), None).await);
    told += &said(&check(&howdah.dir().join("howdah.toml")).await);
    std::fs::write(howdah.dir().join("howdah.toml"), &config).unwrap();
    told += &said(&check(&howdah.dir().join("howdah.toml")).await);
    tokio::time::timeout(
        Duration::from_secs(20),
        howdah.log().find(0, |line| {
            (line["message"] == "server is down").then_some(())
        }),
    )
    .await
    .expect("the hive that is none is down");
    howdah.signal(TERM);
    howdah.exit().await;
    told += &howdah.log().so_far().join("\n");
    for access in howdah.access_lines() {
        told += &access.to_string();
    }
    assert!(
        told.contains("outcome") && told.contains("denied"),
        "orders were told"
    );
    for secret in [OPERATOR, READER, "probe-secret-2323", "guess-secret-9999"] {
        assert!(!told.contains(secret), "{secret} was told");
    }
}

async fn check(path: &Path) -> Output {
    let mut command = program();
    command.arg("check").arg("--config").arg(path);
    run(command).await
}

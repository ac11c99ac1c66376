//! `howdah doctor`: each finding in a file that has it, and none in the same file mended; what a running howdah shows; exit codes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use ::howdah::doctor::{self, Code, System};
use serde_json::Value;

use crate::eventually;
use crate::support::howdah::Site;
use crate::support::tls::Certificates;
use crate::support::{Frame, Howdah, exchange, free_address, plain, program, raw, run};

/// Code, what is ill, what mends it. Both are tables beside `LISTENER`, whose pool is `p`.
const ILL: [(&str, &str, &str); 16] = [
    (
        "tcp-probe",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nprobe = { type = \"tcp\" }",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
    ),
    (
        "no-probe",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nprobe = \"none\"",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
    ),
    (
        "shared-probe",
        "service = \"http\"\nservers = [\"10.0.0.1:81\", \"10.0.0.1:82\"]\nprobe = { type = \"http\", path = \"/\", port = 80 }",
        "service = \"http\"\nservers = [\"10.0.0.1:81\", \"10.0.0.2:82\"]\nprobe = { type = \"http\", path = \"/\", port = 80 }",
    ),
    (
        "shared-probe",
        "service = \"tcp\"\nservers = [\"10.0.0.1:81\", \"10.0.0.1:82\"]\nprobe = { type = \"command\", command = [\"/bin/true\"] }",
        "service = \"tcp\"\nservers = [\"10.0.0.1:81\", \"10.0.0.1:82\"]\nprobe = { type = \"command\", command = [\"/bin/true\", \"{port}\"] }",
    ),
    (
        "shallow-probe",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nprobe = { depth = \"session\", username = \"howdah\", password_file = \"secret\" }",
    ),
    (
        "anonymous-probe",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nprobe = { depth = \"session\" }",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nprobe = { depth = \"session\", username = \"howdah\", password_file = \"secret\" }",
    ),
    (
        "idle-too-short",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\ntimeouts = { idle = \"50s\" }",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\ntimeouts = { idle = \"12h\" }",
    ),
    (
        "connect-too-long",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\ntimeouts = { connect = \"60s\" }",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\ntimeouts = { connect = \"5s\" }",
    ),
    (
        "drain-too-short",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\n[global]\ndrain_timeout = \"1h\"",
    ),
    (
        "drain-too-short",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\n[global]\ndrain_timeout = \"10s\"",
        "service = \"hiveserver2\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
    ),
    (
        "one-source",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nbalance = \"source-hash\"\n[pool.hue]\nservice = \"hue\"\nservers = [\"10.0.0.3\"]",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\n[pool.hue]\nservice = \"hue\"\nservers = [\"10.0.0.3\"]",
    ),
    (
        "single-server",
        "service = \"hue\"\nservers = [\"10.0.0.1\"]",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
    ),
    (
        "single-zookeeper",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\n[cluster]\nname = \"lb-1\"\nzookeeper = [\"10.0.0.3\"]",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\n[cluster]\nname = \"lb-1\"\nzookeeper = [\"10.0.0.3\", \"10.0.0.4\", \"10.0.0.5\"]",
    ),
    (
        "no-address",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"nowhere.invalid\"]",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"localhost\"]",
    ),
    (
        "shared-address",
        "service = \"hue\"\nservers = [\"127.0.0.1\", \"localhost\"]",
        "service = \"hue\"\nservers = [\"10.0.0.1\", \"localhost\"]",
    ),
    (
        "check",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]\nsend_proxy = \"v2\"",
        "service = \"impala\"\nservers = [\"10.0.0.1\", \"10.0.0.2\"]",
    ),
];

const LISTENER: &str =
    "[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:10000\"\npool = \"p\"\n[pool.p]\n";

#[tokio::test]
async fn each_finding_of_a_file_is_there_and_gone_when_mended() {
    let site = Site::new();
    site.write("secret", "not-to-be-shown");
    for (code, ill, mended) in ILL {
        let found = codes(&site, &format!("{LISTENER}{ill}\n")).await;
        assert!(found.contains(code), "{code} is not in {found:?}:\n{ill}");
        let found = codes(&site, &format!("{LISTENER}{mended}\n")).await;
        assert!(
            !found.contains(code),
            "{code} is still in {found:?}:\n{mended}"
        );
    }
}

#[tokio::test]
async fn names_and_tokens_of_a_file() {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "hive", &["hive.example.com", "*.sales.example.com"]);
    site.write("token", "not-to-be-shown");
    let tls = |name: &str| {
        let route = format!("[[listener.route]]\nsni = [\"{name}\"]\npool = \"p\"\n");
        let tls = "[listener.tls]\ncertificates = [{ cert = \"hive.crt\", key = \"hive.key\" }]\n";
        format!(
            "{}{tls}{route}[pool.p]\nservice = \"hue\"\nservers = [\"10.0.0.1\"]\n",
            LISTENER.replace("[pool.p]\n", "")
        )
    };
    let misses = "name-not-on-certificate";
    for (name, missing) in [
        ("other.example.com", true),
        ("hive.example.com", false),
        ("eu.sales.example.com", false),
        ("*.sales.example.com", false),
        ("*.example.com", false),
        ("a.eu.sales.example.com", true),
    ] {
        assert_eq!(
            codes(&site, &tls(name)).await.contains(misses),
            missing,
            "{name}"
        );
    }
    let admin = |more: &str| {
        format!(
            "{LISTENER}service = \"hue\"\nservers = [\"10.0.0.1\"]\n[admin]\nbind = \"0.0.0.0:9600\"\ntoken_file = \"token\"\n{more}\n"
        )
    };
    let found = codes(&site, &admin("")).await;
    assert!(
        found.contains("token-in-clear") && found.contains("anybody-looks"),
        "{found:?}"
    );
    site.write("reader", "nor-this");
    let found = codes(
        &site,
        &admin("reader_token_file = \"reader\"\ntls = { cert = \"hive.crt\", key = \"hive.key\" }"),
    )
    .await;
    assert!(
        !found.contains("token-in-clear") && !found.contains("anybody-looks"),
        "{found:?}"
    );
}

/// Tickets for each server's own name say nothing of howdah's; those for a shared name show that it is known.
#[tokio::test]
async fn a_service_with_tickets_must_know_the_name_of_the_balancer() {
    let site = Site::new();
    let realms = "[realms]\nEXAMPLE.COM = {\n kdc = kdc.example.com\n}\n";
    let realms = site.write("krb5.conf", realms);
    std::fs::write(site.path().join("howdah.keytab"), keytab()).unwrap();
    for (more, found) in [
        ("", true),
        (
            ", service_principal = \"hive/lb.example.com@EXAMPLE.COM\"",
            false,
        ),
    ] {
        let probe = format!(
            "probe = {{ depth = \"session\", keytab = \"howdah.keytab\", principal = \"howdah@EXAMPLE.COM\"{more} }}"
        );
        let pool = "service = \"hiveserver2\"\nservers = [\"hs2-1.invalid\", \"hs2-2.invalid\"]\n";
        let file = site.write("asked.toml", &format!("{LISTENER}{pool}{probe}\n"));
        let mut command = program();
        command
            .args(["doctor", "--json", "--config"])
            .arg(file)
            .env("KRB5_CONFIG", &realms);
        let output = run(command).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            !said.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(said.contains("balancer-principal"), found, "{said}");
        let names = said.contains("hive/NAME@EXAMPLE.COM");
        assert_eq!(names, found, "{said}");
    }
}

/// One AES key of howdah@EXAMPLE.COM.
fn keytab() -> Vec<u8> {
    let text = |text: &str| {
        [
            &u16::try_from(text.len()).unwrap().to_be_bytes()[..],
            text.as_bytes(),
        ]
        .concat()
    };
    let entry = [
        &[0, 1][..],
        &text("EXAMPLE.COM"),
        &text("howdah"),
        &[0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 18, 0, 32],
        &[7; 32],
    ]
    .concat();
    let length = u32::try_from(entry.len()).unwrap().to_be_bytes();
    [&[5, 2][..], &length, &entry].concat()
}

#[tokio::test]
async fn exit_codes_and_words() {
    let site = Site::new();
    let (code, out) = ask(&site, &format!("{LISTENER}{}\n", ILL[11].2), &[]).await;
    assert!(
        code == Some(0) && out.contains("nothing found in "),
        "{out}"
    );
    let (code, out) = ask(&site, &format!("{LISTENER}{}\n", ILL[11].1), &[]).await;
    assert!(
        code == Some(0)
            && out.starts_with("note: pool \"p\": it has one server [single-server]\n  why: "),
        "{out}"
    );
    let (code, out) = ask(&site, &format!("{LISTENER}{}\n", ILL[0].1), &[]).await;
    assert_eq!(code, Some(1));
    assert!(
        out.starts_with(
            "warning: pool \"p\": its servers (hiveserver2) are asked by bare connects"
        ),
        "{out}"
    );
    assert!(
        out.contains("a Thrift server writes a line, or a stack trace, to its log for each"),
        "{out}"
    );
    assert!(out.contains("  fix: leave `type` out: hiveserver2 has a question of its own (docs/services/hiveserver2.md)"), "{out}");
    let (code, _) = ask(&site, "nonsense = 1\n", &[]).await;
    assert_eq!(code, Some(78));
}

/// The machine's own numbers are what they are: they are given here.
#[test]
fn what_this_machine_cannot_give_is_found() {
    let text = format!(
        "{LISTENER}service = \"tcp\"\nservers = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\n[global]\nmax_connections = 30000\n"
    );
    let plan = ::howdah::config::judge(Path::new("x.toml"), text.into_bytes())
        .unwrap()
        .plan;
    let found = |system| {
        let found = doctor::of_system(&plan, &system);
        found.into_iter().map(|one| one.code).collect::<Vec<_>>()
    };
    let small = System {
        open_files: Some(1024),
        local_ports: Some(28_232),
        somaxconn: Some(128),
        conntrack: Some(32_768),
    };
    assert_eq!(
        found(small),
        ["open-files", "backlog", "conntrack", "local-ports"]
    );
    let large = System {
        open_files: Some(1 << 20),
        local_ports: Some(64_512),
        somaxconn: Some(4096),
        conntrack: None,
    };
    assert!(found(large).is_empty());
    assert!(
        found(System::default()).is_empty(),
        "what is not known is not judged"
    );
    assert!(System::here().open_files.is_some_and(|files| files > 0));
}

#[tokio::test]
async fn a_running_howdah_tells_who_is_down_and_what_was_not_taken() {
    let (good, gone) = (raw::echo(&Frame::default()).unwrap(), free_address());
    let pool = |servers: &str, more: &str| {
        format!(
            "[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\npool = \"p\"\n[pool.p]\nservice = \"tcp\"\nservers = [{servers}]\n{more}\n"
        )
    };
    let fast = "probe = { type = \"tcp\", interval = \"1s\", fast_interval = \"100ms\", fall = 1 }";
    let both = format!("\"{}\", \"{gone}\"", good.address());
    let howdah = Howdah::start(&pool(&both, &format!("{fast}\npanic_threshold = 60"))).await;
    howdah.healthy("p", &gone.to_string(), "down").await;
    let found = running(&howdah).await;
    assert!(
        found.contains("server-down") && found.contains("panic") && !found.contains("pool-down"),
        "{found:?}"
    );
    howdah.reload(&pool(&format!("\"{gone}\""), fast)).await;
    eventually!(running(&howdah).await.contains("pool-down"));
    let text = howdah.ctl(&["doctor"]).await;
    let text = (text.status.code(), String::from_utf8(text.stdout).unwrap());
    assert_eq!(text.0, Some(1));
    assert!(text.1.starts_with("error: pool \"p\": none of its 1 servers takes sessions [pool-down]\n  why: every client of it is refused (no-server)\n"), "{}", text.1);
    assert!(
        text.1.contains("connect-refused")
            && text.1.contains("nobody listens there: start the server"),
        "{}",
        text.1
    );
    howdah.reload("nonsense = 1").await;
    assert!(running(&howdah).await.contains("reload-refused"));
    howdah
        .reload(&format!("[global]\nworkers = 7\n{}", pool(&both, fast)))
        .await;
    let found = running(&howdah).await;
    assert!(
        found.contains("restart-needed") && !found.contains("reload-refused"),
        "{found:?}"
    );
    eventually!(!running(&howdah).await.contains("pool-down"));
}

#[tokio::test]
async fn a_running_howdah_tells_who_is_full_and_who_got_none() {
    let (good, gone) = (raw::echo(&Frame::default()).unwrap(), free_address());
    let small = format!(
        "[[pool.echo.servers]]\naddress = \"{}\"\nmax_connections = 1\n",
        good.address()
    );
    let config = plain("echo", &[], "max_queue = 0").replace("servers = []\n", "") + &small;
    let howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "x").await;
    assert!(running(&howdah).await.contains("pool-full"));
    for _ in 0..100 {
        drop(howdah.connect("echo").await);
    }
    eventually!(running(&howdah).await.contains("unserved"));
    drop(client);
    eventually!(!running(&howdah).await.contains("pool-full"));
    let flaky = plain("echo", &[good.address(), gone], "");
    let howdah = Howdah::start(&flaky).await;
    assert!(!running(&howdah).await.contains("many-retries"));
    for _ in 0..100 {
        let mut client = howdah.connect("echo").await;
        exchange(&mut client, "x").await;
    }
    eventually!(running(&howdah).await.contains("many-retries"));
}

#[tokio::test]
async fn a_list_that_is_old_and_a_certificate_that_ends_are_found() {
    let site = Site::new();
    site.write("members.toml", "servers = [\"127.0.0.1:1\"]\n");
    let folder = site.path().to_owned();
    let config = "[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:0\"\npool = \"p\"\n\
        [pool.p]\nservice = \"tcp\"\nprobe = \"none\"\ndiscover = { file = \"members.toml\" }\n";
    let howdah = site.start(config).await;
    eventually!(howdah.status().await["pools"][0]["discovery"]["state"] == "live");
    assert!(!running(&howdah).await.contains("discovery-stale"));
    std::fs::write(folder.join("members.toml"), "servers = 1\n").unwrap();
    eventually!(running(&howdah).await.contains("discovery-stale"));
}

/// A certificate of a week, as no stand-in mints one.
#[test]
fn a_certificate_that_ends_soon_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["hive.example.com".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let plan = |params: &rcgen::CertificateParams| {
        std::fs::write(
            folder.path().join("a.crt"),
            params.self_signed(&key).unwrap().pem(),
        )
        .unwrap();
        std::fs::write(folder.path().join("a.key"), key.serialize_pem()).unwrap();
        let tls = "[listener.tls]\ncertificates = [{ cert = \"a.crt\", key = \"a.key\" }]\n[pool.p]\nservice = \"hue\"\nservers = [\"10.0.0.1\"]\n";
        let text = LISTENER.replace("[pool.p]\n", tls);
        let loaded = ::howdah::config::judge(&folder.path().join("x.toml"), text.into_bytes());
        loaded.unwrap().plan
    };
    let codes = |params: &rcgen::CertificateParams| {
        let found = doctor::of_running(&plan(params), &[], tokio::time::Instant::now());
        found.into_iter().map(|one| one.code).collect::<Vec<_>>()
    };
    params.not_after = rcgen::date_time_ymd(2999, 1, 1);
    assert!(codes(&params).is_empty());
    params.not_after = (SystemTime::now() + std::time::Duration::from_secs(7 * 86_400)).into();
    assert_eq!(codes(&params), ["certificate-ends"]);
}

#[test]
fn the_document_explains_every_code_and_every_code_is_tested() {
    let document = include_str!("../../docs/operating/doctor.md");
    let tested: BTreeSet<&str> = ILL
        .iter()
        .map(|(code, ..)| *code)
        .chain(ELSEWHERE)
        .collect();
    for code in Code::all() {
        assert!(
            document.contains(&format!("| `{code}` |")),
            "docs/operating/doctor.md lacks {code}"
        );
        assert!(tested.contains(code), "no test has {code}");
    }
}

/// Tested by the functions above; `conflict` in `failover`, those of clusters in tests/real.
const ELSEWHERE: [&str; 21] = [
    "cluster-alone",
    "cluster-differs",
    "name-not-on-certificate",
    "token-in-clear",
    "anybody-looks",
    "open-files",
    "backlog",
    "conntrack",
    "local-ports",
    "server-down",
    "panic",
    "pool-down",
    "reload-refused",
    "restart-needed",
    "pool-full",
    "unserved",
    "many-retries",
    "discovery-stale",
    "certificate-ends",
    "conflict",
    "balancer-principal",
];

async fn codes(site: &Site, config: &str) -> BTreeSet<String> {
    let (_, out) = ask(site, config, &["--json"]).await;
    listed(&serde_json::from_str(&out).unwrap_or_else(|_| panic!("{config}\n{out}")))
}

async fn ask(site: &Site, config: &str, more: &[&str]) -> (Option<i32>, String) {
    let file = site.write("asked.toml", config);
    let mut command = program();
    command.args(["doctor", "--config"]).arg(file).args(more);
    let output = run(command).await;
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

async fn running(howdah: &Howdah) -> BTreeSet<String> {
    let (code, body) = howdah.http("GET", "/api/v1/doctor", "").await;
    assert_eq!(code, 200, "{body}");
    listed(&serde_json::from_str(&body).unwrap())
}

fn listed(said: &Value) -> BTreeSet<String> {
    let findings = said["findings"].as_array().unwrap().iter();
    let code = |one: &Value| one["code"].as_str().unwrap().to_owned();
    findings.map(code).collect()
}

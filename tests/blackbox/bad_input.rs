//! What people and networks get wrong: one sentence that helps, and never a fall.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::eventually;
use crate::support::{Frame, Howdah, Site, exchange, free_address, plain, program, raw, run};

async fn run_with(config: &str) -> Output {
    let site = Site::new();
    let path = site.write("howdah.toml", config);
    let mut command = program();
    command.arg("run").arg("--config").arg(path);
    run(command).await
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn quiet_admin(config: &str) -> String {
    format!("{config}\n[admin]\nbind = \"127.0.0.1:0\"\n")
}

#[tokio::test]
async fn a_port_in_use_is_told_in_a_sentence() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    let server = ([127, 0, 0, 1], 1).into();
    let config = plain("front", &[server], "")
        .replace("bind = \"127.0.0.1:0\"", &format!("bind = \"{address}\""));
    let output = run_with(&quiet_admin(&config)).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains(&address.to_string()), "{said}");
    assert!(said.contains("in use"), "{said}");
    assert!(!said.contains("panicked"), "{said}");

    let admin = format!(
        "{}\n[admin]\nbind = \"{address}\"\n",
        plain("front", &[address], "")
    );
    let output = run_with(&admin).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(self::said(&output).contains("in use"));
}

/// Only where this test may not bind it itself: as root every port is free.
#[tokio::test]
async fn a_privileged_port_is_told_with_the_remedy() {
    let config = quiet_admin(
        &plain("front", &["127.0.0.1:9".parse().unwrap()], "")
            .replace("bind = \"127.0.0.1:0\"", "bind = \"127.0.0.1:79\""),
    );
    if TcpListener::bind("127.0.0.1:79").is_ok() {
        let Some(output) = as_nobody(&config).await else {
            eprintln!("SKIPPED: privileged ports are open to everyone here");
            return;
        };
        return denied(&output);
    }
    denied(&run_with(&config).await);
}

fn denied(output: &Output) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(output);
    assert!(
        said.contains("127.0.0.1:79") && said.contains("CAP_NET_BIND_SERVICE"),
        "{said}"
    );
}

/// Runs it without privileges, where `setpriv` can take them and ports below 1024 need them.
async fn as_nobody(config: &str) -> Option<Output> {
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?;
    if start.trim().parse::<u16>().ok()? <= 79 {
        return None;
    }
    let site = Site::new();
    let path = site.write("howdah.toml", config);
    let mut command = Command::new("setpriv");
    command
        .args([
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--clear-groups",
            "--reuid=65534",
            "--",
        ])
        .arg(env!("CARGO_BIN_EXE_howdah"))
        .arg("run")
        .arg("--config")
        .arg(&path)
        .stdin(Stdio::null());
    if Command::new("setpriv").arg("--version").output().is_err() {
        return None;
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(site.path(), open).ok()?;
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .ok()?
        .ok()?;
    // setpriv is not there, may not, or the program lies where nobody can reach it.
    (!matches!(output.status.code(), Some(126 | 127)) && said(&output).contains("127.0.0.1:79"))
        .then_some(output)
}

#[tokio::test]
async fn a_faulty_file_has_exit_code_78() {
    let output = run_with("[[listener]]\nname = 3\n").await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(said(&output).contains("howdah.toml:2"), "{}", said(&output));
    let mut command = program();
    command.args(["run", "--config", "/nowhere/howdah.toml"]);
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(said(&output).contains("/nowhere/howdah.toml"));
}

#[tokio::test]
async fn a_wrong_word_on_the_command_line_has_exit_code_2() {
    for arguments in [
        &["leap"][..],
        &["drain"],
        &["weight", "a/b", "many"],
        &["run", "--what"],
    ] {
        let mut command = program();
        command.args(arguments);
        assert_eq!(run(command).await.status.code(), Some(2), "{arguments:?}");
    }
}

/// Each of them, as the program itself lists them, by `-h` as by `--help`.
#[tokio::test]
async fn every_command_has_help_with_examples_and_exit_codes() {
    let help = async |words: &[&str]| {
        let mut command = program();
        command.args(words);
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        said(&output)
    };
    let all = help(&["--help"]).await;
    assert!(
        all.contains("Begin:") && all.contains("Exit codes:"),
        "{all}"
    );
    let (_, list) = all.split_once("Commands:\n").unwrap();
    let list = list.split_once("\n\n").unwrap().0;
    let named = |line: &str| {
        line.strip_prefix("  ")?
            .split_once(' ')
            .map(|it| it.0.to_owned())
    };
    let names: Vec<String> = list.lines().filter_map(named).collect();
    let names = names
        .iter()
        .filter(|name| !matches!(name.as_str(), "help" | ""));
    let mut count = 0;
    for name in names {
        count += 1;
        let text = help(&[name, "--help"]).await;
        assert_eq!(help(&[name, "-h"]).await, text, "{name}");
        let (_, examples) = text.split_once("\nExample").expect(name);
        assert!(examples.contains(&format!("howdah {name}")), "{text}");
        let prints = matches!(name.as_str(), "schema" | "completions");
        assert!(prints || text.contains("Exit codes: 0"), "{text}");
        for line in examples.lines().filter(|line| line.starts_with("  howdah")) {
            assert!(line.len() <= 80, "to be copied from a terminal: {line}");
        }
    }
    assert!(count > 15, "{all}");
}

#[tokio::test]
async fn nobody_at_the_admin_address_is_told() {
    let closed = free_address();
    let mut command = program();
    command.args(["status", "--admin", &format!("http://{closed}")]);
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&closed.to_string()), "{output:?}");
}

/// Random bytes at every kind of listener: each ends that session, and no other.
#[tokio::test]
async fn garbage_ends_its_own_session_only() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut text = plain("plain", &[server.address()], "");
    text += &plain("proxied", &[server.address()], "").replace(
        "pool = \"proxied\"\n",
        "pool = \"proxied\"\naccept_proxy = [\"127.0.0.0/8\"]\ngreet_timeout = \"1s\"\n",
    );
    text += &plain("routed", &[server.address()], "").replace(
        "pool = \"routed\"\n\n",
        "greet_timeout = \"1s\"\n[[listener.route]]\nsni = [\"a.test\"]\npool = \"routed\"\n\n",
    );
    let howdah = Howdah::start(&text).await;
    let mut bystander = howdah.connect("plain").await;
    exchange(&mut bystander, "before").await;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let golden: [&[u8]; 4] = [
        b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x12\x67\x27\x10",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"\x16\x03\x01\xff\xff\x01\xff\xff\xff",
    ];
    for number in 0..150 {
        let listener = ["plain", "proxied", "routed"][number % 3];
        let mut bytes = golden[random.usize(..4)].to_vec();
        for _ in 0..random.usize(0..40) {
            let at = random.usize(..=bytes.len());
            bytes.insert(at, random.u8(..));
        }
        let mut client = howdah.connect(listener).await;
        let _ = client.write_all(&bytes).await;
        if random.bool() {
            let _ = client.shutdown().await;
        }
    }
    exchange(&mut bystander, "after").await;
    let mut newcomer = howdah.connect("plain").await;
    exchange(&mut newcomer, "new").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!howdah.log().so_far().join("\n").contains("panicked"));
}

/// Each session takes two descriptors; when they are used up nothing falls, and what ends makes room.
#[tokio::test]
async fn an_exhausted_descriptor_table_is_survived() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("front", &[server.address()], "") + "\n[global]\nworkers = 1\n";
    let mut howdah = Site::new().with_open_files(64).start(&config).await;
    // Served before the others come: of a crowd that is accepted at once, any may find no descriptor to dial with.
    let mut first = howdah.connect("front").await;
    exchange(&mut first, "in time").await;
    let mut crowd = Vec::new();
    for _ in 0..99 {
        crowd.push(howdah.connect("front").await);
    }
    let full = howdah.log().find(0, |line| {
        line.to_string().contains("new sessions wait").then_some(())
    });
    full.await;
    exchange(&mut first, "while others wait").await;
    drop(crowd);
    eventually!({
        let mut client = howdah.connect("front").await;
        let _ = client.write_all(b"x").await;
        let heard = tokio::time::timeout(Duration::from_secs(5), client.read_u8()).await;
        matches!(heard, Ok(Ok(b'x')))
    });
    exchange(&mut first, "after").await;
    assert_eq!(howdah.http("GET", "/healthz", "").await.0, 200);
    assert!(!howdah.has_ended());
}

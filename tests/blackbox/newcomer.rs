//! What somebody meets who has the README alone: its own commands with its own file, the first lines of the log, and what is said
//! of a mistake.

use std::path::Path;

use ::howdah::standin::Hue;

use crate::support::{Frame, Site, plain, program, raw, run};

/// What stands between the first two of these in the README.
fn of_the_readme(begin: &str, end: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(begin).unwrap();
    rest.split_once(end).unwrap().0.to_owned()
}

/// On a free port, and where nobody answers for names.
async fn its_own_howdah() -> crate::support::Howdah {
    let config = of_the_readme("```toml\n", "```").replace("0.0.0.0:10000", "127.0.0.1:0");
    let site = Site::new().with_name_server([127, 77, 0, 2].into());
    site.start(&config).await
}

#[tokio::test]
async fn the_readmes_drain_works_with_the_readmes_own_file() {
    let howdah = its_own_howdah().await;
    let command = of_the_readme("| `howdah drain ", "`");
    assert!(command.contains(':'), "by host:port: {command}");
    let words: Vec<&str> = std::iter::once("drain").chain(command.split(' ')).collect();
    let said = howdah.ctl_ok(&words).await;
    assert!(said.contains("drained"), "{said}");
    let server = howdah.server("hive", "hs2-1.example.com").await;
    assert_eq!(server["admin"], "draining");
}

#[tokio::test]
async fn a_server_is_known_by_its_name_its_address_and_its_host() {
    let server = Hue::start(&Frame::default(), "one").unwrap();
    let port = server.listener().address().port();
    let config = plain("echo", &[server.listener().address()], "").replace(
        "servers = [",
        &format!("servers = [{{ name = \"one\", address = \"localhost:{port}\" }}, "),
    );
    let howdah = Site::new().start(&config).await;
    for (name, order, now) in [
        ("one".to_owned(), "maintenance", "maintenance"),
        (format!("LocalHost:{port}"), "drain", "draining"),
        ("localhost".to_owned(), "ready", "ready"),
    ] {
        howdah.ctl_ok(&[order, &format!("echo/{name}")]).await;
        assert_eq!(howdah.server("echo", "one").await["admin"], now, "{name}");
    }
    let output = howdah.ctl(&["drain", "echo/two"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("its servers are one, 127.0.0.1:"), "{said}");
}

/// Of forty servers nobody reads the list.
#[tokio::test]
async fn a_mistyped_name_among_many_is_answered_by_the_nearest() {
    let servers: Vec<_> = (1..=40)
        .map(|number| ([127, 0, 0, number], 1).into())
        .collect();
    let howdah = Site::new().start(&plain("echo", &servers, "")).await;
    let output = howdah.ctl(&["drain", "echo/127.0.0.33:11"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("of its 40 servers the nearest are 127.0.0.33:1"),
        "{said}"
    );
}

#[tokio::test]
async fn the_log_begins_with_version_and_file_and_says_when_all_is_ready() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Site::new()
        .start(&plain("echo", &[server.address()], ""))
        .await;
    let told = |message: &'static str| {
        let of_it =
            move |line: &serde_json::Value| (line["message"] == message).then(|| line.clone());
        howdah.log().find(0, of_it)
    };
    let (at, starts) = told("howdah starts").await;
    assert_eq!(at, 1, "the first line");
    assert_eq!(starts["version"], env!("CARGO_PKG_VERSION"));
    let file = howdah.dir().join("howdah.toml");
    assert_eq!(starts["configuration"], file.to_str().unwrap());
    assert_eq!(starts["pid"], howdah.pid());
    let (at, ready) = told("howdah is ready").await;
    let (admin, _) = told("admin listening").await;
    assert!(admin < at, "the last line of the start");
    let listener = format!("echo at {}", howdah.address("echo").await);
    assert_eq!(ready["listeners"], serde_json::json!([listener]));
    assert_eq!(ready["admin"], howdah.admin().await.to_string());
}

#[tokio::test]
async fn a_missing_token_a_wrong_one_and_an_empty_file_are_told_apart() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    site.write("admin.token", "open-sesame\n");
    site.write("reader.token", "only-looks\n");
    site.write("wrong.token", "open-barley\n");
    site.write("empty.token", "\n");
    let config = plain("echo", &[server.address()], "")
        + "[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\nreader_token_file = \"reader.token\"\n";
    let howdah = site.start(&config).await;
    let name = format!("echo/{}", server.address());
    for (order, file, expected) in [
        (
            "drain",
            None,
            "no token was sent: commands need the admin token",
        ),
        ("drain", Some("wrong.token"), "is not the admin token"),
        ("drain", Some("reader.token"), "is the readers' token"),
        ("drain", Some("empty.token"), "is empty"),
        ("drain", Some("none.token"), "there is no such file"),
        ("status", None, "no token was sent: looking needs one"),
        ("status", Some("wrong.token"), "is neither of [admin]"),
    ] {
        let file = file.map(|file| howdah.dir().join(file).to_str().unwrap().to_owned());
        let mut words = vec![order];
        words.extend((order == "drain").then_some(name.as_str()));
        words.extend(file.iter().flat_map(|file| ["--token-file", file]));
        let output = howdah.ctl(&words).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{order} with {file:?}: {said}");
        assert!(!said.contains("open-"), "{said}");
    }
}

/// What is mistyped is answered by what to write, or by what there is; and never by "there is nothing".
#[tokio::test]
async fn a_slip_of_the_pen_is_answered_with_the_remedy() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Site::new()
        .start(&plain("echo", &[server.address()], ""))
        .await;
    let file = howdah.dir().join("howdah.toml");
    let file = file.to_str().unwrap();
    for (words, code, expected) in [
        (&["drain", "hs2-1"][..], 2, "`howdah status` shows them"),
        (
            &["drain", "echo/a", "--timeout", "30"],
            2,
            "write a duration like 90s",
        ),
        (
            &["weight", "echo/a", "0"],
            2,
            "from 1 to 256; to give a server nothing, drain it",
        ),
        (
            &["weight", "echo/a", "1.5"],
            2,
            "a whole number from 1 to 256",
        ),
        (
            &["explain", "--listener", "echo", "--client", "a.test"],
            2,
            "names are not looked up",
        ),
        (
            &["explain", "--listener", "eco", "--client", "10.0.0.1"],
            1,
            "the listeners are echo",
        ),
        (&["sessions", "--pool", "eco"], 1, "the pools are echo"),
        (
            &["sessions", "--ended", "--pool", "eco"],
            1,
            "the pools are echo",
        ),
        (
            &["sessions", "--listener", "eco"],
            1,
            "the listeners are echo",
        ),
        (
            &["sessions", "--server", "echo/hs2"],
            1,
            "has no server \"hs2\"",
        ),
        (
            &["sessions", "--client", "a.test"],
            2,
            "write a network like 10.1.0.0/16",
        ),
        (&["sessions", "--limit", "0"], 2, "from 1 to 100000"),
        (&["events", "--limit", "ten"], 2, "from 1 to 10000"),
        (&["sessions", "--idle", "5"], 2, "write a duration like 90s"),
        (&["sessions", "--pool", "echo"], 0, "no such session"),
        (&["events", "--pool", "eco"], 1, "the pools are echo"),
        (
            &["events", "--pool", "echo", "--kind", "order"],
            0,
            "no event fits",
        ),
        (&["availability", "--pool", "eco"], 1, "no pool eco"),
        (&["status", "--pool", "eco"], 1, "the pools are echo"),
        (&["top"], 2, "wants a terminal"),
        (&["man", "--out", file], 1, "name a folder"),
        (&["demo", "--every", "0s"], 2, "write 1s or more"),
        (&["demo", "--every", "5"], 2, "write a duration like 90s"),
    ] {
        let asks = !matches!(words[0], "man" | "demo");
        let output = if asks {
            howdah.ctl(words).await
        } else {
            alone(words).await
        };
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

async fn alone(words: &[&str]) -> std::process::Output {
    let mut command = program();
    command.args(words);
    run(command).await
}

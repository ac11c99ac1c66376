//! `howdah status` as people look at it: in a terminal, of a pool among many, and kept current.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::support::lines::Lines;
use crate::support::{Fault, Frame, Howdah, Site, plain, program, raw};

/// Two pools, with names as platforms have them.
async fn with_long_names() -> Howdah {
    let long = |pool: &str, number: u8| {
        let name = format!("{pool}-{number}.rack-17.analytics.hadoop.prod.example.com:10000");
        format!("{{ name = \"{name}\", address = \"127.0.0.1:{number}\" }}")
    };
    let pool = |name: &str| {
        let servers: Vec<_> = (1..=3).map(|number| long(name, number)).collect();
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\npool = \"{name}\"\n\
             [pool.{name}]\nservice = \"hiveserver2\"\nservers = [{}]\n\
             probe = {{ type = \"tcp\", interval = \"100ms\", fast_interval = \"20ms\" }}\n",
            servers.join(", ")
        )
    };
    let howdah = Site::new().start(&(pool("sales") + &pool("etl"))).await;
    let name = "sales-1.rack-17.analytics.hadoop.prod.example.com:10000";
    howdah.healthy("sales", name, "down").await;
    howdah
}

#[tokio::test]
async fn long_names_fit_into_a_page_and_a_common_reason_is_told_once() {
    let howdah = with_long_names().await;
    let page = howdah.ctl_ok(&["status", "--pool", "sales"]).await;
    let widest = page.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 100), "{page}");
    assert_eq!(page.matches("Connection refused").count(), 1, "{page}");
    assert!(page.contains("(all 3)") && !page.contains("etl"), "{page}");
    let output = howdah.ctl(&["status", "--pool", "sale"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the pools are sales, etl"), "{said}");
    let json = howdah.ctl_ok(&["status", "--pool", "etl", "--json"]).await;
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names = |list: &str| {
        let all = status[list].as_array().unwrap().iter();
        all.map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("pools"), names("listeners")),
        (vec!["etl".into()], vec!["etl".into()])
    );
}

/// In a terminal of its own, which `script` (util-linux) makes.
struct Watched(Child);

impl Watched {
    async fn start(howdah: &Howdah) -> (Self, Lines) {
        let line = format!(
            "stty rows 30 cols 90; exec {:?} status --watch --admin http://{}",
            program().get_program(),
            howdah.admin().await
        );
        let mut child = Command::new("script")
            .args(["-qefc", &line, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Lines::of(child.stdout.take().unwrap());
        (Self(child), lines)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_watched_status_follows_in_place_and_leaves_the_terminal_as_it_was() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("echo", &[server.address()], "").replace(
        "probe = \"none\"",
        "probe = { type = \"tcp\", interval = \"100ms\", fast_interval = \"20ms\" }",
    );
    let howdah = Howdah::start(&config).await;
    howdah
        .healthy("echo", &server.address().to_string(), "up")
        .await;
    let (mut watched, lines) = Watched::start(&howdah).await;
    let says = |from: usize, words: &'static str| {
        lines.find(from, move |line| {
            line.as_str()?.contains(words).then_some(())
        })
    };
    says(0, "1 of 1 servers take sessions").await;
    server.switch().set(Fault::Refuse);
    let (at, ()) = says(0, "0 of 1 servers take sessions").await;
    says(at, "connect-refused").await;
    // Each frame begins at the top of the screen, and none of them clears it.
    let all = lines.so_far().join("\n");
    assert!(
        all.contains("\x1b[?1049h") && all.matches("\x1b[H").count() >= 2,
        "{all:?}"
    );
    assert!(!all.contains("\x1b[2J"), "{all:?}");
    watched.0.stdin.take().unwrap().write_all(b"\x03").unwrap();
    let rest = String::from_utf8(lines.all_of_it().await).unwrap();
    let last = rest.rfind("\x1b[?25h\x1b[?1049l");
    assert!(
        last.is_some_and(|at| !rest[at..].contains("\x1b[H")),
        "{rest:?}"
    );
    assert_eq!(watched.0.wait().unwrap().code(), Some(0));
}

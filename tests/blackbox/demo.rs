//! `howdah demo` as a newcomer sees it.

use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ::howdah::standin::HiveClient;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::eventually;
use crate::support::howdah::http;
use crate::support::lines::Lines;
use crate::support::{named, program};

/// A running demo; killed when the test is over.
struct Demo {
    child: Child,
    told: Lines,
}

impl Demo {
    fn start(every: &str) -> Self {
        let mut command = program();
        command.args(["demo", "--every", every]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let told = Lines::of(child.stdout.take().unwrap());
        Self { child, told }
    }

    /// The address behind that word of the welcome.
    async fn address(&self, word: &str) -> SocketAddr {
        let found = self.line(0, |line| {
            let rest = line.trim_start().strip_prefix(word)?.trim_start();
            let place = rest.trim_start_matches("http://");
            place.split([' ', '/']).next()?.parse().ok()
        });
        found.await.1
    }

    /// The first line from number `from` on that `wanted` likes, and the number to go on with.
    async fn line<T>(&self, from: usize, wanted: impl Fn(&str) -> Option<T>) -> (usize, T) {
        self.told.find(from, |line| wanted(line.as_str()?)).await
    }

    /// Goes on to a line with these words.
    async fn says(&self, from: usize, words: &str) -> usize {
        self.line(from, |line| line.contains(words).then_some(()))
            .await
            .0
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_demo_shows_a_failover_and_ends_at_once() {
    let mut demo = Demo::start("8s");
    let hive = demo.address("HiveServer2").await;
    let mut client = HiveClient::connect(hive, "me").await.unwrap();
    let answer = client.query("SELECT who_answers").await.unwrap();
    assert!(answer[0].starts_with("hs2-"), "{answer:?}");
    let impala = demo.address("Impala").await;
    let stream = TcpStream::connect(impala).await.unwrap();
    let mut client = HiveClient::over(Box::new(stream), None).await.unwrap();
    let answer = client.query("SELECT who_answers").await.unwrap();
    assert!(answer[0].starts_with("impalad-"), "{answer:?}");
    let hue = demo.address("Hue").await;
    assert!(http(hue, "GET", "/", "", &[]).await.1.contains("hue-"));

    let victim = |line: &str| {
        let (before, _) = line.split_once(" dies")?;
        Some(before.rsplit(' ').next()?.to_owned())
    };
    let (at, victim) = demo.line(0, victim).await;
    let at = demo.says(at, &format!("/{victim} is down")).await;
    let at = demo.says(at, &format!("{victim} is started again")).await;
    let at = demo.says(at, &format!("/{victim} is up")).await;
    demo.says(at, "answers:").await;

    let admin = demo.address("Status page").await;
    let (_, status) = http(admin, "GET", "/api/v1/status", "", &[]).await;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        named(&status["pools"], "hive")["servers"]
            .as_array()
            .unwrap()
            .len(),
        3
    );

    kill_process(Pid::from_child(&demo.child), Signal::INT).unwrap();
    let told = Instant::now();
    eventually!(demo.child.try_wait().unwrap().is_some());
    assert!(
        told.elapsed() < Duration::from_secs(10),
        "{:?}",
        told.elapsed()
    );
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}

/// Two at once: the second finds the friendly ports taken, and takes others.
#[tokio::test]
async fn a_second_demo_finds_other_ports() {
    let (first, second) = (Demo::start("1h"), Demo::start("1h"));
    for word in ["HiveServer2", "Impala", "Hue", "Status page"] {
        assert_ne!(
            first.address(word).await,
            second.address(word).await,
            "{word}"
        );
    }
    // Which of the two came first is not known: one of them at least is told that it is elsewhere, and where.
    let familiar = [10_000, 21_050, 8888, 9600];
    let words = ["HiveServer2", "Impala", "Hue", "Status page"];
    for (word, port) in words.into_iter().zip(familiar) {
        for demo in [&first, &second] {
            let place = demo.address(word).await;
            if place.port() != port {
                let said = format!("on port {} instead", place.port());
                demo.says(0, &format!("Port {port} is taken")).await;
                demo.says(0, &said).await;
            }
        }
    }
}

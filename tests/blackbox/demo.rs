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
        self.line(|line| {
            let rest = line.trim_start().strip_prefix(word)?.trim_start();
            let place = rest.trim_start_matches("http://");
            place.split([' ', '/']).next()?.parse().ok()
        })
        .await
    }

    /// The first line that `wanted` likes.
    async fn line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let find = |line: &Value| wanted(line.as_str()?);
        self.told.find(0, find).await.1
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
    let mut demo = Demo::start("2s");
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

    let dies = demo
        .line(|line| line.split_once(" dies").map(|(name, _)| name.to_owned()))
        .await;
    let victim = dies.rsplit(' ').next().unwrap().to_owned();
    demo.line(|line| line.contains(&format!("/{victim} is down")).then_some(()))
        .await;
    demo.line(|line| {
        line.contains(&format!("{victim} is started again"))
            .then_some(())
    })
    .await;
    demo.line(|line| line.contains(&format!("/{victim} is up")).then_some(()))
        .await;
    demo.line(|line| line.contains("answers:").then_some(()))
        .await;

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
}

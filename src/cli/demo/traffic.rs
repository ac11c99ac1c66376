//! The demo's own clients: a few users who run queries, and one who looks at Hue.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::cluster::Places;
use super::narrator::Narrator;
use crate::standin::{ClientError, HiveClient};

/// Begins all clients.
pub(super) fn start(play: &mut JoinSet<()>, places: &Places, narrator: &Narrator) {
    for user in ["ann", "ben", "cem"] {
        let client = User::new(user, "hive", places.hive, narrator);
        play.spawn(client.work());
    }
    for user in ["dee", "eli"] {
        let client = User::new(user, "impala", places.impala, narrator);
        play.spawn(client.work());
    }
    play.spawn(browse(places.hue, narrator.clone()));
}

/// Someone with a session, and queries now and then.
struct User {
    name: &'static str,
    pool: &'static str,
    address: SocketAddr,
    narrator: Narrator,
    /// What broke, when, and on whom, until a new session runs.
    broken: Option<(Instant, String)>,
}

impl User {
    fn new(
        name: &'static str,
        pool: &'static str,
        address: SocketAddr,
        narrator: &Narrator,
    ) -> Self {
        let narrator = narrator.clone();
        Self {
            name,
            pool,
            address,
            narrator,
            broken: None,
        }
    }

    async fn work(mut self) {
        // Not all in step.
        sleep(Duration::from_millis(fastrand::u64(..700))).await;
        loop {
            let mut server = String::new();
            if let Err(error) = self.session(&mut server).await {
                let error = chain(&error);
                let server = if server.is_empty() { "nobody" } else { &server };
                self.broken
                    .get_or_insert_with(|| (Instant::now(), format!("{server}: {error}")));
                sleep(BEFORE_RETRY).await;
            }
        }
    }

    /// A session of some queries; `server` is who answered last.
    async fn session(&mut self, server: &mut String) -> Result<(), ClientError> {
        let mut client = match self.pool {
            "impala" => {
                let stream = TcpStream::connect(self.address).await?;
                HiveClient::over(Box::new(stream), None).await?
            }
            _ => HiveClient::connect(self.address, self.name).await?,
        };
        for _ in 0..fastrand::u32(6..20) {
            let rows = client.query("SELECT who_answers").await?;
            *server = rows.into_iter().next().unwrap_or_default();
            self.narrator.answered(self.pool, server);
            if let Some((since, what)) = self.broken.take() {
                let took = since.elapsed().as_millis();
                self.narrator.say(&format!(
                    "{} lost a session on {what}; a new one on {server} answers {took} ms later",
                    self.name
                ));
            }
            sleep(Duration::from_millis(fastrand::u64(200..600))).await;
        }
        client.close().await
    }
}

/// A page of Hue each second.
async fn browse(address: SocketAddr, narrator: Narrator) {
    loop {
        if let Ok(Some(server)) = timeout(PAGE, page(address)).await {
            narrator.answered("hue", &server);
        }
        sleep(PAGE).await;
    }
}

async fn page(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, rest) = answer.split_once("<title>")?;
    let (name, _) = rest.split_once("</title>")?;
    Some(name.to_owned())
}

/// An error and its causes, in a line.
fn chain(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// What a patient driver waits.
const BEFORE_RETRY: Duration = Duration::from_millis(20);

const PAGE: Duration = Duration::from_secs(1);

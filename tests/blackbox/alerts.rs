//! Webhooks: how many messages there are in a storm, what they say, and what becomes of them when nobody takes them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use howdah::standin::Minted;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::support::tls::Certificates;
use crate::support::{Howdah, Site, TERM, free_address};

/// Takes messages, and answers as it is told.
struct Hook {
    address: SocketAddr,
    /// Head and body of each request.
    requests: Arc<Mutex<Vec<(String, String)>>>,
    status: Arc<AtomicU16>,
    _task: JoinHandle<()>,
}

impl Hook {
    async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), None)
    }

    fn on(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let status = Arc::new(AtomicU16::new(200));
        let (heard, answer) = (Arc::clone(&requests), Arc::clone(&status));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &heard, &answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &heard, &answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            requests,
            status,
            _task: task,
        }
    }

    fn messages(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let read = |(_, body): &(String, String)| serde_json::from_str(body).expect("JSON");
        requests.iter().map(read).collect()
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    heard: &Mutex<Vec<(String, String)>>,
    answer: &AtomicU16,
) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.unwrap().parse().unwrap() {
                heard
                    .lock()
                    .unwrap()
                    .push((head.to_owned(), body.to_owned()));
                break;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let status = answer.load(Ordering::SeqCst);
    let reply =
        format!("HTTP/1.1 {status} Whatever\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    let _ = stream.write_all(reply.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn acceptor(minted: &Minted) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(minted.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(minted.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A pool of servers that are asked by a connect each, ten times a second.
fn pool(name: &str, servers: &[SocketAddr]) -> String {
    let servers: Vec<_> = servers.iter().map(|one| format!("\"{one}\"")).collect();
    format!(
        "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\npool = \"{name}\"\n\
         [pool.{name}]\nservice = \"tcp\"\nservers = [{}]\n\
         probe = {{ type = \"tcp\", interval = \"300ms\", fast_interval = \"100ms\", rise = 1, fall = 1, quarantine = \"100ms\" }}\n",
        servers.join(", ")
    )
}

fn alert(url: &str, more: &str) -> String {
    format!(
        "[[alert]]\nname = \"ops\"\nurl = \"{url}\"\ngroup_wait = \"300ms\"\ngroup_interval = \"2s\"\non = \"health\"\n{more}\n"
    )
}

async fn messages(howdah: &Howdah, result: &str) -> f64 {
    let name = "howdah_alerts_messages_total";
    howdah
        .metric(name, &[("alert", "ops"), ("result", result)])
        .await
}

#[tokio::test]
async fn a_server_down_and_up_again_is_two_messages() {
    let hook = Hook::start().await;
    let server = TcpListener::bind(free_address()).await.unwrap();
    let address = server.local_addr().unwrap();
    let site = Site::new();
    site.write("token", "open sesame\n");
    let config = pool("hive", &[address])
        + &alert(
            &format!("http://{}/hooks/s3cret?x=1", hook.address),
            "token_file = \"token\"",
        );
    let howdah = site.start(&config).await;
    howdah.healthy("hive", &address.to_string(), "up").await;
    drop(server);
    crate::eventually!(hook.count() == 1);
    let message = &hook.messages()[0];
    assert_eq!(
        (&message["status"], &message["open"]),
        (&"firing".into(), &1.into())
    );
    let entry = &message["alerts"][0];
    assert_eq!(
        (&entry["kind"], &entry["pool"]),
        (&"health".into(), &"hive".into())
    );
    assert_eq!(entry["server"], address.to_string());
    let head = hook.requests.lock().unwrap()[0].0.clone();
    assert!(
        head.starts_with("POST /hooks/s3cret?x=1 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\nAuthorization: Bearer open sesame"),
        "{head}"
    );
    let _server = TcpListener::bind(address).await.unwrap();
    crate::eventually!(hook.count() == 2);
    let message = &hook.messages()[1];
    assert_eq!(
        (&message["status"], &message["open"]),
        (&"resolved".into(), &0.into())
    );
    assert_eq!(messages(&howdah, "sent").await, 2.0);
    let (_, shown) = howdah.http("GET", "/api/v1/status", "").await;
    let log = howdah.log().so_far().join("\n");
    assert!(
        !shown.contains("s3cret") && !log.contains("s3cret"),
        "the URL's secret is out"
    );
}

/// A planned outage wakes nobody; a server that is back to work and still down does.
#[tokio::test]
async fn a_server_under_maintenance_is_no_news_until_it_is_back() {
    let hook = Hook::start().await;
    let server = TcpListener::bind(free_address()).await.unwrap();
    let address = server.local_addr().unwrap();
    let config = pool("hive", &[address]) + &alert(&format!("http://{}/", hook.address), "");
    let howdah = Howdah::start(&config).await;
    let named = format!("hive/{address}");
    howdah.healthy("hive", &address.to_string(), "up").await;
    howdah.ctl_ok(&["maintenance", &named]).await;
    drop(server);
    howdah.healthy("hive", &address.to_string(), "down").await;
    howdah.ctl_ok(&["ready", &named]).await;
    crate::eventually!(hook.count() == 1);
    let message = &hook.messages()[0];
    assert_eq!(
        (&message["status"], &message["open"]),
        (&"firing".into(), &1.into())
    );
    assert_eq!(messages(&howdah, "sent").await, 1.0, "and nothing before");

    // What a reload changes of an alert is told key by key, and no secret with it.
    let changed = config.replace("group_wait = \"300ms\"", "group_wait = \"1s\"");
    let changed = changed.replace(
        &format!("{}/", hook.address),
        &format!("{}/s3cret", hook.address),
    );
    let output = howdah.reload(&changed).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("group_wait 300ms -> 1s") && said.contains("url *** -> ***"),
        "{said}"
    );

    // A server that left the file is no trouble any more.
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let named = other.local_addr().unwrap().to_string();
    let output = howdah
        .reload(&changed.replace(&address.to_string(), &named))
        .await;
    assert!(output.status.success(), "{output:?}");
    let left = |message: &Value| {
        let text = message["text"].as_str();
        text.is_some_and(|text| text.contains("not configured any more"))
    };
    let begun = Instant::now();
    crate::eventually!(hook.messages().iter().any(left));
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "only with other news: {took:?}"
    );
}

#[tokio::test]
async fn two_hundred_servers_that_flap_are_few_messages() {
    let hook = Hook::start().await;
    let mut listeners = Vec::new();
    for _ in 0..200 {
        listeners.push(TcpListener::bind(free_address()).await.unwrap());
    }
    let servers: Vec<_> = listeners
        .iter()
        .map(|one| one.local_addr().unwrap())
        .collect();
    let pools = servers.chunks(50).enumerate();
    let pools = pools.map(|(number, servers)| pool(&format!("p{number}"), servers));
    let config = pools.collect::<String>() + &alert(&format!("http://{}/", hook.address), "");
    let howdah = Howdah::start(&config).await;
    let up = async || {
        let name = "howdah_server_health";
        howdah.metric(name, &[("health", "up")]).await
    };
    crate::eventually!(up().await == 200.0);
    let begun = Instant::now();
    for _ in 0..4 {
        listeners.clear();
        crate::eventually!(up().await < 20.0);
        for address in &servers {
            listeners.push(TcpListener::bind(address).await.unwrap());
        }
        crate::eventually!(up().await > 180.0);
    }
    let ended = |message: &Value| message["open"] == 0 && message["status"] == "resolved";
    crate::eventually!(hook.messages().last().is_some_and(ended) && up().await == 200.0);
    let (count, seconds) = (hook.count(), begun.elapsed().as_secs());
    let transitions = howdah.metric("howdah_health_transitions_total", &[]).await;
    assert!(transitions > 1200.0, "{transitions} transitions");
    let most = usize::try_from(2 + seconds / 2).unwrap();
    assert!(count <= most, "{count} messages in {seconds} s");
    let largest = hook
        .messages()
        .iter()
        .map(|one| one["alerts"].as_array().unwrap().len())
        .max();
    assert_eq!(largest, Some(20));
}

#[tokio::test]
async fn a_receiver_that_comes_back_hears_how_things_are() {
    let receiver = free_address();
    let server = TcpListener::bind(free_address()).await.unwrap();
    let address = server.local_addr().unwrap();
    let config = pool("hive", &[address]) + &alert(&format!("http://{receiver}/"), "");
    let howdah = Howdah::start(&config).await;
    howdah.healthy("hive", &address.to_string(), "up").await;
    let mut server = Some(server);
    for _ in 0..10 {
        drop(server.take());
        howdah.healthy("hive", &address.to_string(), "down").await;
        server = Some(TcpListener::bind(address).await.unwrap());
        howdah.healthy("hive", &address.to_string(), "up").await;
    }
    drop(server.take());
    howdah.healthy("hive", &address.to_string(), "down").await;
    crate::eventually!(messages(&howdah, "failed").await >= 1.0);
    let hook = Hook::on(TcpListener::bind(receiver).await.unwrap(), None);
    crate::eventually!(hook.count() >= 1);
    let message = &hook.messages()[0];
    assert_eq!(message["status"], "firing");
    assert_eq!(message["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(message["alerts"][0]["times"], 11);
    crate::eventually!(howdah.metric("howdah_alerts_pending", &[]).await == 0.0);
    assert_eq!(hook.count(), 1, "no backlog");
}

#[tokio::test]
async fn what_is_refused_is_dropped_and_what_is_too_much_is_sent_later() {
    let hook = Hook::start().await;
    let dead = free_address();
    hook.status.store(429, Ordering::SeqCst);
    let config = pool("hive", &[dead]) + &alert(&format!("http://{}/", hook.address), "");
    let howdah = Howdah::start(&config).await;
    crate::eventually!(messages(&howdah, "failed").await >= 1.0);
    hook.status.store(404, Ordering::SeqCst);
    crate::eventually!(messages(&howdah, "refused").await == 1.0);
    let log = howdah.log();
    log.find(0, |line| {
        (line["message"] == "an alert was refused, and is dropped").then_some(())
    })
    .await;
    assert_eq!(howdah.metric("howdah_alerts_pending", &[]).await, 0.0);
}

#[tokio::test]
async fn an_https_receiver_is_verified() {
    let site = Site::new();
    let minted = Certificates::new(&site).write(&site, "hook", &["localhost"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = Hook::on(listener, Some(acceptor(&minted)));
    let port = hook.address.port();
    let dead = free_address();
    let more = "template = \"slack\"\ntls = { ca = \"ca.crt\" }";
    let config = pool("hive", &[dead]) + &alert(&format!("https://localhost:{port}/"), more);
    let howdah = site.start(&config).await;
    crate::eventually!(hook.count() == 1);
    let text = hook.messages()[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("hive/127."), "{text}");
    // Whoever does not show a certificate of that authority gets nothing.
    let more = alert(&format!("https://localhost:{port}/"), "").replace("\"ops\"", "\"strict\"");
    let output = howdah.reload(&(pool("hive", &[dead]) + &more)).await;
    assert!(output.status.success(), "{output:?}");
    let failed = [("alert", "strict"), ("result", "failed")];
    crate::eventually!(howdah.metric("howdah_alerts_messages_total", &failed).await >= 1.0);
    assert_eq!(hook.count(), 1);
}

/// What still waits for others goes at once when howdah stops; a receiver that does not answer holds it for a moment.
#[tokio::test]
async fn a_stop_tells_what_was_still_to_be_told() {
    let hook = Hook::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = free_address();
    let alert = |name: &str, to: SocketAddr| {
        alert(&format!("http://{to}/"), "timeout = \"5m\"")
            .replace("300ms", "10m")
            .replace("\"ops\"", &format!("\"{name}\""))
    };
    let config = pool("hive", &[dead])
        + &alert("ops", hook.address)
        + &alert("silent", silent.local_addr().unwrap());
    let mut howdah = Howdah::start(&config).await;
    crate::eventually!(howdah.metric("howdah_alerts_pending", &[]).await == 2.0);
    let begun = Instant::now();
    howdah.signal(TERM);
    assert!(howdah.exit().await.success());
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(hook.count(), 1);
}

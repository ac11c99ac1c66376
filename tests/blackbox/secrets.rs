//! What must not be read by those who may read logs, pages and errors: passwords, tokens and private keys.

use crate::support::{Certificates, Frame, Site, raw};

const TOKEN: &str = "token-not-to-be-shown";
const PASSWORD: &str = "password-not-to-be-shown";

#[tokio::test]
async fn no_secret_is_in_a_log_a_page_or_an_error() {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    let minted = certificates.write(&site, "one", &["one.test"]);
    site.write("admin.token", TOKEN);
    site.write("probe.password", PASSWORD);
    let server = raw::echo(&Frame::default()).unwrap();
    let config = format!(
        r#"
[admin]
bind = "127.0.0.1:0"
token_file = "admin.token"
[log]
level = "trace"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "hive"
[listener.tls]
certificates = [{{ cert = "one.crt", key = "one.key" }}]
[pool.hive]
service = "hiveserver2"
servers = ["{}"]
[pool.hive.probe]
type = "hiveserver2"
depth = "session"
username = "howdah"
password_file = "probe.password"
interval = "250ms"
"#,
        server.address()
    );
    let howdah = site.start(&config).await;
    let _ = howdah.connect("front").await;
    let token_file = howdah.dir().join("admin.token");
    let token_file = token_file.to_str().unwrap();
    let mut seen = Vec::new();
    let mut run = async |arguments: &[&str]| {
        let output = howdah.ctl(arguments).await;
        seen.push(String::from_utf8_lossy(&output.stdout).into_owned());
        seen.push(String::from_utf8_lossy(&output.stderr).into_owned());
        output.status.success()
    };
    assert!(run(&["reload", "--token-file", token_file]).await);
    assert!(!run(&["reload", "--token-file", "probe.password"]).await);
    run(&["status", "--json"]).await;
    // The key takes the configuration's place: the next reload is told what it read.
    std::fs::write(howdah.dir().join("howdah.toml"), &minted.key).unwrap();
    assert!(!run(&["reload", "--token-file", token_file]).await);
    for page in ["/", "/metrics", "/api/v1/status", "/readyz"] {
        seen.push(howdah.http("GET", page, "").await.1);
    }
    seen.extend(howdah.log().so_far());
    let refused = seen
        .iter()
        .any(|text| text.contains("this is a private key"));
    assert!(refused, "{seen:?}");
    let key = minted.key.lines().nth(1).unwrap();
    for text in &seen {
        for secret in [TOKEN, PASSWORD, key] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

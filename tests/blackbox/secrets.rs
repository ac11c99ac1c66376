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

/// Who may look hears where a refused file is at fault, and nothing of its text; who asked for the reload hears all.
#[tokio::test]
async fn a_refused_reload_shows_nobody_the_files_text() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    let config = |probe: &str| {
        format!(
            "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\npool = \"own\"\n\
             [pool.own]\nservice = \"tcp\"\nservers = [\"{}\"]\n\
             probe = {{ type = \"exchange\", steps = [{{ {probe} }}] }}\n# send = \"old-s3cret\"\n",
            server.address()
        )
    };
    let howdah = site
        .start(&config("send = \"s3cret\", expect = \"x\""))
        .await;
    for faulty in [
        "send = \"s3cret\", expect = \"(\"",
        "sned = \"s3cret\", expect = \"x\"",
        "send = \"\"\"s3cret\"\"\", expect = \"(\"",
        "send = \"a\\\"s3cret\", expect = 7",
        "send = [\"s3cret\"], expect = \"x\"",
        "send = \"s3cret\" expect = \"x\"",
        "\"\\u0073end\" = \"s3cret\\q\"",
    ] {
        std::fs::write(howdah.dir().join("howdah.toml"), config(faulty)).unwrap();
        let (code, body) = howdah.http("POST", "/api/v1/reload", "").await;
        assert_eq!(code, 422, "{body}");
        assert!(body.contains("howdah.toml:10"), "{body}");
    }
    let mut seen = howdah.log().so_far();
    for page in ["status", "configuration", "events", "doctor"] {
        let (code, body) = howdah.http("GET", &format!("/api/v1/{page}"), "").await;
        assert_eq!(code, 200, "{body}");
        seen.push(body);
    }
    let told = |text: &&String| text.contains("howdah.toml:10:");
    assert!(seen.iter().filter(told).count() >= 4, "{seen:#?}");
    for text in &seen {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

//! What a reload says that it changes: beforehand, when it is done, and when somebody asks later.

use std::fs;

use serde_json::Value;

use crate::support::{Certificates, Frame, Howdah, Site, exchange, raw};

fn config(servers: &[String], more: &str) -> String {
    let servers: Vec<String> = servers
        .iter()
        .enumerate()
        .map(|(at, address)| format!("{{ name = \"s{at}\", address = \"{address}\" }}"))
        .collect();
    format!(
        "[[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\npool = \"back\"\n\
         [pool.back]\nservice = \"tcp\"\nservers = [{}]\n{more}",
        servers.join(", ")
    )
}

async fn json(howdah: &Howdah, path: &str) -> Value {
    let (code, body) = howdah.http("GET", path, "").await;
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Sets the file, and gives what a dry run and then a reload say.
async fn twice(howdah: &Howdah, config: &str) -> (String, String) {
    howdah.configure(config);
    let before = howdah.ctl_ok(&["reload", "--dry-run"]).await;
    (before, howdah.ctl_ok(&["reload"]).await)
}

#[tokio::test]
async fn a_reload_says_what_changes_and_a_dry_run_the_same_beforehand() {
    let server = raw::echo(&Frame::default()).unwrap();
    let here = server.address().to_string();
    let second = raw::echo(&Frame::default()).unwrap();
    let other = second.address().to_string();
    let probe = "[pool.back.probe]\ntype = \"exchange\"\ninterval = \"10s\"\nsteps = [{ send = \"s3cret\\n\", expect = \"s3cret\" }]\n";
    let howdah = Howdah::start(&config(&[here.clone(), other], probe)).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = howdah.connect("front").await;
        exchange(&mut client, "x").await;
        clients.push(client);
    }
    let probe = probe.replace("10s", "5s").replace("s3cret", "0ther");
    let after = config(
        std::slice::from_ref(&here),
        &format!("balance = \"random\"\n{probe}"),
    )
    .replace(
        " }]\nbalance",
        ", weight = 3 }, { name = \"new\", address = \"127.0.0.1:9\" }]\nbalance",
    );
    let (before, done) = twice(&howdah, &after).await;
    let changes = "\n  pool back: server s0: weight 1 -> 3\
                   \n  pool back: server new added\
                   \n  pool back: server s1 left with 2 sessions\
                   \n  pool back: balance default -> random\
                   \n  pool back: probe.interval 10s -> 5s\
                   \n  pool back: probe.steps [{ expect = s3cret, send = *** }] -> [{ expect = 0ther, send = *** }]\n";
    assert_eq!(
        before,
        format!("configuration no. 1 runs on; a reload would change:{changes}")
    );
    assert_eq!(done, format!("configuration no. 2 runs:{changes}"));
    let shown = json(&howdah, "/api/v1/configuration").await;
    assert_eq!(shown["generation"], 2);
    let reloads = shown["reloads"].as_array().unwrap();
    assert_eq!(reloads.len(), 1, "a dry run is none: {reloads:?}");
    assert_eq!(reloads[0]["result"], "applied");
    assert_eq!(reloads[0]["changes"].as_array().unwrap().len(), 6);
    let by = reloads[0]["by"].as_str().unwrap();
    assert!(
        by.starts_with("uid ") && by.contains(" from 127.0.0.1:"),
        "{by}"
    );
    let text = shown["text"].as_str().unwrap();
    assert!(text.contains("balance = \"random\"") && text.contains("send = \"***\""));
    let (before, done) = twice(&howdah, &after).await;
    assert!(before.ends_with("would change:\n  nothing\n"), "{before}");
    assert!(done.ends_with("nothing had changed\n"), "{done}");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_tells_of_faults() {
    let server = raw::echo(&Frame::default()).unwrap();
    let here = server.address().to_string();
    let howdah = Howdah::start(&config(std::slice::from_ref(&here), "")).await;
    howdah.configure(&config(
        &[here.clone(), "127.0.0.1:9".into()],
        "max_queue = 5\n",
    ));
    let (code, body) = howdah
        .http("POST", "/api/v1/reload", "{\"dry_run\": true}")
        .await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (code, &body["dry_run"], &body["generation"]),
        (200, &true.into(), &1.into())
    );
    let (code, fault) = howdah.http("POST", "/api/v1/reload?dry_run=true", "").await;
    assert_eq!(code, 400, "{fault}");
    assert!(
        fault.contains("no parameter") && fault.contains("dry_run"),
        "{fault}"
    );
    let status = howdah.status().await;
    assert_eq!(status["generation"], 1);
    assert_eq!(status["pools"][0]["servers"].as_array().unwrap().len(), 1);
    howdah.configure(&config(&[here], "balance = \"leastconn\"\n"));
    let answer = howdah.ctl(&["reload", "--dry-run"]).await;
    assert_eq!(answer.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&answer.stderr).contains("leastconn"));
    assert!(howdah.status().await["refused_reload"].is_null());
    let (code, body) = howdah
        .http("POST", "/api/v1/reload", "{\"dry_run\": 1}")
        .await;
    assert_eq!(code, 422, "{body}");
}

#[tokio::test]
async fn another_content_of_a_file_is_told_by_its_key() {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "one", &["one.test"]);
    let server = raw::echo(&Frame::default()).unwrap();
    let plain = config(&[server.address().to_string()], "");
    let tls = "pool = \"back\"\nallow_file = \"allowed\"\n[listener.tls]\ncertificates = [{ cert = \"one.crt\", key = \"one.key\" }]";
    let config = plain.replacen("pool = \"back\"", tls, 1);
    fs::write(site.path().join("allowed"), "127.0.0.0/8\n").unwrap();
    let howdah = site.start(&config).await;
    let shown = json(&howdah, "/api/v1/certificates").await;
    let shown = &shown["certificates"][0];
    assert_eq!(shown["where"], "listener \"front\"");
    assert_eq!(shown["names"], serde_json::json!(["one.test"]));
    assert!(shown["days_left"].as_f64().unwrap() > 0.0, "{shown}");
    fs::write(howdah.dir().join("allowed"), "127.0.0.0/16\n").unwrap();
    let told = howdah.ctl_ok(&["reload"]).await;
    let line = "listener front: allow_file has another content: allowed";
    assert!(told.contains(line), "{told}");
}

//! HTTP, Hue, and Impala's web server.

use std::sync::{Arc, Mutex};

use super::*;
use crate::base::pattern::Pattern;
use crate::plan::Meaning;

/// Path, and what follows "HTTP/1.1 ".
type Pages = &'static [(&'static str, &'static str)];

/// Answers by path; remembers the heads of the requests.
async fn web(pages: Pages) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let address = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut heard = [0; 2048];
            let length = stream.read(&mut heard).await.unwrap();
            let head = String::from_utf8_lossy(&heard[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            seen.lock().unwrap().push(head);
            let page = pages.iter().find(|(at, _)| *at == path);
            let page = page.map_or("404 Not Found\r\n\r\n", |(_, page)| page);
            stream
                .write_all(format!("HTTP/1.1 {page}").as_bytes())
                .await
                .unwrap();
        }
    })
    .await;
    (address, heads)
}

#[tokio::test]
async fn status_and_body_are_judged() {
    let (address, heads) = web(&[
        ("/ok", "200 OK\r\n\r\ntrue"),
        ("/standby", "200 OK\r\n\r\nfalse"),
        ("/moved", "302 Found\r\nLocation: /ok\r\n\r\n"),
        ("/secret", "401 Unauthorized\r\n\r\n"),
        ("/ill", "503 Unavailable\r\n\r\n"),
    ])
    .await;
    let table = [
        ("/ok", Verdict::Up, Reason::Ok),
        ("/standby", Verdict::Alive, Reason::HttpBody),
        ("/moved", Verdict::Alive, Reason::HttpRedirect),
        ("/secret", Verdict::Alive, Reason::HttpStatus),
        ("/ill", Verdict::Down, Reason::HttpStatus),
        ("/nix", Verdict::Down, Reason::HttpStatus),
    ];
    for (path, verdict, reason) in table {
        let ask = HttpAsk {
            expect_body: Some("true".to_owned()),
            ..get(path)
        };
        assert_found(
            &find(address, &plan(Ask::Http(ask))).await,
            verdict,
            reason,
            "http",
        );
    }
    assert_eq!(heads.lock().unwrap().len(), 6, "no redirect is followed");
}

#[tokio::test]
async fn a_sign_of_life_and_a_login_may_be_up() {
    let (address, _) = web(&[
        ("/sent", "200 OK\r\nRefresh: 3; url=/x\r\n\r\n"),
        ("/secret", "401 Unauthorized\r\n\r\n"),
        ("/ill", "500 Unwell\r\n\r\n"),
    ])
    .await;
    let any = |path| HttpAsk {
        below_500: Some(Meaning::UP),
        ..get(path)
    };
    for path in ["/sent", "/secret", "/nix"] {
        assert_up(&find(address, &plan(Ask::Http(any(path)))).await);
    }
    let ill = find(address, &plan(Ask::Http(any("/ill")))).await;
    assert_found(&ill, Verdict::Down, Reason::HttpStatus, "http");
    let login = HttpAsk {
        expect_status: vec![200, 401],
        body: vec![(Pattern::new("known").unwrap(), Meaning::UP)],
        ..get("/secret")
    };
    assert_up(&find(address, &plan(Ask::Http(login.clone()))).await);
    let wants_text = HttpAsk {
        expect_body: Some("known".to_owned()),
        ..login
    };
    let lacks = find(address, &plan(Ask::Http(wants_text))).await;
    assert_found(&lacks, Verdict::Alive, Reason::HttpBody, "http");
}

#[tokio::test]
async fn method_host_and_statuses_are_those_of_the_plan() {
    let (address, heads) = web(&[("/x", "302 Found\r\nContent-Length: 9\r\n\r\n")]).await;
    let ask = HttpAsk {
        method: "HEAD".to_owned(),
        host: Some("hue.example.com".to_owned()),
        expect_status: vec![200, 302],
        ..get("/x")
    };
    assert_up(&find(address, &plan(Ask::Http(ask))).await);
    assert_up(
        &find(
            address,
            &plan(Ask::Http(HttpAsk {
                method: "OPTIONS".into(),
                expect_status: vec![404],
                ..get("/y")
            })),
        )
        .await,
    );
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("HEAD /x HTTP/1.1\r\nHost: hue.example.com\r\n"));
    let host = format!("OPTIONS /y HTTP/1.1\r\nHost: {address}\r\n");
    assert!(heads[1].starts_with(&host), "{}", heads[1]);
}

#[tokio::test]
async fn what_is_not_http_has_its_reason() {
    let http = plan(Ask::Http(get("/")));
    let table: [(&[u8], Reason); 4] = [
        (b"\x15\x03\x03\0\x02\x02\x0a", Reason::SpeaksTls),
        (b"\x04\0\0\0\x11Invalid status 71", Reason::NotHttp),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            Reason::NotHttp,
        ),
        (b"", Reason::Closed),
    ];
    for (answer, reason) in table {
        let finding = find(answering(answer).await, &http).await;
        assert_found(&finding, Verdict::Down, reason, "http");
    }
}

#[tokio::test]
async fn hue_is_up_alive_or_down() {
    let table: [(&[u8], Verdict, Reason); 5] = [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Verdict::Up,
            Reason::Ok,
        ),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n",
            Verdict::Alive,
            Reason::HttpRedirect,
        ),
        (
            b"HTTP/1.1 500 Oh\r\n\r\n",
            Verdict::Alive,
            Reason::HttpStatus,
        ),
        (
            b"HTTP/1.1 400 Bad Host\r\n\r\n",
            Verdict::Alive,
            Reason::HttpStatus,
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
            Verdict::Down,
            Reason::HttpStatus,
        ),
    ];
    for (answer, verdict, reason) in table {
        let plan = plan(Ask::Hue(get("/desktop/debug/is_alive")));
        let finding = find(answering(answer).await, &plan).await;
        assert_found(&finding, verdict, reason, "is-alive");
    }
}

fn impala(port: Option<u16>) -> ProbePlan {
    let auth = HiveAuth::NoSasl;
    ProbePlan {
        port,
        ..plan(Ask::Impala { auth })
    }
}

#[tokio::test]
async fn impala_is_judged_by_its_role_though_healthz_is_well() {
    let table: [(Pages, Verdict, Reason, &str); 7] = [
        (
            &[
                ("/healthz", "200 OK\r\n\r\nOK"),
                (
                    "/?json",
                    "200 OK\r\n\r\n{\"is_coordinator\":true,\"is_quiescing\":false}",
                ),
            ],
            Verdict::Up,
            Reason::Ok,
            "role",
        ),
        (
            &[
                ("/healthz", "200 OK\r\n\r\nOK"),
                (
                    "/?json",
                    "200 OK\r\n\r\n{\"is_coordinator\":true,\"is_quiescing\":true,\"shutdown_status\":\"grace\"}",
                ),
            ],
            Verdict::Alive,
            Reason::ShuttingDown,
            "role",
        ),
        (
            &[
                ("/healthz", "200 OK\r\n\r\nOK"),
                (
                    "/?json",
                    "200 OK\r\n\r\n{\"is_coordinator\":false,\"is_quiescing\":false}",
                ),
            ],
            Verdict::Alive,
            Reason::NotCoordinator,
            "role",
        ),
        (
            &[
                ("/healthz", "200 OK\r\n\r\nOK"),
                ("/?json", "200 OK\r\n\r\n<html>"),
            ],
            Verdict::Alive,
            Reason::HttpBody,
            "role",
        ),
        (
            &[("/healthz", "200 OK\r\n\r\nOK")],
            Verdict::Up,
            Reason::Ok,
            "role",
        ),
        (
            &[("/healthz", "503 Not Available\r\n\r\n")],
            Verdict::Down,
            Reason::HttpStatus,
            "healthz",
        ),
        (
            &[("/healthz", "401 Unauthorized\r\n\r\n")],
            Verdict::Alive,
            Reason::HttpStatus,
            "healthz",
        ),
    ];
    for (pages, verdict, reason, step) in table {
        let (web, _) = web(pages).await;
        let elsewhere = SocketAddr::new(web.ip(), 9); // the port that takes sessions is not asked
        let finding = find(elsewhere, &impala(Some(web.port()))).await;
        assert_found(&finding, verdict, reason, step);
    }
}

#[tokio::test]
async fn impala_without_a_web_server_is_asked_in_thrift() {
    let (mut hive, _ends) = Hive::new();
    hive.sasl = false;
    let finding = find(hive.start().await, &impala(None)).await;
    assert_found(&finding, Verdict::Up, Reason::Ok, "close-session");
    let (mut hive, _ends) = Hive::new();
    hive.sasl = false;
    hive.open = HiveStatus::error("Server is being shut down: startup");
    let finding = find(hive.start().await, &impala(None)).await;
    assert_found(
        &finding,
        Verdict::Alive,
        Reason::ShuttingDown,
        "open-session",
    );
}

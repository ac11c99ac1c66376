//! `howdah explain`: what it tells of a running howdah and of a file, in words that help whoever is woken by a client's call.

use serde_json::Value;

use crate::support::howdah::Site;
use crate::support::tls::Certificates;
use crate::support::{Frame, Howdah, exchange, plain, program, raw, run};

fn words(config: &str) -> String {
    config.replace(
        "pool = \"echo\"",
        "pool = \"echo\"\ndeny = [\"10.66.0.0/16\"]\nmax_connections = 50",
    )
}

#[tokio::test]
async fn explain_and_the_session_after_it_agree() {
    let (one, two) = (
        raw::echo(&Frame::default()).unwrap(),
        raw::echo(&Frame::default()).unwrap(),
    );
    let servers = [one.address(), two.address()];
    let mut howdah =
        Howdah::start(&plain("echo", &servers, "balance = \"least-connection\"")).await;
    let ask = [
        "explain",
        "--listener",
        "echo",
        "--client",
        "127.0.0.1",
        "--json",
    ];
    for _ in 0..4 {
        let told: Value = serde_json::from_str(&howdah.ctl_ok(&ask).await).unwrap();
        assert_eq!(told["decision"], "server", "{told}");
        let mut client = howdah.connect("echo").await;
        exchange(&mut client, "x").await;
        drop(client);
        let line = howdah.ended().await;
        assert_eq!(
            (&line["server"], &line["pick"]),
            (&told["server"], &told["pick"]),
            "{told}"
        );
    }
}

#[tokio::test]
async fn the_rules_are_read_aloud() {
    let (one, two) = (
        raw::echo(&Frame::default()).unwrap(),
        raw::echo(&Frame::default()).unwrap(),
    );
    let servers = [one.address(), two.address()];
    let howdah = Howdah::start(&words(&plain(
        "echo",
        &servers,
        "[pool.echo.sticky]\nby = \"source-ip\"",
    )))
    .await;
    let ask = async |client: &str| {
        howdah
            .ctl_ok(&["explain", "--listener", "echo", "--client", client])
            .await
    };
    let kept_out = ask("10.66.3.4").await;
    assert!(
        kept_out.starts_with("10.66.3.4 at listener \"echo\" is refused now (denied)\n"),
        "{kept_out}"
    );
    assert!(
        kept_out.contains("10.66.3.4 is in 10.66.0.0/16, which `deny` keeps out"),
        "{kept_out}"
    );
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "x").await;
    let first = howdah.status().await["pools"][0]["servers"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let stays = ask("127.0.0.1").await;
    assert!(
        stays.contains(&format!("goes to echo/{first} now (sticky)")),
        "{stays}"
    );
    assert!(
        stays.contains(&format!("belongs to {first} (it has 1 session)")),
        "{stays}"
    );
    assert!(
        stays.contains("1 of 50 sessions (the listener's max_connections)"),
        "{stays}"
    );
    assert!(
        stays.contains(&format!(
            "{first} is up, 1 session, weight 1: can be chosen"
        )),
        "{stays}"
    );
    assert!(stays.contains("where it cannot be reached: "), "{stays}");
    howdah.ctl_ok(&["drain", &format!("echo/{first}")]).await;
    let moves = ask("127.0.0.1").await;
    assert!(
        moves.contains(&format!("belonged to {first}")) && moves.contains("(only-one)"),
        "{moves}"
    );
    assert!(
        moves.contains(&format!("{first} drains by order, and takes no new sessions: `howdah ready echo/{first}` puts it back")),
        "{moves}"
    );
    let nobody = howdah
        .ctl(&["explain", "--listener", "ehco", "--client", "127.0.0.1"])
        .await;
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert!(
        nobody.status.code() == Some(1) && said.contains("the listeners are echo"),
        "{said}"
    );
}

/// No server is asked, none is there: every one counts as up.
#[tokio::test]
async fn a_file_is_explained_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("howdah.toml");
    let config = "[[listener]]\nname = \"tenants\"\nbind = \"127.0.0.1:10443\"\n\
        [[listener.route]]\nsni = \"*.sales.example.com\"\npool = \"sales\"\n\
        [pool.sales]\nservice = \"hiveserver2\"\nservers = [\"hs2-1.example.com\"]\n";
    std::fs::write(&file, config).unwrap();
    let ask = async |more: &[&str]| {
        let mut command = program();
        command.args([
            "explain",
            "--listener",
            "tenants",
            "--client",
            "10.1.2.3",
            "--config",
        ]);
        command.arg(&file).args(more);
        let output = run(command).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let named = ask(&["--sni", "eu.sales.example.com"]).await;
    assert!(
        named.contains("goes to sales/hs2-1.example.com with every server up (only-one)"),
        "{named}"
    );
    assert!(
        named.contains("\"*.sales.example.com\" matches: pool \"sales\""),
        "{named}"
    );
    let nameless = ask(&[]).await;
    assert!(
        nameless.contains("is refused") && nameless.contains("the client asks for no name"),
        "{nameless}"
    );
    let told: Value = serde_json::from_str(&ask(&["--json"]).await).unwrap();
    assert_eq!(
        (&told["decision"], &told["reason"]),
        (&"refused".into(), &"no-route".into())
    );
}

/// Over UDP no name is asked for and nobody waits; where TLS ends, the certificate is named.
#[tokio::test]
async fn datagrams_and_certificates_have_rules_of_their_own() {
    let site = Site::new();
    Certificates::new(&site).write(&site, "hive", &["hive.example.com"]);
    let config = "[[listener]]\nname = \"dns\"\nbind = \"127.0.0.1:5300\"\nprotocol = \"udp\"\npool = \"dns\"\n\
        [[listener]]\nname = \"hive\"\nbind = \"127.0.0.1:10000\"\npool = \"hive\"\naccept_proxy = [\"10.0.9.0/24\"]\n\
        [listener.tls]\nsni = \"strict\"\ncertificates = [{ cert = \"hive.crt\", key = \"hive.key\" }]\n\
        [pool.dns]\nservice = \"dns\"\nservers = [\"10.0.0.53\", \"10.0.1.53\"]\n\
        [pool.hive]\nservice = \"hiveserver2\"\nservers = [\"hs2-1\", \"hs2-2\"]\nbalance = \"random\"\n";
    let file = site.write("howdah.toml", config);
    let ask = async |words: &[&str]| {
        let mut command = program();
        command.args(["explain", "--config"]).arg(&file).args(words);
        let output = run(command).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let datagram = ask(&["--listener", "dns", "--client", "10.1.2.3"]).await;
    assert!(datagram.contains("goes to dns/10.0.0.53"), "{datagram}");
    assert!(
        datagram.contains("0 of 10000 sessions over UDP"),
        "{datagram}"
    );
    assert!(
        datagram.contains("where nobody listens there, the next datagram goes to another"),
        "{datagram}"
    );
    let stream = ask(&[
        "--listener",
        "dns",
        "--client",
        "10.1.2.3",
        "--protocol",
        "tcp",
    ])
    .await;
    assert!(
        stream.contains("is refused") && stream.contains("does not speak tcp"),
        "{stream}"
    );
    let named = [
        "--listener",
        "hive",
        "--client",
        "10.1.2.3",
        "--sni",
        "hive.example.com",
    ];
    let good = ask(&named).await;
    assert!(
        good.contains("hive.crt (carries \"hive.example.com\")"),
        "{good}"
    );
    assert!(
        good.contains("or the other, by chance, with every server up (random)"),
        "{good}"
    );
    assert!(
        good.contains("the less loaded of two drawn by weight: hs2-1 "),
        "{good}"
    );
    let strict = ask(&[
        "--listener",
        "hive",
        "--client",
        "10.1.2.3",
        "--sni",
        "other.example.com",
    ])
    .await;
    assert!(
        strict.contains("is refused with every server up (tls-failed)"),
        "{strict}"
    );
    let behind = ask(&[&named[..], &["--via", "10.0.9.7"]].concat()).await;
    assert!(
        behind.contains(
            "10.0.9.7 is a proxy (accept_proxy has 10.0.9.0/24): it must say by a PROXY header"
        ),
        "{behind}"
    );
    let proxy = ask(&[
        "--listener",
        "hive",
        "--client",
        "10.0.9.7",
        "--sni",
        "hive.example.com",
    ])
    .await;
    assert!(
        proxy.contains("must begin with a PROXY header, else it is refused (bad-proxy-header)"),
        "{proxy}"
    );
}

#[tokio::test]
async fn a_client_of_a_family_that_no_address_takes_is_refused() {
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let ask = async |client: &str| {
        let ask = [
            "explain",
            "--listener",
            "echo",
            "--json",
            "--client",
            client,
        ];
        let told: Value = serde_json::from_str(&howdah.ctl_ok(&ask).await).unwrap();
        (told["decision"].clone(), told["reason"].clone(), told)
    };
    let (decision, reason, told) = ask("2001:db8::1").await;
    assert_eq!(
        (decision, reason),
        ("refused".into(), "address-family".into())
    );
    assert_eq!(told["steps"][0]["rule"], "listener", "{told}");
    assert_eq!(told["steps"][0]["outcome"], "stop", "{told}");
    for client in ["127.0.0.1", "::ffff:127.0.0.1"] {
        assert_eq!(ask(client).await.0, "server");
    }
}

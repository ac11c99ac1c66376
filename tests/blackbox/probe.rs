//! `howdah probe`: the exit codes of the three answers.

use std::sync::Arc;

use ::howdah::standin::{Auth, Flavour, Hive, HiveOptions, Hue, Impala, Wardrobe};
use tokio::net::TcpStream;

use crate::eventually;
use crate::support::{Certificates, Fault, Frame, Site, program, run};

/// Exit code and output of a probe.
async fn ask(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = program();
    command.arg("probe").args(arguments);
    let output = run(command).await;
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn the_verdict_is_the_exit_code() {
    let hive = Hive::start(&Frame::default(), HiveOptions::new("hs2-1")).unwrap();
    let address = hive.listener().address().to_string();
    for depth in ["handshake", "session", "query"] {
        let (code, said) = ask(&["hiveserver2", &address, "--depth", depth]).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("up"), "{said}");
    }
    hive.set_refusal(Some(
        "Cannot open sessions on an inactive HS2 instance".into(),
    ));
    let (code, said) = ask(&["hiveserver2", &address, "--depth", "session"]).await;
    assert_eq!(code, Some(3), "{said}");
    hive.listener().switch().set(Fault::Refuse);
    eventually!(TcpStream::connect(hive.listener().address()).await.is_err());
    let (code, said) = ask(&["hiveserver2", &address]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("refused"), "{said}");
}

/// Scripts tell a mistyped address from a server that is down.
#[tokio::test]
async fn a_bad_address_is_a_matter_of_usage() {
    for address in ["hs2:x", ":1", "hs2:0", "[::1"] {
        let (code, said) = ask(&["tcp", address]).await;
        assert_eq!(code, Some(2), "{address}: {said}");
        assert!(said.contains("write HOST:PORT"), "{said}");
    }
}

#[tokio::test]
async fn every_service_can_be_asked() {
    let mut options = HiveOptions::new("impalad-1");
    (options.flavour, options.auth) = (Flavour::Impala, Auth::NoSasl);
    let frame = Frame::default();
    let impala = Impala::start(&frame, frame.bind, options).unwrap();
    let hue = Hue::start(&frame, "hue-1").unwrap();
    let (web, thrift) = (
        impala.web().address().to_string(),
        impala.listener().address().to_string(),
    );
    let hue_address = hue.listener().address().to_string();
    for arguments in [
        &["impala", &web][..],
        &["impala", &thrift, "--via", "thrift"],
        &["hue", &hue_address],
        &["http", &hue_address, "--path", "/"],
        &["tcp", &hue_address],
    ] {
        let (code, said) = ask(arguments).await;
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
    }
    impala.set_quiescing(true);
    assert_eq!(ask(&["impala", &web]).await.0, Some(3));
    hue.set_alive_status(500);
    assert_ne!(ask(&["hue", &hue_address]).await.0, Some(0));
    hue.listener().switch().set(Fault::Hang);
    let (code, said) = ask(&["hue", &hue_address, "--timeout", "300ms"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("timeout"), "{said}");
}

/// A HiveServer2 with TLS and one account, and a file whose pool knows both.
fn guarded(site: &Site) -> (Hive, String) {
    let certificates = Certificates::new(site);
    let wardrobe = Wardrobe::new(&certificates.authority, &["localhost"]).unwrap();
    let frame = Frame {
        tls: Some(Arc::new(wardrobe)),
        ..Frame::default()
    };
    let options = HiveOptions {
        auth: Auth::Account {
            user: "howdah".into(),
            password: "s3cret".into(),
        },
        ..HiveOptions::new("hs2-1")
    };
    let hive = Hive::start(&frame, options).unwrap();
    let port = hive.listener().address().port();
    site.write("probe.password", "s3cret\n");
    let config = format!(
        r#"
[[listener]]
name = "hive"
bind = "127.0.0.1:0"
pool = "hive"
[pool.hive]
service = "hiveserver2"
servers = [{{ name = "one", address = "localhost:{port}" }}, "127.0.0.1:1"]
[pool.hive.tls]
ca = "ca.crt"
[pool.hive.probe]
type = "hiveserver2"
depth = "query"
username = "howdah"
password_file = "probe.password"
"#
    );
    let file = site.write("howdah.toml", &config);
    (hive, file.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_server_of_a_pool_is_asked_with_the_pools_own_tls_and_login() {
    let site = Site::new();
    let (hive, file) = guarded(&site);
    let place = format!("hive/localhost:{}", hive.listener().address().port());
    for name in ["hive/one", &place, "hive/localhost"] {
        let (code, said) = ask(&[name, "--config", &file]).await;
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(said.contains("tls") && said.contains("execute"), "{said}");
    }
    let (code, said) = ask(&["hive/127.0.0.1:1", "--config", &file]).await;
    assert_eq!(code, Some(4), "{said}");
    let (code, said) = ask(&["hive/two", "--config", &file]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there are one, 127.0.0.1:1"), "{said}");
    let (code, said) = ask(&["pig/one", "--config", &file]).await;
    assert!(
        code == Some(1) && said.contains("its pools are hive"),
        "{said}"
    );
    let (code, said) = ask(&["hive/one", "--config", &file, "--depth", "query"]).await;
    assert!(
        code == Some(2) && said.contains("leave --depth out"),
        "{said}"
    );
    site.write("broken.toml", "[pool.hive]\nservice = \"hive\"\n");
    let broken = site.path().join("broken.toml");
    let (code, said) = ask(&["hive/one", "--config", broken.to_str().unwrap()]).await;
    assert!(
        code == Some(78) && said.contains("unknown service"),
        "{said}"
    );
}

#[tokio::test]
async fn a_server_that_speaks_tls_is_told_how_to_be_asked() {
    let site = Site::new();
    let (hive, _) = guarded(&site);
    let address = format!("localhost:{}", hive.listener().address().port());
    let (code, said) = ask(&["hiveserver2", &address]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("speaks-tls") && said.contains("help: it speaks TLS: ask with --tls"),
        "{said}"
    );
    let (_, said) = ask(&["hiveserver2", &address, "--tls"]).await;
    assert!(said.contains("--ca FILE"), "{said}");
    let ca = site.path().join("ca.crt");
    let (code, said) = ask(&["hiveserver2", &address, "--ca", ca.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_url_is_asked_as_it_says() {
    let hue = Hue::start(&Frame::default(), "hue-1").unwrap();
    let address = hue.listener().address();
    for words in [
        vec![format!("http://{address}/desktop/debug/is_alive")],
        vec!["hue".into(), format!("http://{address}/")],
        vec!["http".into(), format!("http://{address}/")],
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, said) = ask(&words).await;
        assert_eq!(code, Some(0), "{words:?}: {said}");
    }
    for (words, expected) in [
        (["ftp://x/"], "no scheme"),
        (["hiveserver"], "did you mean hiveserver2?"),
        (["hue"], "HOST:PORT"),
    ] {
        let (code, said) = ask(&words).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

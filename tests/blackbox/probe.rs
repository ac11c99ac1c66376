//! `howdah probe`: the exit codes of the three answers.

use ::howdah::standin::{Auth, Flavour, Hive, HiveOptions, Hue, Impala};
use tokio::net::TcpStream;

use crate::eventually;
use crate::support::{Fault, Frame, program, run};

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

//! Every service, asked by the real program in each of its states: one test a service, whose name is its word.
//!
//! The question is the one that the service brings, so that nothing but its word and the address is said.

mod database;
mod wire;

use ::howdah::standin::{Auth, Flavour, Hive, HiveOptions, Hue, Impala};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::eventually;
use crate::support::{Fault, Frame, Howdah, Site, free_address, program, run};
use wire::{Datagrams, Wire, bytes};

/// Exit codes of `howdah probe`.
const UP: i32 = 0;
const ALIVE: i32 = 3;
const DOWN: i32 = 4;

/// Asks as `howdah probe SERVICE ADDRESS` does, and compares the verdict and a word of the reason.
async fn expect(question: &[&str], (verdict, word): (i32, &str)) {
    let mut command = program();
    command.arg("probe").args(question);
    let output = run(command).await;
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let found = (output.status.code(), said.contains(word));
    assert_eq!(
        found,
        (Some(verdict), true),
        "{question:?}, {word:?}: {said}"
    );
}

#[tokio::test]
async fn hiveserver2() {
    let server = Hive::start(&Frame::default(), HiveOptions::new("hs2-1")).unwrap();
    let address = server.listener().address().to_string();
    expect(&["hiveserver2", &address], (UP, "sasl")).await;
    let passive = "Cannot open sessions on an inactive HS2 instance";
    server.set_refusal(Some(passive.into()));
    let deep = ["hiveserver2", &address, "--depth", "session"];
    expect(&deep, (ALIVE, "passive")).await;
    server.listener().switch().set(Fault::Refuse);
    eventually!(
        TcpStream::connect(server.listener().address())
            .await
            .is_err()
    );
    expect(&["hiveserver2", &address], (DOWN, "refused")).await;
}

#[tokio::test]
async fn impala() {
    let mut options = HiveOptions::new("impalad-1");
    (options.flavour, options.auth) = (Flavour::Impala, Auth::NoSasl);
    let frame = Frame::default();
    let server = Impala::start(&frame, frame.bind, options).unwrap();
    let web = server.web().address().to_string();
    expect(&["impala", &web], (UP, "up")).await;
    server.set_quiescing(true);
    expect(&["impala", &web], (ALIVE, "shutting-down")).await;
    server.set_quiescing(false);
    server.set_coordinator(false);
    expect(&["impala", &web], (ALIVE, "not-coordinator")).await;
    server.web().switch().set(Fault::Refuse);
    eventually!(TcpStream::connect(server.web().address()).await.is_err());
    expect(&["impala", &web], (DOWN, "refused")).await;
}

#[tokio::test]
async fn hue() {
    let server = Hue::start(&Frame::default(), "hue-1").unwrap();
    let address = server.listener().address().to_string();
    expect(&["hue", &address], (UP, "up")).await;
    for (status, verdict) in [(500, ALIVE), (400, ALIVE), (401, ALIVE), (503, DOWN)] {
        server.set_alive_status(status);
        expect(&["hue", &address], (verdict, &status.to_string())).await;
    }
    server.listener().switch().set(Fault::Hang);
    let hasty = ["hue", &address, "--timeout", "300ms"];
    expect(&hasty, (DOWN, "timeout")).await;
}

/// Sessions live in one server, so its client stays; 401 is a login in the way.
#[tokio::test]
async fn livy() {
    let version = "{\"version\":\"0.8.0-incubating\"}";
    let up = answering("GET /version ", "200 OK", version).await;
    expect(&["livy", &up], (UP, "up")).await;
    let login = answering("GET /version ", "401 Unauthorized", "").await;
    expect(&["livy", &login], (ALIVE, "401")).await;
    let other = answering("GET /nothing ", "200 OK", version).await;
    expect(&["livy", &other], (DOWN, "404")).await;
}

/// A standby says 405 where one would expect another 200; what answers anything with 200 is no NameNode.
#[tokio::test]
async fn hdfs_namenode() {
    let ask = "GET /isActive ";
    let close = "Connection: close";
    let active = answering(ask, &format!("200 OK\r\n{close}"), "I am Active!").await;
    expect(&["hdfs-namenode", &active], (UP, "up")).await;
    let page = "<html><body><h2>HTTP ERROR 405 I am not Active!</h2></body></html>";
    let standby = format!("405 Method Not Allowed\r\n{close}");
    let standby = answering(ask, &standby, page).await;
    expect(&["hdfs-namenode", &standby], (ALIVE, "passive")).await;
    let login = "401 Authentication required\r\nWWW-Authenticate: Negotiate";
    let login = answering(ask, login, "").await;
    expect(&["hdfs-namenode", &login], (ALIVE, "Negotiate")).await;
    let portal = answering(ask, "200 OK", "<html>Welcome</html>").await;
    expect(&["hdfs-namenode", &portal], (DOWN, "http-body")).await;
    let hadoop2 = answering("GET /jmx", "200 OK", "{}").await;
    expect(&["hdfs-namenode", &hadoop2], (DOWN, "404")).await;
}

/// Old standbys answer 200 and send on by a header, new ones by a redirect.
#[tokio::test]
async fn yarn_resourcemanager() {
    let ask = "GET /ws/v1/cluster/info ";
    let states = [
        ("ACTIVE", UP, "ACTIVE"),
        ("STANDBY", ALIVE, "passive"),
        ("INITIALIZING", ALIVE, "INITIALIZING"),
        ("STOPPED", ALIVE, "STOPPED"),
        ("active", DOWN, "http-body"),
    ];
    for (state, verdict, word) in states {
        let body = format!(
            r#"{{"clusterInfo":{{"id":1764175000000,"startedOn":1764175000000,"state":"STARTED","haState":"{state}","rmStateStoreName":"org.apache.hadoop.yarn.server.resourcemanager.recovery.ZKRMStateStore","haZooKeeperConnectionState":"CONNECTED"}}}}"#
        );
        let server = answering(ask, "200 OK\r\nContent-Type: application/json", &body).await;
        expect(&["yarn-resourcemanager", &server], (verdict, word)).await;
    }
    let text = "This is standby RM. The redirect url is: /ws/v1/cluster/info\n";
    let to = "http://rm2.example.com:8088/ws/v1/cluster/info";
    let redirect = format!("307 Temporary Redirect\r\nLocation: {to}");
    let refresh = format!("200 OK\r\nRefresh: 3; url={to}");
    for status in [redirect, refresh] {
        let server = answering(ask, &status, text).await;
        expect(&["yarn-resourcemanager", &server], (ALIVE, "passive")).await;
    }
    let login = "302 Found\r\nLocation: https://sso.example.com/websso";
    let login = answering(ask, login, "").await;
    expect(&["yarn-resourcemanager", &login], (ALIVE, "http-redirect")).await;
    let lost = answering(ask, "200 OK", "There is no active RM right now.\n").await;
    expect(&["yarn-resourcemanager", &lost], (DOWN, "not-json")).await;
}

/// The truth is text, and `/health` tells none.
#[tokio::test]
async fn hbase_master() {
    let ask = "GET /jmx?qry=Hadoop:service=HBase,name=Master,sub=Server ";
    let beans = |inner: &str| format!("{{\n  \"beans\" : [ {inner} ]\n}}");
    let master = |active: &str| {
        beans(&format!(
            "{{\n    \"name\" : \"Hadoop:service=HBase,name=Master,sub=Server\",\n    \
             \"modelerType\" : \"Master,sub=Server\",\n    \"tag.isActiveMaster\" : \"{active}\",\n    \
             \"tag.Context\" : \"master\",\n    \"averageLoad\" : 4.125\n  }}"
        ))
    };
    let answers = [
        (master("true"), UP, "true"),
        (master("false"), ALIVE, "passive"),
        (beans(""), DOWN, "nothing at"),
    ];
    for (body, verdict, word) in answers {
        let server = answering(ask, "200 OK", &body).await;
        expect(&["hbase-master", &server], (verdict, word)).await;
    }
    let healthy = answering("GET /health ", "200 OK", "").await;
    expect(&["hbase-master", &healthy], (DOWN, "404")).await;
}

/// It has no standby, so a login in the way is an answer like any.
#[tokio::test]
async fn httpfs() {
    let ask = "GET /webhdfs/v1/?op=GETHOMEDIRECTORY&user.name=howdah ";
    let home = r#"{"Path":"\/user\/howdah"}"#;
    let up = answering(ask, "200 OK\r\nContent-Type: application/json", home).await;
    expect(&["httpfs", &up], (UP, "up")).await;
    let login = "401 Unauthorized\r\nWWW-Authenticate: Negotiate";
    let login = answering(ask, login, "").await;
    expect(&["httpfs", &login], (UP, "up")).await;
    let refused = answering(ask, "403 Forbidden", "").await;
    expect(&["httpfs", &refused], (ALIVE, "403")).await;
    let broken = answering(ask, "500 Internal Server Error", "").await;
    expect(&["httpfs", &broken], (DOWN, "500")).await;
}

/// What asks the cluster is not asked.
#[tokio::test]
async fn hbase_rest() {
    let version = "rest 2.5.8 [JVM: Eclipse Adoptium 11.0.22]\n";
    let up = answering("GET /version ", "200 OK", version).await;
    expect(&["hbase-rest", &up], (UP, "up")).await;
    let login = answering("GET /version ", "401 Unauthorized", "").await;
    expect(&["hbase-rest", &login], (ALIVE, "401")).await;
    let cluster = answering("GET /version/cluster ", "200 OK", "\"2.5.8\"").await;
    expect(&["hbase-rest", &cluster], (DOWN, "404")).await;
}

/// It answers 200 in each of its modes.
#[tokio::test]
async fn oozie() {
    let modes = [
        ("NORMAL", UP, "NORMAL"),
        ("SAFEMODE", ALIVE, "SAFEMODE"),
        ("NOWEBSERVICE", ALIVE, "NOWEBSERVICE"),
        ("STRANGE", DOWN, "STRANGE"),
    ];
    for (mode, verdict, word) in modes {
        let body = format!("{{\"systemMode\":\"{mode}\"}}");
        let json = "200 OK\r\nContent-Type: application/json;charset=UTF-8";
        let server = answering("GET /oozie/v1/admin/status ", json, &body).await;
        expect(&["oozie", &server], (verdict, word)).await;
    }
}

/// Without ZooKeeper a node still takes connections.
#[tokio::test]
async fn solr() {
    let ask = "GET /solr/admin/info/health ";
    let body = |status: u16, rest: &str| {
        format!(
            "{{\n  \"responseHeader\":{{\n    \"status\":{status},\n    \"QTime\":0\n  }},\n  {rest}\n}}"
        )
    };
    let lost =
        r#""status":"FAILURE","error":{"msg":"Host Unavailable: Not connected to zk","code":503}"#;
    let answers = [
        ("200 OK", body(0, r#""status":"OK""#), UP, "OK"),
        ("503 Service Unavailable", body(503, lost), ALIVE, "503"),
        ("200 OK", body(0, r#""status":"FAILURE""#), ALIVE, "FAILURE"),
        ("500 Server Error", body(500, r#""error":{}"#), DOWN, "500"),
        ("200 OK", body(0, r#""mode":"std""#), DOWN, "nothing at"),
    ];
    for (status, body, verdict, word) in answers {
        let server = answering(ask, status, &body).await;
        expect(&["solr", &server], (verdict, word)).await;
    }
}

/// A cluster without a master answers, and so does one that had no time to look.
#[tokio::test]
async fn elasticsearch() {
    let ask = "GET /_cluster/health?local=true ";
    let health = |status: &str, timed_out: bool| {
        format!(
            r#"{{"cluster_name":"status","status":"{status}","timed_out":{timed_out},"number_of_nodes":3,"active_shards_percent_as_number":100.0}}"#
        )
    };
    let no_master =
        r#"{"error":{"type":"master_not_discovered_exception","reason":null},"status":503}"#;
    let login = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"security\"";
    let answers = [
        ("200 OK", health("green", false), UP, "green"),
        ("200 OK", health("yellow", false), UP, "yellow"),
        ("200 OK", health("red", false), ALIVE, "red"),
        ("200 OK", health("green", true), ALIVE, "timed_out"),
        ("408 Request Timeout", health("green", true), ALIVE, "408"),
        (
            "503 Service Unavailable",
            no_master.to_owned(),
            ALIVE,
            "503",
        ),
        (login, String::new(), ALIVE, "Basic realm"),
        ("200 OK", "{}".to_owned(), DOWN, "http-body"),
    ];
    for (status, body, verdict, word) in answers {
        let server = answering(ask, status, &body).await;
        expect(&["elasticsearch", &server], (verdict, word)).await;
    }
}

/// A refused call is an answer, and is audited: so 401 is up, and the question comes seldom.
#[tokio::test]
async fn hadoop_kms() {
    let names = "GET /kms/v1/keys/names ";
    for (status, verdict) in [
        ("401 Unauthorized", (UP, "up")),
        ("200 OK", (UP, "up")),
        ("403 Forbidden", (ALIVE, "403")),
        ("503 Service Unavailable", (DOWN, "503")),
    ] {
        let address = answering(names, status, "").await;
        expect(&["hadoop-kms", &address], verdict).await;
    }
    let other = answering("GET /jmx ", "401 Unauthorized", "").await;
    expect(&["hadoop-kms", &other], (DOWN, "404")).await;
    let config = "[[listener]]\nname = \"kms\"\nbind = \"127.0.0.1:0\"\npool = \"kms\"\n\
                  [pool.kms]\nservice = \"hadoop-kms\"\nservers = [\"kms-1.example.com\"]\n";
    let site = Site::new();
    let file = site.write("kms.toml", config);
    let mut command = program();
    command.arg("check").arg("--config").arg(file);
    let output = run(command).await;
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(
        said.contains("kms-1.example.com:9600") && said.contains("every 1m"),
        "{said}"
    );
}

/// `/kms` wants a login and is audited; `/jmx` does neither.
#[tokio::test]
async fn ranger_kms() {
    let up = answering("GET /jmx ", "200 OK", "{\"beans\":[]}").await;
    expect(&["ranger-kms", &up], (UP, "up")).await;
    let login = answering("GET /jmx ", "401 Unauthorized", "").await;
    expect(&["ranger-kms", &login], (ALIVE, "401")).await;
    let other = answering("GET /kms/", "401 Unauthorized", "").await;
    expect(&["ranger-kms", &other], (DOWN, "404")).await;
}

/// The body decides, with 503 as well.
#[tokio::test]
async fn ranger_admin() {
    let health = "GET /service/actuator/health ";
    let (ok, ill) = ("200 OK", "503 Service Unavailable");
    for (status, body, verdict) in [
        (ok, "{\"status\":\"UP\"}", (UP, "up")),
        (ok, "{\"status\":\"INITIALIZING\"}", (ALIVE, "INITIALIZING")),
        (
            ok,
            "{\"status\":\"INITIALIZATION_FAILURE\"}",
            (ALIVE, "INITIALIZATION_FAILURE"),
        ),
        (ok, "{\"status\":\"UNKNOWN\"}", (ALIVE, "UNKNOWN")),
        (
            ill,
            "{\"components\":{\"db\":{\"status\":\"UP\"}},\"status\":\"DOWN\"}",
            (ALIVE, "DOWN"),
        ),
        (ill, "<html>", (DOWN, "not-json")),
        ("302 Found", "", (ALIVE, "302")),
    ] {
        let address = answering(health, status, body).await;
        expect(&["ranger-admin", &address], verdict).await;
    }
    let older = answering("GET /login.jsp ", ok, "<html>").await;
    expect(
        &["ranger-admin", &older, "--path", "/login.jsp"],
        (UP, "up"),
    )
    .await;
}

/// Whoever takes a login for up is not asked for a body behind it.
#[tokio::test]
async fn ambari() {
    let check = "GET /api/v1/check ";
    let up = answering(check, "200 OK", "RUNNING").await;
    expect(&["ambari", &up], (UP, "up")).await;
    let other = answering(check, "200 OK", "<html>").await;
    expect(&["ambari", &other], (DOWN, "http-body")).await;
    let login = answering(check, "403 Forbidden", "{\"status\":403}").await;
    expect(&["ambari", &login], (ALIVE, "403")).await;
    let promoted = ["ambari", &login, "--expect-status", "200,403"];
    expect(&promoted, (UP, "up")).await;
}

/// With Kerberos a healthy one answers 401: alive, until the file says that it is up.
#[tokio::test]
async fn yarn_timeline() {
    let timeline = "GET /ws/v1/timeline ";
    let up = answering(timeline, "200 OK", "{\"About\":\"Timeline API\"}").await;
    expect(&["yarn-timeline", &up], (UP, "up")).await;
    let login = answering(timeline, "401 Unauthorized", "").await;
    expect(&["yarn-timeline", &login], (ALIVE, "401")).await;
    let promoted = ["yarn-timeline", &login, "--expect-status", "200,401"];
    expect(&promoted, (UP, "up")).await;
    let ill = answering(timeline, "500 Internal Server Error", "").await;
    expect(&["yarn-timeline", &ill], (DOWN, "500")).await;
}

/// Another page of status 200 is not its own.
#[tokio::test]
async fn mapreduce_jobhistory() {
    let info = "GET /ws/v1/history/info ";
    for body in [
        "{\"historyInfo\":{\"startedOn\":1353512830963,\"hadoopVersion\":\"3.3.6\"}}",
        "<historyInfo><startedOn>1353512830963</startedOn></historyInfo>",
    ] {
        let up = answering(info, "200 OK", body).await;
        expect(&["mapreduce-jobhistory", &up], (UP, "up")).await;
    }
    let other = answering(info, "200 OK", "<title>Log in</title>").await;
    expect(&["mapreduce-jobhistory", &other], (DOWN, "http-body")).await;
    let login = answering(info, "401 Unauthorized", "").await;
    expect(&["mapreduce-jobhistory", &login], (ALIVE, "401")).await;
    let promoted = ["mapreduce-jobhistory", &login, "--expect-status", "200,401"];
    expect(&promoted, (UP, "up")).await;
}

/// "Not a Leader" is none.
#[tokio::test]
async fn storm_ui() {
    let summary = "GET /api/v1/nimbus/summary ";
    for (body, verdict) in [
        (
            "{\"nimbuses\":[{\"host\":\"a\",\"status\":\"Not a Leader\"},{\"host\":\"b\",\"status\":\"Leader\"}]}",
            (UP, "up"),
        ),
        (
            "{\"nimbuses\":[{\"host\":\"a\",\"status\":\"Not a Leader\"},{\"host\":\"b\",\"status\":\"Dead\"}]}",
            (ALIVE, "Not a Leader"),
        ),
        ("{\"nimbuses\":[]}", (ALIVE, "nimbuses")),
        ("{\"error\":\"Internal Server Error\"}", (DOWN, "error")),
    ] {
        let address = answering(summary, "200 OK", body).await;
        expect(&["storm-ui", &address], verdict).await;
    }
}

/// Any answer below 500 is a sign of life, until the file says what it expects.
#[tokio::test]
async fn http() {
    let none = answering("GET /never ", "200 OK", "").await;
    let sent = answering("GET / ", "302 Found", "").await;
    let login = answering("GET / ", "401 Unauthorized", "").await;
    let ill = answering("GET / ", "502 Bad Gateway", "").await;
    let config = format!(
        "listener = [\n\
           {{ name = \"any\", bind = \"127.0.0.1:0\", pool = \"any\" }},\n\
           {{ name = \"own\", bind = \"127.0.0.1:0\", pool = \"own\" }},\n\
         ]\n\
         [pool.any]\nservice = \"http\"\nservers = [\"{none}\", \"{sent}\", \"{login}\", \"{ill}\"]\n\
         probe = {{ type = \"http\", interval = \"1m\" }}\n\
         [pool.own]\nservice = \"http\"\nservers = [\"{none}\", \"{login}\"]\n\
         probe = {{ expect_status = [200, 204], interval = \"1m\" }}\n"
    );
    let howdah = Howdah::start(&config).await;
    for (pool, server, health) in [
        ("any", &none, "up"),
        ("any", &sent, "up"),
        ("any", &login, "up"),
        ("any", &ill, "down"),
        ("own", &none, "down"),
        ("own", &login, "alive"),
    ] {
        howdah.healthy(pool, server, health).await;
    }
}

/// The address of a server that answers requests which begin like that, and 404 to any other. `status` may have lines of
/// the head behind it.
async fn answering(begins: &'static str, status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (status, body) = (status.to_owned(), body.to_owned());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if !matches!(stream.read_line(&mut head).await, Ok(1..)) {
                    break;
                }
            }
            let (status, body) = match head.starts_with(begins) {
                true => (status.as_str(), body.as_str()),
                false => ("404 Not Found", ""),
            };
            let length = body.len();
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    address
}

/// Each answer to the question with its verdict; whoever hangs up without one is down.
async fn judged(service: &str, asked: &[u8], answers: &[(&[u8], (i32, &str))]) {
    let hung_up: (&[u8], _) = (b"", (DOWN, "closed"));
    for (answer, expected) in answers.iter().chain([&hung_up]) {
        let wire = Wire::start(asked, answer).await;
        expect(&[service, &wire.address.to_string()], *expected).await;
    }
}

/// Every member of a quorum is up, whatever its part in it.
#[tokio::test]
async fn zookeeper() {
    let srvr = |mode: &str| {
        format!(
            "Zookeeper version: 3.8.0, built on 2022-02-25\nLatency min/avg/max: 0/0.5/12\nReceived: 9\nSent: 8\n\
             Connections: 1\nOutstanding: 0\nZxid: 0x100000002\nMode: {mode}\nNode count: 5\n"
        )
    };
    for (mode, verdict) in [
        ("leader", UP),
        ("follower", UP),
        ("observer", UP),
        ("standalone", UP),
        ("read-only", ALIVE),
        ("tired", DOWN),
    ] {
        let word = if verdict == DOWN { "unexpected" } else { mode };
        judged(
            "zookeeper",
            b"srvr",
            &[(srvr(mode).as_bytes(), (verdict, word))],
        )
        .await;
    }
    let none = "This ZooKeeper instance is not currently serving requests\n";
    let forbidden = "srvr is not executed because it is not in the whitelist.\n";
    let answers: &[(&[u8], _)] = &[
        (none.as_bytes(), (ALIVE, "not currently serving")),
        (forbidden.as_bytes(), (ALIVE, "4lw.commands.whitelist")),
    ];
    judged("zookeeper", b"srvr", answers).await;
}

/// Asked before any login, and only whether it answers.
#[tokio::test]
async fn kafka() {
    let asked = bytes("00000010 0012 0000 00000001 0006 686f77646168");
    let up = bytes("00000016 00000001 0000 00000002 0000 0000 0009 0012 0000 0003");
    let error = bytes("0000000a 00000001 0023 00000000");
    let other = bytes("0000000a 00000002 0000 00000000");
    let answers: &[(&[u8], _)] = &[
        (&up, (UP, "up")),
        (&error, (ALIVE, "error")),
        (&other, (DOWN, "unexpected")),
    ];
    judged("kafka", &asked, answers).await;
}

/// Who lets no stranger in is up; and it is told that nothing more will come.
#[tokio::test]
async fn ldap() {
    let asked = bytes("300c 020101 6007 020103 0400 8000");
    let code = |code: &str| bytes(&format!("300c 020101 6107 0a01{code} 0400 0400"));
    let table = [
        ("00", (UP, "up")),
        ("30", (UP, "up")),
        ("31", (UP, "up")),
        ("35", (UP, "up")),
        ("08", (UP, "up")),
        ("33", (ALIVE, "busy")),
        ("34", (ALIVE, "unavailable")),
        ("02", (DOWN, "unexpected")),
    ];
    for (result, expected) in table {
        judged("ldap", &asked, &[(&code(result), expected)]).await;
    }
    // As Active Directory writes lengths.
    let long = bytes("308400000010 020101 618400000007 0a0100 0400 0400");
    let wire = Wire::start(&asked, &long).await;
    expect(&["ldap", &wire.address.to_string()], (UP, "up")).await;
    let all = [asked, bytes("3005 020103 4200")].concat();
    eventually!(wire.heard() == all);
}

/// The answer has the name of the request, or has not, and lengths come short or long: TLS begins when it is whole.
#[tokio::test]
async fn ldap_starts_tls_after_each_form_of_the_answer() {
    let name = "312e332e362e312e342e312e313436362e3230303337";
    let asked = bytes(&format!("301d 020102 7718 8016 {name}"));
    let refused = bytes("300c 020102 7807 0a0102 0400 0400");
    let short = bytes("300c 020102 7807 0a0100 0400 0400");
    let named = bytes(&format!("3024 020102 781f 0a0100 0400 0400 8a16 {name}"));
    let long = bytes(&format!(
        "308400000028 020102 78840000001f 0a0100 0400 0400 8a16 {name}"
    ));
    for answer in [short, named, long] {
        let wire = Wire::start(&asked, &answer).await;
        let question = [
            "ldap",
            &wire.address.to_string(),
            "--starttls",
            "--timeout",
            "2s",
        ];
        // This server hears the handshake and says nothing to it.
        expect(&question, (DOWN, "timeout in step tls")).await;
    }
    let wire = Wire::start(&asked, &refused).await;
    expect(
        &["ldap", &wire.address.to_string(), "--starttls"],
        (ALIVE, "does not start TLS"),
    )
    .await;
}

/// An error is the answer of a good KDC.
#[tokio::test]
async fn kerberos_kdc() {
    let asked = bytes(
        "00000091 6a818e30818ba103020105a20302010aa47f307da00703050000000010a1193017a003020101a110300e1b0c686f77\
         6461682d70726f6265a20d1b0b4558414d504c452e434f4da320301ea003020102a11730151b066b72627467741b0b4558414d\
         504c452e434f4da511180f32303337303931333032343830355aa706020412345678a80b3009020112020111020117",
    );
    let error = |code: &str| {
        let body = format!(
            "7e44 3042 a003020105 a10302011e a411180f32303236303130313030303030305a a505020300e240 a6030201{code} \
             a90d1b0b4558414d504c452e434f4d aa08 3006 a003020102 a100"
        );
        let body = bytes(&body);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&length[..], &body].concat()
    };
    let answers: &[(&[u8], _)] = &[
        (&error("06"), (UP, "up")),
        (&error("44"), (UP, "up")),
        (&error("1d"), (ALIVE, "not available")),
        (&bytes("00000004 6b023000"), (UP, "up")),
        (&bytes("00000004 6a023000"), (DOWN, "unexpected")),
    ];
    judged("kerberos-kdc", &asked, answers).await;
}

/// Without a login: what it says of somebody it does not know.
#[tokio::test]
async fn postgresql() {
    use database::{error, told};
    let asked = bytes(
        "0000003f 00030000 7573657200 686f7764616800 646174616261736500 706f73746772657300 \
         6170706c69636174696f6e5f6e616d6500 686f7764616800 00",
    );
    let answers: &[(&[u8], _)] = &[
        (&told(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"), (UP, "up")),
        (&told(b'R', b"\0\0\0\x05salt"), (UP, "up")),
        (&told(b'R', &[0; 4]), (UP, "no password")),
        (
            &error("28000", "no pg_hba.conf entry"),
            (UP, "account-needed"),
        ),
        (&error("3D000", "no such database"), (UP, "account-needed")),
        (&error("57P03", "is starting up"), (ALIVE, "starting up")),
        (&error("57P01", "terminating"), (ALIVE, "shutting-down")),
        (&error("53300", "too many clients"), (ALIVE, "too many")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", (DOWN, "speaks-http")),
        (b"\x15\x03\x03\0\x02\x02\x28", (DOWN, "speaks-tls")),
        (b"E\x7f\xff\xff\xff", (DOWN, "unexpected")),
        (b"E\0\0\0\x05\0", (DOWN, "unexpected")),
    ];
    judged("postgresql", &asked, answers).await;
    let trusting = Wire::start(&asked, &told(b'R', &[0; 4])).await;
    expect(&["postgresql", &trusting.address.to_string()], (UP, "up")).await;
    eventually!(trusting.heard().ends_with(b"X\0\0\0\x04"));
}

/// By a login it tells its role, and is left with a goodbye.
#[tokio::test]
async fn postgresql_by_a_login() {
    use database::{Database, Frames, Turn, error, roles, told, welcome};
    let startup: Turn = Turn::Hear(b"application_name\0howdah\0");
    let ask = |answers: Vec<Vec<u8>>| {
        let mut turns = vec![startup.clone()];
        for (answer, hear) in answers.into_iter().zip([&b"pg_is_in_recovery"[..], b"X"]) {
            turns.extend([Turn::Say(answer), Turn::Hear(hear)]);
        }
        Database::start(Frames::Postgres, turns)
    };
    let role = |values: [Option<&str>; 5]| ask(vec![welcome(), roles(values)]);
    let (yes, no) = (Some("t"), Some("f"));
    let old = Some("3600.25");
    for (values, expected) in [
        ([no, None, None, None, None], (UP, "primary")),
        ([yes, yes, yes, no, old], (UP, "0.0 s behind")),
        ([yes, yes, no, no, Some("2.5")], (UP, "2.5 s behind")),
        ([yes, yes, no, no, old], (ALIVE, "replica-lag")),
        ([yes, no, yes, no, old], (ALIVE, "receives nothing")),
        ([yes, no, None, no, None], (ALIVE, "nobody knows")),
        ([yes, yes, yes, yes, old], (ALIVE, "replica-broken")),
        ([Some("?"), None, None, None, None], (ALIVE, "query-failed")),
        ([yes, yes, no, no, Some("NaN")], (ALIVE, "nobody knows")),
    ] {
        let server = role(values).await;
        let question = [
            "postgresql",
            &server.address,
            "--user",
            "howdah",
            "--max-lag",
            "30s",
        ];
        expect(&question, expected).await;
        assert_eq!(server.heard(), b"X\0\0\0\x04", "{values:?}");
    }
    let endless = [
        welcome(),
        b"D\x7f\xff\xff\xff".to_vec(),
        vec![b'a'; 200_000],
    ]
    .concat();
    let bound = told(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    for (answer, expected) in [
        (
            error("28P01", "password authentication failed"),
            (ALIVE, "bad-credentials"),
        ),
        (error("3D000", "does not exist"), (ALIVE, "session-refused")),
        (error("57P03", "is starting up"), (ALIVE, "not-serving")),
        (bound, (ALIVE, "account-needed")),
        (told(b'R', b"\0\0\0\x07"), (ALIVE, "unsupported-mechanism")),
        (endless, (DOWN, "endless")),
        (b"\x15\x03\x03\0\x02\x02\x28".to_vec(), (DOWN, "unexpected")),
        (Vec::new(), (DOWN, "closed")),
    ] {
        let turns = vec![startup.clone(), Turn::Say(answer)];
        let server = Database::start(Frames::Postgres, turns).await;
        expect(
            &["postgresql", &server.address, "--user", "howdah"],
            expected,
        )
        .await;
    }
}

/// It speaks first, and its handshake is never left: who is refused has finished it.
#[tokio::test]
async fn mysql() {
    use Turn::{Hear, Say};
    use database::{Database, Frames, Turn, fine, greeting, refusal};
    for (greeting, expected) in [
        (refusal(0, 1040, "Too many connections"), (ALIVE, "1040")),
        (
            refusal(0, 1129, "Host is blocked"),
            (ALIVE, "session-refused"),
        ),
        (
            refusal(0, 1053, "Server shutdown in progress"),
            (ALIVE, "shutting-down"),
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            (DOWN, "speaks-http"),
        ),
        (b"\x05\0\0\0\x0910.0\0".to_vec(), (DOWN, "unexpected")),
        (b"\x4a\0\0\0\x0a5.5.5".to_vec(), (DOWN, "closed")),
        (Vec::new(), (DOWN, "closed")),
    ] {
        let server = Database::start(Frames::MySql, vec![Say(greeting)]).await;
        expect(&["mysql", &server.address], expected).await;
    }
    let version = "5.5.5-10.11.6-MariaDB";
    let switch = database::packet(2, b"\xfemysql_native_password\0abcdefghijklmnopqrst\0");
    for (answers, last, expected) in [
        (
            vec![refusal(2, 1045, "#28000Access denied")],
            b"howdah\0\0mysql_native".as_slice(),
            (UP, "account-needed"),
        ),
        (
            vec![switch, refusal(4, 1045, "#28000Access denied")],
            b"\0\0\0\x03",
            (UP, "account-needed"),
        ),
        (vec![fine(2)], b"\x01\0\0\0\x01", (UP, "no password")),
        (
            vec![refusal(2, 1203, "#42000too many")],
            b"howdah",
            (ALIVE, "1203"),
        ),
    ] {
        let mut turns = vec![Say(greeting(version)), Hear(b"howdah")];
        for answer in answers {
            turns.extend([Say(answer), Hear(b"")]);
        }
        let server = Database::start(Frames::MySql, turns).await;
        expect(&["mysql", &server.address], expected).await;
        eventually!(server.heard().windows(last.len()).any(|has| has == last));
    }
}

/// By a login it tells its role, and is left with a goodbye.
#[tokio::test]
async fn mysql_by_a_login() {
    use Turn::{Hear, Say};
    use database::{Database, Frames, Turn, fine, greeting, refusal, table};
    let state = |names: [&str; 3], values: [Option<&str>; 3]| table(&names, &values);
    let maria = |values| {
        state(
            [
                "Slave_IO_Running",
                "Slave_SQL_Running",
                "Seconds_Behind_Master",
            ],
            values,
        )
    };
    let mysql = |values| {
        state(
            [
                "Replica_IO_Running",
                "Replica_SQL_Running",
                "Seconds_Behind_Source",
            ],
            values,
        )
    };
    let (yes, no, few, many) = (Some("Yes"), Some("No"), Some("3"), Some("900"));
    let (mariadb, oracle) = ("5.5.5-10.11.6-MariaDB", "8.4.3");
    let replicas: &[(&str, Vec<u8>, (i32, &str))] = &[
        (mariadb, maria([yes, yes, few]), (UP, "3.0 s behind")),
        (mariadb, maria([yes, yes, many]), (ALIVE, "replica-lag")),
        (mariadb, maria([yes, no, None]), (ALIVE, "SQL thread")),
        (mariadb, maria([no, yes, None]), (ALIVE, "IO thread")),
        (
            mariadb,
            maria([Some("Connecting"), yes, None]),
            (ALIVE, "does not reach"),
        ),
        (
            mariadb,
            table(&["Slave_IO_Running"], &[]),
            (ALIVE, "replica-broken"),
        ),
        (
            mariadb,
            refusal(1, 1227, "#42000Access denied"),
            (ALIVE, "may not see"),
        ),
        (oracle, mysql([yes, yes, few]), (UP, "3.0 s behind")),
        (oracle, mysql([yes, no, None]), (ALIVE, "replica-broken")),
    ];
    for (version, state, expected) in replicas {
        let only = table(&["read_only"], &[Some("1")]);
        let asked: &[u8] = if *version == oracle {
            b"REPLICA"
        } else {
            b"SLAVES"
        };
        let login = vec![
            Say(greeting(version)),
            Hear(b"howdah"),
            Say(fine(2)),
            Hear(b"read_only"),
        ];
        let role = vec![Say(only), Hear(asked), Say(state.clone()), Hear(b"\x01")];
        let server = Database::start(Frames::MySql, [login, role].concat()).await;
        let question = [
            "mysql",
            &server.address,
            "--user",
            "howdah",
            "--max-lag",
            "30s",
        ];
        expect(&question, *expected).await;
        assert_eq!(server.heard(), b"\x01\0\0\0\x01", "{version} {expected:?}");
    }
    let writes = table(&["read_only"], &[Some("0")]);
    let full = database::packet(2, b"\x01\x04");
    let ed25519 = database::packet(2, b"\xfeclient_ed25519\0abcdefghijklmnopqrst\0");
    for (version, answer, expected) in [
        (mariadb, [fine(2), writes].concat(), (UP, "takes writes")),
        (
            mariadb,
            refusal(2, 1045, "#28000Access denied"),
            (ALIVE, "bad-credentials"),
        ),
        (
            mariadb,
            refusal(2, 1049, "#42000Unknown database"),
            (ALIVE, "bad-credentials"),
        ),
        (mariadb, ed25519, (ALIVE, "client_ed25519")),
        (oracle, full, (ALIVE, "add tls")),
        (
            oracle,
            [fine(2), vec![255; 9]].concat(),
            (DOWN, "unexpected"),
        ),
    ] {
        let turns = vec![Say(greeting(version)), Hear(b"howdah"), Say(answer)];
        let server = Database::start(Frames::MySql, turns).await;
        expect(&["mysql", &server.address, "--user", "howdah"], expected).await;
    }
}

/// Over TCP; a refusal is none of a resolver's answers.
#[tokio::test]
async fn dns() {
    let question = "0001 0000 0000 0000 00 0006 0001";
    let asked = bytes(&format!("0011 1234 0100 {question}"));
    let answer = |head: &str| bytes(&format!("0011 {head} {question}"));
    let answers: &[(&[u8], _)] = &[
        (&answer("1234 8180"), (UP, "up")),
        (&answer("1234 8583"), (UP, "up")),
        (&answer("1234 8182"), (ALIVE, "SERVFAIL")),
        (&answer("1234 8105"), (ALIVE, "REFUSED")),
        (&answer("1234 8181"), (DOWN, "unexpected")),
        (&answer("1235 8180"), (DOWN, "unexpected")),
        (&answer("1234 0100"), (DOWN, "unexpected")),
    ];
    judged("dns", &asked, answers).await;
}

/// As most clients ask, with a number that is another one each time.
#[tokio::test]
async fn dns_over_udp() {
    let question = bytes("0001 0000 0000 0000 00 0006 0001");
    let answer = |flags: &str| [&bytes(flags)[..], &question].concat();
    for (flags, expected) in [
        ("8180", (UP, "up")),
        ("8583", (UP, "up")),
        ("8182", (ALIVE, "SERVFAIL")),
        ("8105", (ALIVE, "REFUSED")),
        ("8181", (DOWN, "unexpected")),
    ] {
        let asked = [&bytes("0100")[..], &question].concat();
        let server = Datagrams::start(&asked, 0..2, [b"", &answer(flags)]).await;
        let address = server.address.to_string();
        for _ in 0..2 {
            expect(&["dns", &address, "--protocol", "udp"], expected).await;
        }
        let numbers = server.numbers();
        assert_ne!(numbers[0], numbers[1], "drawn anew");
    }
}

/// Over UDP alone. What repeats another number than was sent is no answer.
#[tokio::test]
async fn ntp() {
    let asked = [&[0x23][..], &[0; 39]].concat();
    // Leap indicator, version and mode; stratum; poll and precision; delays; reference and its time, before the number.
    let before = |head: &str, reference: &[u8; 4]| {
        let time = [0xe8; 8];
        [&bytes(head)[..], &[6, 0xe8], &[0; 8], reference, &time].concat()
    };
    let after = [0xe8; 16];
    let local = [127, 127, 1, 1];
    for (head, reference, expected) in [
        ("24 01", &local, (UP, "up")),
        ("1c 0f", &local, (UP, "up")),
        ("64 02", &local, (UP, "up")),
        ("24 00", b"RATE", (ALIVE, "RATE")),
        ("e4 00", b"DENY", (ALIVE, "DENY")),
        ("e4 02", &local, (ALIVE, "leap")),
        ("24 10", &local, (ALIVE, "follows no clock")),
        ("24 00", &local, (ALIVE, "follows no clock")),
        ("23 01", &local, (DOWN, "unexpected")),
    ] {
        // Its own time may end as a line does.
        for end in [&[0xe8, 0xe8], b"\r\n"] {
            let before = before(head, reference);
            let after = [&after[..14], &end[..]].concat();
            let server = Datagrams::start(&asked, 40..48, [&before, &after]).await;
            expect(&["ntp", &server.address.to_string()], expected).await;
        }
    }
    // The number in the wrong place.
    let late = [&before("24 01", &local)[..], &[0]].concat();
    let server = Datagrams::start(&asked, 40..48, [&late, &after[1..]]).await;
    let address = server.address.to_string();
    expect(&["ntp", &address, "--timeout", "300ms"], (DOWN, "timeout")).await;
}

/// One with SASL is not up, by an old Thrift or a new one, which hangs up.
#[tokio::test]
async fn hive_metastore() {
    let name = "00000009 676574537461747573 00000000";
    let asked = bytes(&format!("80010001 {name} 00"));
    let status = |status: &str| bytes(&format!("80010002 {name} 080000 000000{status} 00"));
    let stranger = bytes(&format!(
        "80010003 {name} 0b0001 00000001 3f 080002 00000001 00"
    ));
    let sasl = [&bytes("04 00000013")[..], b"Invalid status -128"].concat();
    let answers: &[(&[u8], _)] = &[
        (&status("02"), (UP, "up")),
        (&status("01"), (ALIVE, "starting")),
        (&status("03"), (ALIVE, "stopping")),
        (&status("05"), (ALIVE, "warning")),
        (&stranger, (ALIVE, "getStatus")),
        (&sasl, (ALIVE, "SASL")),
        (&status("00"), (DOWN, "unexpected")),
        (&status("04"), (DOWN, "unexpected")),
    ];
    judged("hive-metastore", &asked, answers).await;
}

/// That it does not know the method is what is wanted.
#[tokio::test]
async fn hbase_thrift() {
    let name = "0000000a 686f7764616850696e67 00000000";
    let asked = bytes(&format!("80010001 {name} 00"));
    let text = b"Invalid method name: 'howdahPing'";
    let head = bytes(&format!("80010003 {name} 0b0001 00000021"));
    let exception = [&head[..], text, &bytes("080002 00000001 00")].concat();
    let sasl = [&bytes("04 00000013")[..], b"Invalid status -128"].concat();
    let answers: &[(&[u8], _)] = &[
        (&exception, (UP, "up")),
        (&sasl, (ALIVE, "SASL")),
        (&bytes(&format!("80010002 {name} 00")), (DOWN, "unexpected")),
    ];
    judged("hbase-thrift", &asked, answers).await;
}

/// What it answers depends on its transport, so that a connect is all that is asked.
#[tokio::test]
async fn storm_nimbus() {
    connected("storm-nimbus").await;
}

/// As Nimbus.
#[tokio::test]
async fn sentry() {
    connected("sentry").await;
}

/// A service that has no way to say that it is alive.
async fn connected(service: &str) {
    let server = TcpListener::bind(free_address()).await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    expect(&[service, &address], (UP, "up")).await;
    drop(server);
    expect(&[service, &address], (DOWN, "refused")).await;
}

/// It has no way to say that it is alive.
#[tokio::test]
async fn tcp() {
    connected("tcp").await;
}

/// It is asked nothing, and counts as up.
#[tokio::test]
async fn udp() {
    let config = "[[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\nprotocol = \"udp\"\npool = \"back\"\n\
                  [pool.back]\nservice = \"udp\"\nservers = [\"127.0.0.1:9\"]\n";
    let howdah = Howdah::start(config).await;
    let server = howdah.server("back", "127.0.0.1:9").await;
    assert_eq!(server["health"], "up", "{server}");
    assert!(server["last_probe"].is_null(), "{server}");
    let usage = 2;
    expect(&["udp", "127.0.0.1:9"], (usage, "udp")).await;
}

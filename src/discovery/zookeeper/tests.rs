//! The source against a server that speaks just enough, on loopback. Real ensembles are in `tests/real/test_zookeeper.py`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::*;
use crate::base::principal::Principal;
use crate::discovery::Found;
use crate::plan::{
    Address, Ask, Balance, CarePlan, ConnectTls, Depth, Dial, HiveAuth, HiveTransport, Host,
    KerberosPlan, ObservePlan, PoolName, ProbePlan, QueuePlan, Secret, ServerDefaults, Service,
    ServicePrincipal, Timeouts,
};
use crate::wire::zookeeper::{AUTH_FAILED, LOGIN, NOTICE, PING};

const PATH: &str = "/hiveserver2";

/// Every await ends here; the source's own times are seconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// One server of an ensemble, with one folder.
#[derive(Default)]
struct Server {
    /// `None`: the folder is not there.
    znodes: Mutex<Option<BTreeMap<String, Vec<u8>>>>,
    /// Whoever watches is told of these paths.
    changed: Notify,
    /// Closes what comes, as one without a quorum does.
    alone: Mutex<bool>,
    /// Wanted of every client, `user:password`.
    account: Option<&'static str>,
    /// Questions for data, over all connections.
    reads: Mutex<usize>,
}

impl Server {
    async fn start(self) -> (Arc<Self>, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (server, address) = (
            Arc::new(self),
            Address {
                host: Host::Ip(at.ip()),
                port: at.port(),
            },
        );
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !*accepting.alone.lock().unwrap() {
                    let server = Arc::clone(&accepting);
                    tokio::spawn(async move { server.serve(stream).await });
                }
            }
        });
        (server, address)
    }

    /// Changes the folder and tells everybody.
    fn set(&self, change: impl FnOnce(&mut Option<BTreeMap<String, Vec<u8>>>)) {
        change(&mut self.znodes.lock().unwrap());
        self.changed.notify_waiters();
    }

    fn with(servers: &[&str]) -> Self {
        let znodes = servers
            .iter()
            .zip(0..)
            .map(|(uri, sequence)| znode(uri, sequence, ""));
        Self {
            znodes: Mutex::new(Some(znodes.collect())),
            ..Self::default()
        }
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut inbox = Vec::new();
        let mut frames = 0;
        loop {
            while let Ok(Some(body)) = crate::wire::zookeeper::frame(&inbox) {
                let body = body.to_vec();
                inbox.drain(..body.len() + 4);
                let answer = if frames == 0 {
                    welcome()
                } else {
                    self.answer(&body)?
                };
                frames += 1;
                stream.write_all(&answer).await.ok()?;
            }
            tokio::select! {
                read = stream.read_buf(&mut inbox) => if read.ok()? == 0 { return None },
                () = self.changed.notified() => {
                    if *self.alone.lock().unwrap() {
                        return None;
                    }
                    stream.write_all(&reply(NOTICE, 0, &[&[0; 8], text(PATH).as_slice()].concat())).await.ok()?;
                }
            }
        }
    }

    fn answer(&self, body: &[u8]) -> Option<Vec<u8>> {
        let word = |at: usize| Some(i32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
        let (xid, operation) = (word(0)?, word(4)?);
        let path = || {
            Some(
                str::from_utf8(body.get(12..12 + usize::try_from(word(8)?).ok()?)?)
                    .ok()?
                    .to_owned(),
            )
        };
        let znodes = self.znodes.lock().unwrap();
        Some(match (operation, znodes.as_ref()) {
            (11, _) => reply(PING, 0, &[]),
            (100, _) => {
                let good = self
                    .account
                    .is_some_and(|account| body.ends_with(account.as_bytes()));
                reply(LOGIN, if good { 0 } else { AUTH_FAILED }, &[])
            }
            (3 | 8, None) => reply(xid, NO_NODE, &[]),
            (3, Some(_)) => reply(xid, 0, &[0; 68]),
            (8, Some(_)) if path()? != PATH => reply(xid, NO_AUTH, &[]),
            (8, Some(znodes)) => {
                let count = u32::try_from(znodes.len()).unwrap().to_be_bytes().to_vec();
                let names = znodes.keys().map(|name| text(name));
                reply(
                    xid,
                    0,
                    &[count]
                        .into_iter()
                        .chain(names)
                        .collect::<Vec<_>>()
                        .concat(),
                )
            }
            (4, znodes) => {
                *self.reads.lock().unwrap() += 1;
                let path = path()?;
                let held = znodes.and_then(|znodes| znodes.get(path.rsplit('/').next()?));
                held.map_or_else(
                    || reply(xid, NO_NODE, &[]),
                    |data| reply(xid, 0, &[bytes(data), vec![0; 68]].concat()),
                )
            }
            _ => return None,
        })
    }
}

fn znode(uri: &str, sequence: usize, data: &str) -> (String, Vec<u8>) {
    (
        format!("serverUri={uri};version=3.1.3;sequence={sequence:010}"),
        data.into(),
    )
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..],
        bytes,
    ]
    .concat()
}

fn text(text: &str) -> Vec<u8> {
    bytes(text.as_bytes())
}

fn reply(xid: i32, code: i32, content: &[u8]) -> Vec<u8> {
    bytes(
        &[
            &xid.to_be_bytes(),
            &1i64.to_be_bytes()[..],
            &code.to_be_bytes(),
            content,
        ]
        .concat(),
    )
}

fn welcome() -> Vec<u8> {
    bytes(
        &[
            &[0; 4],
            &9000u32.to_be_bytes()[..],
            &7u64.to_be_bytes(),
            &bytes(&[0; 16]),
            &[0],
        ]
        .concat(),
    )
}

/// A source under way, and what it says.
struct Source {
    said: mpsc::Receiver<Listing>,
    _task: tokio::task::JoinHandle<()>,
}

impl Source {
    fn start(plan: ZooKeeperPlan) -> Self {
        let (reports, said) = mpsc::channel(16);
        let task = tokio::spawn(async move { watch(&plan, &pool(), &reports).await });
        Self { said, _task: task }
    }

    fn of(ensemble: Vec<Address>) -> Self {
        Self::start(ZooKeeperPlan {
            ensemble,
            path: PATH.into(),
            account: None,
            tls: None,
        })
    }

    async fn next(&mut self) -> Listing {
        let said = timeout(DEADLINE, self.said.recv()).await;
        said.expect("says nothing").expect("has ended")
    }

    async fn names(&mut self) -> Vec<String> {
        loop {
            match self.next().await {
                Listing::Listed(found) => return names(&found),
                Listing::Same => {}
                Listing::Silent { why } => panic!("silent: {why}"),
            }
        }
    }

    async fn silent(&mut self) -> String {
        loop {
            match self.next().await {
                Listing::Silent { why } => return why,
                Listing::Same => {}
                Listing::Listed(found) => panic!("{:?}", names(&found)),
            }
        }
    }
}

fn names(found: &[Found]) -> Vec<String> {
    found
        .iter()
        .map(|one| one.server.name.to_string())
        .collect()
}

fn pool() -> PoolPlan {
    let second = Duration::from_secs(1);
    PoolPlan {
        name: PoolName::new("hive"),
        service: Service::HIVESERVER2,
        server_defaults: ServerDefaults::of(Service::HIVESERVER2),
        balance: Balance::RoundRobin,
        discover: None,
        servers: Vec::new(),
        send_proxy: None,
        sticky: None,
        probe: Some(ProbePlan {
            ask: Ask::HiveServer2 {
                depth: Depth::Handshake,
                transport: HiveTransport::Binary,
                auth: HiveAuth::Plain { account: None },
            },
            port: None,
            tls: None,
            kerberos: None,
            interval: second,
            fast_interval: second,
            deep_interval: second,
            timeout: second,
            rise: 1,
            fall: 1,
            observe: ObservePlan::DEFAULT,
        }),
        tls: None,
        timeouts: Timeouts {
            connect: second,
            idle: second,
            half_close: second,
            udp_idle: second,
            udp_responses: None,
            keepalive: second,
            first_byte: second,
        },
        queue: QueuePlan::default(),
        care: CarePlan::DEFAULT,
        load: None,
        dial: Dial::Late,
        drain_timeout: second,
    }
}

#[tokio::test]
async fn servers_come_and_go_with_their_znodes() {
    let (server, address) = Server::with(&["a:1", "b:2"]).start().await;
    let mut source = Source::of(vec![address]);
    assert_eq!(source.names().await, ["a:1", "b:2"]);
    server.set(|znodes| {
        let (name, data) = znode("c:3", 7, "hive.server2.instance.uri=c.example.com:3");
        znodes.as_mut().unwrap().insert(name, data);
    });
    assert_eq!(source.names().await, ["a:1", "b:2", "c.example.com:3"]);
    assert_eq!(
        *server.reads.lock().unwrap(),
        3,
        "what is known is not read again"
    );
    server.set(|znodes| {
        znodes
            .as_mut()
            .unwrap()
            .retain(|name, _| !name.contains("=a:1;"))
    });
    assert_eq!(source.names().await, ["b:2", "c.example.com:3"]);
}

#[tokio::test]
async fn a_server_with_an_old_znode_and_a_new_one_is_one_server() {
    let (server, address) = Server::with(&["a:1", "a:1", "b:2"]).start().await;
    let mut source = Source::of(vec![address]);
    assert_eq!(source.names().await, ["a:1", "b:2"]);
    server.set(|znodes| _ = znodes.as_mut().unwrap().pop_first());
    assert_eq!(source.names().await, ["a:1", "b:2"]);
}

#[tokio::test]
async fn a_path_that_is_not_there_is_an_empty_list_until_it_comes() {
    let (server, address) = Server::default().start().await;
    let mut source = Source::of(vec![address]);
    assert_eq!(source.names().await, [""; 0]);
    server.set(|znodes| *znodes = Some([znode("a:1", 1, "")].into()));
    assert_eq!(source.names().await, ["a:1"]);
    server.set(|znodes| *znodes = None);
    assert_eq!(source.names().await, [""; 0]);
}

#[tokio::test]
async fn without_a_quorum_it_is_silent_and_comes_back_by_itself() {
    let (server, address) = Server::with(&["a:1"]).start().await;
    let mut source = Source::of(vec![address]);
    assert_eq!(source.names().await, ["a:1"]);
    *server.alone.lock().unwrap() = true;
    server.changed.notify_waiters();
    let why = source.silent().await;
    assert!(why.contains("it closes connections"), "{why}");
    *server.alone.lock().unwrap() = false;
    let (mut listing, mut silent) = (source.next().await, 0);
    while let Listing::Silent { .. } = listing {
        silent += 1;
        assert!(silent < 20, "does not come back");
        listing = source.next().await;
    }
    let Listing::Listed(found) = listing else {
        panic!("{listing:?}")
    };
    assert_eq!(names(&found), ["a:1"]);
}

#[tokio::test]
async fn one_of_three_is_enough_and_its_going_is_no_news() {
    let mut started = Vec::new();
    for alone in [false, true, false] {
        let server = Server::with(&["a:1"]);
        *server.alone.lock().unwrap() = alone;
        started.push(server.start().await);
    }
    let ensemble = started.iter().map(|(_, address)| address.clone()).collect();
    let mut source = Source::of(ensemble);
    assert_eq!(source.names().await, ["a:1"]);
    // Whichever it is connected to: all but one go.
    for (server, _) in &started[..2] {
        *server.alone.lock().unwrap() = true;
        server.changed.notify_waiters();
    }
    started[2]
        .0
        .set(|znodes| znodes.as_mut().unwrap().extend([znode("b:2", 9, "")]));
    while source.names().await.len() < 2 {}
}

#[tokio::test]
async fn what_names_no_server_is_passed_by() {
    let (server, address) = Server::with(&["a:1", "0.0.0.0:1", "-x-:1", "b:99999"])
        .start()
        .await;
    server.set(|znodes| {
        let znodes = znodes.as_mut().unwrap();
        znodes.insert("lock-0000000001".into(), b"hs2:10000".to_vec());
        znodes.insert("instances".into(), Vec::new());
    });
    let mut source = Source::of(vec![address]);
    assert_eq!(source.names().await, ["a:1"]);
}

#[tokio::test]
async fn a_login_is_made_and_a_refused_one_is_named() {
    let server = Server {
        account: Some("howdah:secret"),
        ..Server::with(&["a:1"])
    };
    let (_server, address) = server.start().await;
    let plan = |password: &str| ZooKeeperPlan {
        ensemble: vec![address.clone()],
        path: PATH.into(),
        account: Some(("howdah".into(), Secret::new(password))),
        tls: None,
    };
    assert_eq!(Source::start(plan("secret")).names().await, ["a:1"]);
    let why = Source::start(plan("guess")).silent().await;
    assert!(why.ends_with("it refuses the login"), "{why}");
}

#[tokio::test]
async fn what_must_not_be_read_and_who_is_no_zookeeper_are_named() {
    let (_server, address) = Server::with(&["a:1"]).start().await;
    let path = "/secret".to_owned();
    let plan = ZooKeeperPlan {
        ensemble: vec![address],
        path,
        account: None,
        tls: None,
    };
    let why = Source::start(plan).silent().await;
    assert_eq!(why, "/secret must not be read: its ACL wants a login");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let address = Address {
        host: Host::Ip(at.ip()),
        port: at.port(),
    };
    let why = Source::of(vec![address]).silent().await;
    assert_eq!(why, format!("{at}: it speaks HTTP"));
}

#[tokio::test]
async fn ten_thousand_servers_are_one_list() {
    let servers: Vec<String> = (0..10_000).map(|n| format!("hs2-{n:05}:10000")).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    let (_server, address) = Server::with(&servers).start().await;
    let mut source = Source::of(vec![address]);
    assert_eq!(source.names().await.len(), 10_000);
}

#[tokio::test]
async fn it_ends_when_nobody_hears_it_whether_connected_or_not() {
    let (_server, connected) = Server::with(&["a:1"]).start().await;
    let nobody = Address {
        host: connected.host.clone(),
        port: 1,
    };
    for address in [connected, nobody] {
        let (reports, mut said) = mpsc::channel(1);
        let plan = ZooKeeperPlan {
            ensemble: vec![address],
            path: PATH.into(),
            account: None,
            tls: None,
        };
        let task = tokio::spawn(async move { watch(&plan, &pool(), &reports).await });
        said.recv().await.expect("says something");
        drop(said);
        timeout(DEADLINE, task)
            .await
            .expect("hangs")
            .expect("no panic");
    }
}

#[test]
fn principals_that_name_the_host_differ_from_server_to_server() {
    let said = |principal: &str| {
        let servers: Vec<_> = ["a:1", "b:1"]
            .iter()
            .map(|uri| {
                let data = format!("hive.server2.authentication.kerberos.principal={principal}");
                let (name, data) = znode(uri, 1, &data);
                crate::wire::znode::registered(&name, &data).unwrap()
            })
            .collect();
        contradictions::principals(servers.iter())
    };
    assert_eq!((said("hive/_HOST@R"), said("hive/balanced@R")), (2, 1));
}

#[test]
fn what_a_server_says_of_itself_is_held_against_the_pool() {
    let (plain, other) = (pool(), "its znode");
    let with = |change: &dyn Fn(&mut PoolPlan)| {
        let mut changed = plain.clone();
        change(&mut changed);
        changed
    };
    let ask = |transport: HiveTransport, auth: HiveAuth| {
        with(&move |pool| {
            let (transport, auth) = (transport.clone(), auth.clone());
            let ask = Ask::HiveServer2 {
                depth: Depth::Handshake,
                transport,
                auth,
            };
            pool.probe.as_mut().unwrap().ask = ask;
        })
    };
    let account = || HiveAuth::Plain {
        account: Some(("u".into(), Secret::new("p"))),
    };
    let http = || HiveTransport::Http {
        path: "/cliservice".into(),
    };
    let tls = ConnectTls {
        roots: None,
        server_name: None,
        identity: None,
    };
    let secured = with(&|pool| pool.tls = Some(tls.clone()));
    let no_probe = with(&|pool| pool.probe = None);
    let asked = |service: &str| {
        with(&|pool| {
            let kerberos = KerberosPlan {
                client: Principal {
                    parts: vec!["howdah".into()],
                    realm: "R".into(),
                },
                keys: Vec::new(),
                service: ServicePrincipal::of(service),
                realms: Arc::default(),
            };
            pool.probe.as_mut().unwrap().kerberos = Some(Arc::new(kerberos));
        })
    };
    for (data, pool, principals, said) in [
        (
            "hive.server2.transport.mode=binary;hive.server2.use.SSL=false;hive.server2.authentication=NONE",
            &plain,
            1,
            None,
        ),
        ("", &secured, 1, None),
        (
            "hive.server2.transport.mode=http",
            &plain,
            1,
            Some("its transport is http"),
        ),
        ("hive.server2.transport.mode=all", &plain, 1, None),
        (
            "hive.server2.transport.mode=binary",
            &ask(http(), account()),
            1,
            Some("its transport is binary"),
        ),
        (
            "hive.server2.transport.mode=http;hive.server2.thrift.http.path=cliservice",
            &ask(http(), account()),
            1,
            None,
        ),
        (
            "hive.server2.transport.mode=http;hive.server2.thrift.http.path=hs2",
            &ask(http(), account()),
            1,
            Some("its HTTP path is /hs2"),
        ),
        (
            "hive.server2.use.SSL=true",
            &plain,
            1,
            Some("it speaks TLS"),
        ),
        ("hive.server2.use.SSL=TRUE", &no_probe, 1, None),
        (
            "hive.server2.use.SSL=false",
            &secured,
            1,
            Some("it speaks no TLS"),
        ),
        ("hive.server2.authentication=KERBEROS", &plain, 1, None),
        (
            "hive.server2.authentication=KERBEROS",
            &ask(HiveTransport::Binary, account()),
            1,
            Some("logins are KERBEROS"),
        ),
        (
            "hive.server2.authentication=nosasl",
            &plain,
            1,
            Some("logins are NOSASL"),
        ),
        (
            "hive.server2.authentication=LDAP",
            &ask(HiveTransport::Binary, HiveAuth::NoSasl),
            1,
            Some("logins are LDAP"),
        ),
        (
            "hive.server2.authentication.kerberos.principal=hive/a@R",
            &plain,
            1,
            None,
        ),
        (
            "hive.server2.authentication.kerberos.principal=hive/a@R",
            &plain,
            2,
            Some("the principal hive/a@R"),
        ),
        (
            "hive.server2.authentication.kerberos.principal=hive/_HOST@R",
            &asked("hive"),
            1,
            None,
        ),
        (
            "hive.server2.authentication.kerberos.principal=hive/balanced@R",
            &asked("hive"),
            1,
            Some(
                "the principal hive/balanced@R, and the pool's probe asks for a ticket to hive/a@R",
            ),
        ),
        (
            "hive.server2.authentication.kerberos.principal=hive/_HOST@R",
            &plain,
            2,
            Some("the principal hive/a@R"),
        ),
    ] {
        let (name, data) = znode("a:1", 1, data);
        let one = crate::wire::znode::registered(&name, &data).unwrap();
        let found = contradictions::contradictions(&one, pool, principals);
        match said {
            None => assert_eq!(found, [""; 0], "{name}"),
            Some(said) => {
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(
                    found[0].starts_with(other) && found[0].contains(said),
                    "{found:?}"
                );
            }
        }
    }
}

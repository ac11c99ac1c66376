//! The locks that howdah puts on itself: who it is, what it may open. Where the tests are not root, only what needs
//! no root is tested.
//!
//! That no system call is missing is what every other test here shows: all of them run locked in.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use rustix::process::getuid;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::{Certificates, Frame, Howdah, Site, exchange, plain, raw};

/// A user that every machine has.
const NOBODY: u32 = 65534;
/// CAP_NET_BIND_SERVICE, as `/proc` shows it.
const BINDS_LOW: u64 = 1 << 10;

/// What one thread may do, from its `status` in `/proc`.
#[derive(Debug, PartialEq, Eq)]
struct Rights {
    uids: Vec<u32>,
    gids: Vec<u32>,
    groups: Vec<u32>,
    /// Inheritable, permitted, effective, bounding, ambient.
    capabilities: [u64; 5],
    no_new_privileges: bool,
    /// 2 with filters.
    seccomp: u32,
}

fn rights(status: &str) -> Rights {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {status}"))
            .trim()
    };
    let numbers = |name| -> Vec<u32> {
        let numbers = field(name).split_whitespace();
        numbers.map(|number| number.parse().unwrap()).collect()
    };
    let set = |name| u64::from_str_radix(field(name), 16).unwrap();
    Rights {
        uids: numbers("Uid:"),
        gids: numbers("Gid:"),
        groups: numbers("Groups:"),
        capabilities: ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"].map(set),
        no_new_privileges: field("NoNewPrivs:") == "1",
        seccomp: field("Seccomp:").parse().unwrap(),
    }
}

/// Of every thread of that howdah; there are several.
fn rights_of_threads(howdah: &Howdah) -> Vec<Rights> {
    let threads = fs::read_dir(format!("/proc/{}/task", howdah.pid())).unwrap();
    let read = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).unwrap();
    let all: Vec<_> = threads
        .map(|thread| rights(&read(thread.unwrap())))
        .collect();
    assert!(all.len() > 2, "only {} threads", all.len());
    all
}

/// A folder that the user of the test may read.
fn site_of_nobody() -> Site {
    let site = Site::new();
    chown(site.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    site
}

fn as_nobody(config: &str) -> String {
    format!("[global]\nuser = \"nobody\"\n{config}")
}

/// Nobody's port and nobody's address, so that no other test has them.
fn low(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 81, 7, 3], port))
}

fn listening_on(address: SocketAddr, server: SocketAddr) -> String {
    plain("front", &[server], "").replace("127.0.0.1:0", &address.to_string())
}

#[tokio::test]
async fn a_root_that_names_a_user_keeps_nothing_of_root() {
    if !getuid().is_root() {
        return;
    }
    let server = raw::echo(&Frame::default()).unwrap();
    let config = as_nobody(&plain("front", &[server.address()], ""));
    let howdah = site_of_nobody().start(&config).await;
    exchange(&mut howdah.connect("front").await, "x").await;
    for thread in rights_of_threads(&howdah) {
        assert_eq!(thread.uids, [NOBODY; 4]);
        assert_eq!(thread.gids, [NOBODY; 4]);
        assert_eq!(thread.groups, [NOBODY]);
        assert_eq!(thread.capabilities, [0; 5]);
    }
    let again = howdah.reload(&config).await;
    assert!(again.status.success(), "{again:?}");
    let low = howdah
        .reload(&as_nobody(&listening_on(low(81), server.address())))
        .await;
    let told = String::from_utf8_lossy(&low.stderr).into_owned();
    assert!(!low.status.success() && told.contains("restart"), "{told}");
    exchange(&mut howdah.connect("front").await, "x").await;
}

#[tokio::test]
async fn with_a_low_port_the_right_to_bind_such_is_kept_and_no_other() {
    if !getuid().is_root() {
        return;
    }
    let server = raw::echo(&Frame::default()).unwrap();
    let config = as_nobody(&listening_on(low(82), server.address()));
    let howdah = site_of_nobody().start(&config).await;
    for thread in rights_of_threads(&howdah) {
        assert_eq!(thread.uids, [NOBODY; 4]);
        assert_eq!(thread.capabilities, [0, BINDS_LOW, BINDS_LOW, 0, 0]);
    }
    let moved = as_nobody(&listening_on(low(83), server.address()));
    let moved = howdah.reload(&moved).await;
    assert!(moved.status.success(), "{moved:?}");
    exchange(&mut TcpStream::connect(low(83)).await.unwrap(), "x").await;
}

#[tokio::test]
async fn every_thread_is_locked_unless_told_otherwise() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("front", &[server.address()], "");
    for (confine, seccomp) in [
        ("", 2),
        ("confine = \"landlock\"\n", 0),
        ("confine = \"off\"\n", 0),
    ] {
        let howdah = Howdah::start(&format!("[global]\n{confine}{config}")).await;
        for thread in rights_of_threads(&howdah) {
            assert!(thread.no_new_privileges);
            assert_eq!(thread.seccomp, seccomp, "{confine}");
        }
    }
}

/// A listener with the certificate `cert` and a key of the same name.
fn secure(server: SocketAddr, cert: &Path) -> String {
    let (cert, key) = (cert.with_extension("crt"), cert.with_extension("key"));
    let tls = format!(
        "[listener.tls]\ncertificates = [{{ cert = {cert:?}, key = {key:?} }}]\n[pool.front]"
    );
    plain("front", &[server], "").replace("[pool.front]", &tls)
}

#[tokio::test]
async fn a_file_elsewhere_is_refused_by_the_reload_that_names_it_and_says_why() {
    let elsewhere = TempDir::with_prefix("howdah-elsewhere").unwrap();
    for (confine, refused) in [("auto", true), ("seccomp", false)] {
        let site = Site::new();
        let certificates = Certificates::new(&site);
        certificates.write(&site, "one", &["one.test"]);
        for ending in ["crt", "key"] {
            let name = format!("one.{ending}");
            fs::copy(site.path().join(&name), elsewhere.path().join(&name)).unwrap();
        }
        let server = raw::echo(&Frame::default()).unwrap();
        let global = format!("[global]\nconfine = \"{confine}\"\n");
        let inside = format!("{global}{}", secure(server.address(), Path::new("one")));
        let howdah = site.start(&inside).await;
        let outside = secure(server.address(), &elsewhere.path().join("one"));
        let answer = howdah.reload(&format!("{global}{outside}")).await;
        assert_eq!(!answer.status.success(), refused, "{confine}: {answer:?}");
        if refused {
            let told = String::from_utf8_lossy(&answer.stderr).into_owned();
            assert!(
                told.contains("outside the folders") && told.contains("restart howdah"),
                "{told}"
            );
            let log = elsewhere.path().join("access.log");
            let logged =
                format!("{inside}\n[admin]\nbind = \"127.0.0.1:0\"\n[log]\naccess = {log:?}\n");
            let answer = howdah.reload(&logged).await;
            let told = String::from_utf8_lossy(&answer.stderr).into_owned();
            assert!(told.contains("outside the folders"), "{told}");
        }
        let client = certificates.client();
        let stream = howdah.connect("front").await;
        exchange(&mut client.over(stream, "one.test").await.unwrap(), "x").await;
    }
}

/// As certbot has it: the configuration names a link, and a renewal makes a new file elsewhere and changes the link.
#[tokio::test]
async fn a_certificate_behind_a_link_can_be_renewed() {
    let site = Site::new();
    let archive = TempDir::with_prefix("howdah-archive").unwrap();
    let certificates = Certificates::new(&site);
    let renew = |folder: &Path, number: u32| {
        let minted = certificates
            .authority
            .mint(&["one.test"], howdah::standin::Validity::Long);
        let minted = minted.unwrap();
        for (ending, text) in [("crt", &minted.cert), ("key", &minted.key)] {
            let file = archive.path().join(format!("one{number}.{ending}"));
            fs::write(&file, text).unwrap();
            let link = folder.join(format!("one.{ending}"));
            let _ = fs::remove_file(&link);
            symlink(&file, &link).unwrap();
        }
    };
    renew(site.path(), 1);
    let server = raw::echo(&Frame::default()).unwrap();
    let config = secure(server.address(), Path::new("one"));
    let howdah = site.start(&config).await;
    renew(howdah.dir(), 2);
    let answer = howdah.reload(&config).await;
    assert!(answer.status.success(), "{answer:?}");
    let told = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(told.contains("listener front: tls.certificates"), "{told}");
}

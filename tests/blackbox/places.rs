//! Where control sockets lie when root becomes another user: the next howdah must find this one, and have its place.
//!
//! As root in a mount namespace, whose `/run` is nobody else's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::getuid;

use crate::support::{Frame, Howdah, Site, exchange, plain, raw};

/// A user that every machine has.
const NOBODY: u32 = 65534;

/// A folder that nobody may read, with room for temporary files; `None`: we are not root.
fn site() -> Option<Site> {
    if !getuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return None;
    }
    let site = Site::new();
    chown(site.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let temporary = site.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777)).unwrap();
    Some(site)
}

/// The same command behind another one, with `folder` for temporary files and no folder that a service manager made.
fn before(words: &[&str], folder: &Path, command: &Command) -> Command {
    let mut all = Command::new(words[0]);
    all.args(&words[1..])
        .arg(command.get_program())
        .args(command.get_args());
    all.env_remove("RUNTIME_DIRECTORY")
        .env_remove("XDG_RUNTIME_DIR");
    all.env("TMPDIR", folder.join("tmp"));
    all.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    all
}

/// With a `/run` of its own, made as `mount` says.
fn started(site: Site, config: &str, mount: &str) -> Howdah {
    let folder = site.path().to_owned();
    let script = format!("{mount} && exec \"$@\"");
    site.spawn(config, |command| {
        before(
            &["unshare", "-m", "sh", "-c", &script, "sh"],
            &folder,
            &command,
        )
    })
}

/// One that takes over in the same place.
async fn successor(howdah: &Howdah) -> Howdah {
    let target = howdah.pid().to_string();
    let successor = howdah.takeover_by(|command| {
        let words = ["nsenter", "--target", &target, "--mount", "--"];
        before(&words, howdah.dir(), &command)
    });
    successor.serves().await;
    successor
}

/// It took over, and the next one can take over from it.
fn is_successor(howdah: &Howdah) {
    let log = howdah.log().so_far().join("\n");
    assert!(log.contains("took over: the old howdah drains"), "{log}");
    assert!(!log.contains("no control socket"), "{log}");
}

fn uid(howdah: &Howdah) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", howdah.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.unwrap().split_whitespace().next().unwrap().to_owned()
}

/// `global.user` waits for a start, which may be a takeover.
#[tokio::test]
async fn a_folder_that_root_made_is_the_users_when_howdah_becomes_that_user() {
    let Some(site) = site() else { return };
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("front", &[server.address()], "");
    let root = started(site, &config, "mount -t tmpfs -o mode=755 tmpfs /run");
    root.serves().await;
    assert_eq!(uid(&root), "0");
    root.configure(&format!("[global]\nuser = \"nobody\"\n{config}"));
    let mut all = vec![root];
    for _ in 0..2 {
        let next = successor(all.last().unwrap()).await;
        is_successor(&next);
        assert_eq!(uid(&next), NOBODY.to_string());
        exchange(&mut next.connect("front").await, "served").await;
        all.push(next);
    }
}

#[tokio::test]
async fn a_folder_of_roots_that_was_there_before_is_the_users_too() {
    let Some(site) = site() else { return };
    let server = raw::echo(&Frame::default()).unwrap();
    let config = format!(
        "[global]\nuser = \"nobody\"\n{}",
        plain("front", &[server.address()], "")
    );
    let mount = "mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/howdah";
    let old = started(site, &config, mount);
    old.serves().await;
    is_successor(&successor(&old).await);
}

#[tokio::test]
async fn where_only_temporary_files_can_be_made_the_user_has_a_folder_there() {
    let Some(site) = site() else { return };
    let server = raw::echo(&Frame::default()).unwrap();
    let config = format!(
        "[global]\nuser = \"nobody\"\n{}",
        plain("front", &[server.address()], "")
    );
    let old = started(site, &config, "mount -t tmpfs -o ro tmpfs /run");
    old.serves().await;
    let next = successor(&old).await;
    is_successor(&next);
    is_successor(&successor(&next).await);
}

/// Both would accept, and none would drain.
#[tokio::test]
async fn who_cannot_have_the_place_does_not_take_over() {
    if !getuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("front", &[server.address()], "");
    let howdah = Howdah::start(&config).await;
    howdah.serves().await;
    howdah.configure(&format!("[global]\nuser = \"nobody\"\n{config}"));
    // The service manager made a folder for root, and for nobody else.
    let mut failing = howdah.takeover();
    assert_eq!(failing.exit().await.code(), Some(1));
    let log = String::from_utf8(failing.log().all_of_it().await).unwrap();
    assert!(log.contains("no control socket can be made"), "{log}");
    exchange(&mut howdah.connect("front").await, "as before").await;
    howdah.configure(&config);
    let next = howdah.successor().await;
    is_successor(&next);
}

//! Which files this process will ever need, as rules of Landlock: few to read, fewer to write, none to run.
//!
//! Rules hang on folders, not on files: a new certificate is renamed into the place of the old one, a log is rotated, and
//! `resolv.conf` is written anew by whoever joins a network. For the same reason `/etc` is readable as a whole. Sockets are
//! left alone: where a later configuration listens, and whom it connects to, nobody knows yet.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use super::lock::Lock;
use crate::base::reach::{Reach, confined_to, real};
use crate::plan::Plan;

/// Restricts this thread, and those it will start, to `reach`.
pub(super) fn lock(reach: Reach) -> Lock {
    let lock = match restrict(&reach) {
        Ok(RulesetStatus::FullyEnforced) => Lock::On,
        Ok(RulesetStatus::PartiallyEnforced) => Lock::Partly,
        Ok(RulesetStatus::NotEnforced) => {
            let reason =
                "this kernel has no Landlock (Linux 5.13 brought it), or was started without it";
            return Lock::NotToBeHad(reason.into());
        }
        Err(error) => return Lock::NotToBeHad(error.to_string()),
    };
    confined_to(reach);
    lock
}

fn restrict(reach: &Reach) -> Result<RulesetStatus, RulesetError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    // Logs and sockets are made, and what a former howdah left is taken away.
    let write =
        read | make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | MakeSock | RemoveFile});
    let devices: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile});
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(path_beneath_rules(&reach.read, read))?
        .add_rules(path_beneath_rules(&reach.write, write))?
        .add_rules(path_beneath_rules(DEVICES, devices))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// What `plan` needs for as long as it runs, reloads included; `control` is the folder of the control socket.
pub(super) fn reach(
    plan: &Plan,
    config: &Path,
    files: &[PathBuf],
    control: Option<&Path>,
) -> Reach {
    let mut reach = Reach::default();
    for file in files.iter().map(PathBuf::as_path).chain([config]) {
        // Where the name stands, and where links lead: certbot and Kubernetes change the link.
        add(
            &mut reach.read,
            around(&std::path::absolute(file).unwrap_or_else(|_| file.into())),
        );
        add(&mut reach.read, around(&real(file)));
    }
    for path in written(plan) {
        add(&mut reach.write, around(&real(path)));
    }
    if let Some(folder) = control {
        add(&mut reach.write, real(folder));
    }
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(std::env::var_os);
    let named = named.into_iter().flatten().map(PathBuf::from);
    // For the names of functions, should it come to a backtrace.
    let own = std::env::current_exe().ok();
    // `resolv.conf` may be a link to where another program writes it.
    let resolver = around(&real(Path::new("/etc/resolv.conf")));
    let system = SYSTEM.iter().map(PathBuf::from);
    for path in system.chain(named).chain(own).chain([resolver]) {
        add(&mut reach.read, real(&path));
    }
    reach
}

/// Files that this user may not read, or write, whatever Landlock says.
pub(super) fn out_of_reach(plan: &Plan, config: &Path, files: &[PathBuf]) -> Vec<PathBuf> {
    let denied = |result: io::Result<File>| {
        result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let reads = files.iter().map(PathBuf::as_path).chain([config]);
    let unread = reads.filter(|path| denied(File::open(path)));
    // Without making it: that is for the log to do.
    let append = |path: &Path| OpenOptions::new().append(true).open(path);
    let unwritten = written(plan).filter(|path| path.is_file() && denied(append(path)));
    unread.chain(unwritten).map(Path::to_owned).collect()
}

fn written(plan: &Plan) -> impl Iterator<Item = &Path> {
    let logs = [&plan.log.target, &plan.log.access].into_iter().flatten();
    let logs = logs.filter_map(|target| target.file().map(PathBuf::as_path));
    let socket = plan.admin.socket.as_ref();
    logs.chain(socket.map(|socket| socket.path.as_path()))
        .chain(plan.history.file.as_deref())
        .chain(plan.state.file.as_deref())
}

/// The folder of a file; the file itself where its folder holds far more than is ours.
fn around(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !SHARED.iter().any(|shared| folder == Path::new(shared)) => folder.into(),
        _ => path.into(),
    }
}

fn add(paths: &mut Vec<PathBuf>, path: PathBuf) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}

/// Of a file there, the file alone is allowed.
const SHARED: [&str; 3] = ["/", "/dev", "/proc/self/fd"];
/// What the C library reads to look up names (which may load a module), where the system keeps its CA certificates, and
/// what the process reads of itself and of its share of the machine. `/proc` as a whole, as its files come and go; those
/// of others that are secret are closed to a process under Landlock, which may trace nobody outside.
const SYSTEM: [&str; 17] = [
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys/fs/cgroup",
    "/sys/devices/system",
    "/sys/kernel/mm",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/var/lib/ca-certificates",
    "/var/lib/sss/pubconf",
    "/var/lib/sss/mc",
];
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_shared_folder_the_file_alone_is_allowed() {
        for (path, allowed) in [
            ("/etc/howdah/howdah.toml", "/etc/howdah"),
            ("/howdah.toml", "/howdah.toml"),
            ("/dev/stdout", "/dev/stdout"),
            ("/", "/"),
        ] {
            assert_eq!(around(Path::new(path)), Path::new(allowed));
        }
    }
}

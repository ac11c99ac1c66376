//! Which system calls this process will ever make, as filters of seccomp.
//!
//! Two filters, as one has two answers only. A call that no part of howdah, and none of the C library's, ends in (to run
//! a program, to trace another, to mount, to load a module) is the work of an intruder: the kernel kills the process and
//! notes the call in the audit log. Any other call that is not listed is answered with ENOSYS, "not implemented": the C
//! library then does as on an older kernel, and a call that is new to it does not end a load balancer.
//!
//! What a session does often is allowed whatever its arguments are: since Linux 5.11 the kernel remembers such calls in a
//! bitmap and runs no filter for them (docs/adr/0018-locked-in-before-the-first-thread.md).

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;
use std::process;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use super::lock::Lock;

/// Numbers of calls, each with the rules of which one must hold; none: in any case.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts all threads, those to come included. `packets`: whether whole packets may be sent, to announce an address.
pub(super) fn lock(packets: bool) -> Lock {
    match forbid().and_then(|()| restrict(packets)) {
        Ok(()) => Lock::On,
        Err(error) => Lock::NotToBeHad(error.to_string()),
    }
}

/// Whether the kernel slows down whatever is under seccomp. The file says "Mitigation: Speculative Store Bypass
/// disabled via prctl and seccomp" where it does.
pub(super) fn cost_much() -> bool {
    let text = fs::read_to_string("/sys/devices/system/cpu/vulnerabilities/spec_store_bypass");
    text.is_ok_and(|text| text.contains("seccomp"))
}

fn forbid() -> Result<(), Error> {
    let rules = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    apply(rules, SeccompAction::Allow, SeccompAction::KillProcess)
}

fn restrict(packets: bool) -> Result<(), Error> {
    let mut rules: Rules = (ALLOWED.iter().chain(OLD))
        .chain(if process::id() == 1 { FIRST } else { &[] })
        .map(|call| (*call, Vec::new()))
        .collect();
    // A thread, not a process. clone3 has its flags in memory, where no filter can look: the C library falls back.
    let thread = flags(libc::CLONE_THREAD)?;
    rules.insert(libc::SYS_clone, vec![thread]);
    let mut families = FAMILIES.to_vec();
    families.extend(packets.then_some(libc::AF_PACKET as u64));
    rules.insert(libc::SYS_socket, any_of(0, &families)?);
    rules.insert(libc::SYS_ioctl, any_of(1, &REQUESTS)?);
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    apply(rules, missing, SeccompAction::Allow)
}

fn apply(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<(), Error> {
    let filter = SeccompFilter::new(rules, otherwise, matched, ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter_all_threads(&program)
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    let rule = |value: &u64| {
        let equal =
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value)?;
        Ok(SeccompRule::new(vec![equal])?)
    };
    values.iter().map(rule).collect()
}

/// The first argument has all of `wanted`.
fn flags(wanted: i32) -> Result<SeccompRule, Error> {
    let wanted = u64::from(wanted.unsigned_abs());
    let has = SeccompCmpOp::MaskedEq(wanted);
    let has = SeccompCondition::new(0, SeccompCmpArgLen::Dword, has, wanted)?;
    Ok(SeccompRule::new(vec![has])?)
}

/// Of sockets: those of listeners and servers, a pair between threads, and the C library's question which addresses
/// this machine has.
const FAMILIES: [u64; 4] = [
    libc::AF_INET as u64,
    libc::AF_INET6 as u64,
    libc::AF_UNIX as u64,
    libc::AF_NETLINK as u64,
];

/// Of ioctl: whether a descriptor blocks, what waits in it, whether it is a terminal and how wide, names of interfaces.
const REQUESTS: [u64; 10] = [
    libc::FIONBIO,
    libc::FIONREAD,
    libc::FIOCLEX,
    libc::FIONCLEX,
    libc::TCGETS,
    libc::TCGETS2,
    libc::TIOCGWINSZ,
    libc::TIOCOUTQ,
    libc::SIOCGIFNAME,
    libc::SIOCGIFINDEX,
];

/// Nothing innocent ends here.
const FORBIDDEN: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
];

/// Measured under strace through every black-box test, and what the C library, the standard library and tokio do
/// instead, or on other machines.
const ALLOWED: &[i64] = &[
    // Bytes.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    // Sockets.
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_restart_syscall,
    // Descriptors.
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_pipe2,
    // Files, of which Landlock says which.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_umask,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_get_mempolicy,
    // Threads and signals.
    libc::SYS_gettid,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    // The admin server's thread lowers its own.
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_getcpu,
    libc::SYS_prctl,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // The clock, chance, and who we are.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_prlimit64,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
];

/// Process 1 of a container ends when the last of it has, and takes in whoever has lost its parent.
const FIRST: &[i64] = &[libc::SYS_wait4, libc::SYS_waitid];

/// Forms of the same that newer architectures no longer have.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_getdents,
    libc::SYS_getrlimit,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{TcpListener, TcpStream, ToSocketAddrs};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, ExitStatus, Output};

    use rustix::net::{AddressFamily, SocketType, socket};

    use super::super::files;
    use super::*;
    use crate::base::reach::Reach;

    const WISH: &str = "HOWDAH_TEST_LOCKED";

    /// Runs this very test in a process of its own, which locks itself and then does what `wish` says.
    fn locked(wish: &str) -> Output {
        let own = std::env::current_exe().unwrap();
        let name = "confine::calls::tests::a_process_of_its_own";
        let mut command = Command::new(own);
        let command = command
            .args(["--exact", name, "--nocapture"])
            .env(WISH, wish);
        command.output().unwrap()
    }

    /// Does nothing of its own; see [`locked`].
    #[test]
    fn a_process_of_its_own() {
        let Ok(wish) = std::env::var(WISH) else {
            return;
        };
        assert!(matches!(lock(false), Lock::On), "{}", lock(false));
        let missing = |error: &io::Error| error.raw_os_error() == Some(libc::ENOSYS);
        match wish.as_str() {
            "exec" => panic!("{}", Command::new("/bin/true").exec()),
            "child" => {
                let error = Command::new("/bin/true").status().unwrap_err();
                assert!(missing(&error), "{error}");
            }
            "packets" => {
                let packets = AddressFamily::PACKET;
                let error = socket(packets, SocketType::RAW, None).unwrap_err();
                assert!(missing(&error.into()), "{error}");
            }
            "work" => work(),
            // As in a container that forbids both: neither is a reason to stop.
            "again" => {
                let files = files::lock(Reach::default());
                assert!(matches!(files, Lock::NotToBeHad(_)), "{files}");
                assert!(
                    matches!(lock(false), Lock::NotToBeHad(_)),
                    "{}",
                    lock(false)
                );
                work();
            }
            other => panic!("{other}?"),
        }
    }

    /// What howdah does all day, and a panic, which ends a thread and not the process.
    fn work() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || TcpStream::connect(address).unwrap());
        listener.accept().unwrap();
        client.join().unwrap();
        assert!(
            ("localhost", 80)
                .to_socket_addrs()
                .unwrap()
                .next()
                .is_some()
        );
        assert!(std::thread::spawn(|| panic!("on purpose")).join().is_err());
    }

    fn ended(status: ExitStatus) -> (Option<i32>, Option<i32>) {
        (status.code(), status.signal())
    }

    #[test]
    fn who_runs_a_program_is_killed() {
        let output = locked("exec");
        let bad_system_call = libc::SIGSYS;
        assert_eq!(
            ended(output.status),
            (None, Some(bad_system_call)),
            "{output:?}"
        );
    }

    #[test]
    fn no_process_is_born_and_no_packet_is_forged() {
        for wish in ["child", "packets"] {
            let output = locked(wish);
            assert_eq!(ended(output.status), (Some(0), None), "{wish}: {output:?}");
        }
    }

    #[test]
    fn work_goes_on_also_where_no_lock_is_to_be_had() {
        for wish in ["work", "again"] {
            let output = locked(wish);
            assert_eq!(ended(output.status), (Some(0), None), "{wish}: {output:?}");
        }
    }

    #[test]
    fn what_a_session_does_is_allowed_whatever_its_arguments() {
        let often = [
            libc::SYS_accept4,
            libc::SYS_bind,
            libc::SYS_close,
            libc::SYS_connect,
            libc::SYS_epoll_ctl,
            libc::SYS_epoll_pwait,
            libc::SYS_getsockopt,
            libc::SYS_recvfrom,
            libc::SYS_sendmsg,
            libc::SYS_sendto,
            libc::SYS_setsockopt,
            libc::SYS_shutdown,
            libc::SYS_splice,
            libc::SYS_write,
        ];
        let unlisted: Vec<_> = often
            .iter()
            .filter(|call| !ALLOWED.contains(call))
            .collect();
        assert!(unlisted.is_empty(), "{unlisted:?}");
    }
}

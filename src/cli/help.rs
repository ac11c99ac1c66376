//! What stands below the options of each `--help`: examples, what to know, exit codes, and what to type next.
//!
//! All of it is in one place, so that every command says the same things in the same order and the same words. `-h`, `--help`
//! and the pages of `howdah man` show it. Lines that somebody may copy fit into 80 columns.

pub(super) const HOWDAH: &str = "\
Begin:
  howdah demo                              see it all without a cluster
  howdah probe hiveserver2 HOST:PORT       ask a server of yours
  howdah check --config howdah.toml        judge a file, and then:
  howdah run --config howdah.toml          serve
  howdah status                            look at the howdah that runs

Each command has --help, with examples. TIME is written like 500ms, 90s, 30m, 12h or 7d; POOL/SERVER as `howdah status` shows it.
Commands that ask a running howdah find it by --admin, else HOWDAH_ADMIN; their token is in --token-file, else HOWDAH_TOKEN.

Exit codes: 0 done, 1 failed, 2 usage, 78 faulty configuration; `howdah probe`: 0 up, 3 alive, 4 down.
The book: docs/README.md; /usr/share/doc/howdah/docs where a package installed howdah.";

pub(super) const RUN: &str = "\
Examples:
  howdah check --config conf/hive.toml --connect
  howdah run --config conf/hive.toml
  howdah run --takeover --config conf/hive.toml

With --takeover the howdah that runs with this file hands its sockets over and drains; no session notices. Where none runs it starts as \
without, and where it fails the old one goes on. `howdah upgrade` does that in the background.

Signals: HUP reads the file again, as `howdah reload` does. TERM and INT (Ctrl-C) take no new sessions and wait for the present ones, at \
most global.drain_timeout; a second one stops at once. USR1 opens log files anew.

Exit codes: 0 stopped as told, 1 failed (a port is taken, say), 2 usage, 78 faulty configuration.";

pub(super) const UPGRADE: &str = "\
Examples:
  howdah upgrade
  howdah upgrade --force --config conf/hive.toml

No connection is refused or cut: the sockets are handed over, and the old howdah lives until its last session has ended, at most \
global.drain_timeout; `howdah status` shows what it has left. Where the new one fails the old one goes on.

Exit codes: 0 the new one serves, or runs already, 1 failed, 2 usage, 78 faulty configuration.";

pub(super) const CHECK: &str = "\
Examples:
  howdah check --config conf/hive.toml
  howdah check --config conf/hive.toml --connect

Nothing is started or changed; a running howdah takes the file by `howdah reload`.

Exit codes: 0 the file can be used (warnings may be shown), 2 usage, 78 it cannot. With --connect 1 when a server is not as it should be: \
up, or standing by where its pool wants the active one.";

pub(super) const DEMO: &str = "\
Example: howdah demo --every 1m

It listens on 127.0.0.1 alone: HiveServer2 on port 10000, Impala on 21050, Hue on 8888, and the page and the API on 9600. \
A port that is taken is told, with the one that is used instead. Ctrl-C ends it all, and leaves nothing behind.

Then open http://127.0.0.1:9600, or in another terminal:
  howdah status
  howdah drain hive/hs2-1 --wait
  howdah ready hive/hs2-1

Exit codes: 0 ended as told, 1 failed, 2 usage.";

pub(super) const PROBE: &str = "\
Examples:
  howdah probe hive/hs2-1.example.com --config conf/hive.toml
  howdah probe hiveserver2 hs2-1.example.com:10000
  howdah probe hiveserver2 hs2-1 --depth query --user me --password-file pw
  howdah probe hiveserver2 hs2-1:10000 --ca ca.crt
  howdah probe hiveserver2 hs2-1:10001 --transport http
  howdah probe hiveserver2 hs2-1 --keytab howdah.keytab --principal howdah@REALM
  howdah probe impala impalad-1:25000
  howdah probe postgresql db-1:5432 --user me --password-file pw --max-lag 30s
  howdah probe http://hue-1:8888/desktop/debug/is_alive
  howdah probe http hue-1:8888 --path /desktop/login --expect-status 200

No running howdah is asked, and none is needed.

Exit codes: 0 up, 1 failed (a file that cannot be read, say), 2 usage, 3 alive (answers, but must not get new sessions), 4 down.";

pub(super) const STATUS: &str = "\
Examples:
  howdah status --watch --pool hive
  howdah status --admin http://lb-1.example.com:9600

It is as wide as the terminal, and a hundred columns (or COLUMNS) where it is written to a file or a pipe; long names \
lose their middle then, which --json does not do.

Exit codes: 0 howdah answers, whatever it says of its servers; 1 failed: nobody answers, or there is no such pool; 2 usage.
Whether it can serve, /readyz at the admin address tells programs.";

pub(super) const EXPLAIN: &str = "\
Examples:
  howdah explain --listener hive --client 10.1.2.3
  howdah explain --listener tenants --client 10.1.2.3 --sni sales.example.com
  howdah explain --listener hive --client 10.1.2.3 --config new.toml

To ask changes nothing.

Exit codes: 0 the question has an answer, also where the client is refused; 1 failed: there is no such listener, or nobody to ask; \
2 usage; 78 the file is faulty.";

pub(super) const DOCTOR: &str = "\
Examples:
  howdah doctor
  howdah doctor --config /etc/howdah/howdah.toml

To look changes nothing. docs/operating/doctor.md explains each code.

Exit codes: 0 nothing is found, or notes alone; 1 a warning or an error, or nobody to ask; 2 usage; 78 the file is faulty.";

pub(super) const AVAILABILITY: &str = "\
Examples:
  howdah availability
  howdah availability --pool hive --window 7d

AVAILABLE is the share of the time in which a server could take sessions, SESSIONS the share of sessions that got one. PLANNED is time \
without servers by order, UNWATCHED time without a howdah that looked. BUDGET LEFT is what `slo` still allows.

Exit codes: 0 done, 1 failed: nobody answers, or there is no such pool or listener; 2 usage.";

pub(super) const DRAIN: &str = "\
Examples:
  howdah drain hive/hs2-1.example.com:10000 --wait
  howdah drain hive/hs2-1.example.com:10000 --timeout 30m

Clients see nothing of it: sessions that are open go on, new ones go to other servers. Ctrl-C ends the waiting, not the drain.
Back to work: howdah ready POOL/SERVER

Exit codes: 0 done (with --wait: the server is empty); 1 failed: nobody answers, there is no such server, the right is missing, or \
somebody put the server back meanwhile; 2 usage.";

pub(super) const MAINTENANCE: &str = "\
Example: howdah maintenance hive/hs2-1.example.com:10000

Sessions that are open go on, new ones go to other servers: as after a drain, but whoever looks reads that somebody works there.
Back to work: howdah ready POOL/SERVER

Exit codes: 0 done; 1 failed: nobody answers, there is no such server, or the right is missing; 2 usage.";

pub(super) const READY: &str = "\
Example: howdah ready hive/hs2-1.example.com:10000

It takes back `drain` and `maintenance`. The server gets sessions as soon as its probes find it up; what it is now is said.

Exit codes: 0 done; 1 failed: nobody answers, there is no such server, or the right is missing; 2 usage.";

pub(super) const WEIGHT: &str = "\
Example: howdah weight hive/hs2-1.example.com:10000 3

A server of weight 3 gets three times the sessions of one of weight 1. It holds until the file names another weight. To give a server \
nothing, drain it.

Exit codes: 0 done; 1 failed: nobody answers, there is no such server, or the right is missing; 2 usage.";

pub(super) const SESSIONS: &str = "\
Examples:
  howdah sessions --pool hive --idle 1h
  howdah sessions --ended --client 10.1.2.3
  howdah sessions --server hive/hs2-1.example.com:10000 --idle 4h --end

SENT are bytes from the client, GOT bytes from the server, K and M in steps of 1024. --end asks once before it ends what it lists; \
without a terminal it wants --yes. What ends its sessions in peace is `howdah drain`.

Exit codes: 0 done, also when no session fits; 1 failed: nobody answers, what is named is not there, or the right is missing; 2 usage.";

pub(super) const TOP: &str = "\
Examples:
  howdah top
  howdah top --filter down --admin http://lb-1.example.com:9600

Keys: arrows and Enter look closer, Esc goes back, / filters, s sorts; d drains, r puts back, m is maintenance, w a weight, x ends a session, \
each asked once; ? shows all keys, q leaves. It wants a terminal, best of 80 by 24; NO_COLOR=1 leaves colours away.

Exit codes: 0 left, 1 failed: nobody answers; 2 usage, or no terminal.";

pub(super) const RELOAD: &str = "\
Examples:
  howdah reload --dry-run
  howdah reload

Sessions go on, also on servers that leave the file, for at most global.drain_timeout. A faulty file changes nothing, and every fault is \
shown. The file is the one that `howdah run` was started with.

Exit codes: 0 done, 1 failed: nobody answers, or the right is missing; 2 usage; 78 the file is faulty.";

pub(super) const EVENTS: &str = "\
Examples:
  howdah events --since 1h --pool hive
  howdah events --follow --severity warning
  howdah events --json --since 1d > post-mortem.jsonl

Exit codes: 0 done, also when no event fits; 1 failed: nobody answers, or there is no such pool, server or listener; 2 usage.";

pub(super) const SCHEMA: &str = "\
Example: howdah schema > /etc/howdah/howdah.schema.json

A first line \"#:schema ./howdah.schema.json\" in the configuration lets editors with a TOML language server complete and check it.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  howdah completions bash > /usr/share/bash-completion/completions/howdah
  howdah completions zsh > /usr/local/share/zsh/site-functions/_howdah
  howdah completions fish > ~/.config/fish/completions/howdah.fish

A shell that is started after that completes commands, options and their values.";

pub(super) const MAN: &str = "\
Example: howdah man --out /usr/local/share/man/man1

Then `man howdah` and `man howdah-drain` show them; so does `man DIR/howdah.1`, wherever they are.

Exit codes: 0 done, 1 failed: the folder cannot be written; 2 usage.";

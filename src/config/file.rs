//! The tables of the file, one struct each; their doc comments are the manual that `docs/configuration.md` prints.
//!
//! Nothing here is judged beyond its own value: what belongs together, and what the defaults of a service are, is the
//! matter of `lower`.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value as Schema, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::choices::{Auth, StickyBy, Transport, Via, WantedRole};
use super::cx::{Cx, kind_of};
use super::expressions::{Expression, Hex, Scalar};
use super::field::{Field, Spot, Value};
use super::named::Named;
use super::services::ProbeType;
use super::shorthand;
use super::source::Span;
use super::suggest;
use super::tables::{Key, Table, bare, in_order, schema_of, tables};
use super::words::{FilePath, List, Many, Whole, Word};
use crate::plan::{
    AlertTemplate, AnswerEnd, Balance, ClientAuth, ClusterMode, Confine, CpuAffinity, Depth, Dial,
    Facility, Goal, Kind, LoadSource, LogFormat, LogLevel, Observe, OnDown, OnRefuse, OnRoleLost,
    Protocol, ProxyVersion, RelayWay, Service, Severity, Sni, TlsVersion,
};

tables! {
    /// The file as a whole.
    File "" file {
        /// Process-wide limits.
        global: Global = "its keys' defaults",
        /// Dashboard, API and metrics.
        admin: Admin = "its keys' defaults",
        /// What is logged.
        log: Log = "its keys' defaults",
        /// Where the history of availability and events is kept.
        history: History = "its keys' defaults",
        /// Other howdahs that are one with this: they share orders, weights, and what they know.
        cluster: Cluster = "alone",
        /// What outlives a restart: sticky clients, orders, verdicts.
        state: State = "nothing is kept",
        /// Where clients connect; at least one.
        listener: List<Listener> = "required",
        /// Servers, by the name of their pool; at least one.
        pool: Pools = "required",
        /// Addresses that this machine shares with others, by their name.
        vip: Vips = "none",
        /// Whom to tell of what happens.
        alert: List<Alert> = "nobody",
    }

    /// Limits of the process as a whole.
    Global "[global]" global {
        /// Worker threads, each with its own listening sockets. A change needs a restart.
        workers: Whole<1, 1024> = "one per core",
        /// Sessions at once over all listeners; more are refused.
        max_connections: Whole<1, 10_000_000> = "20000",
        /// New sessions per second over all listeners, a burst of one second's worth included; more are refused.
        max_per_second: Whole<1, 10_000_000> = "no bound",
        /// How long a stop, or a removed server, waits for its sessions.
        drain_timeout: Duration = "\"30m\"",
        /// How long a stop waits between the 503 of `/readyz` and closing its listeners, for whatever stands in front to
        /// move away.
        shutdown_delay: Duration = "none: listeners close at once",
        /// How bytes move between two sockets: small messages by copy and bulk by splice, or all in one way. A change
        /// needs a restart.
        relay: RelayWay = "\"auto\"",
        /// Whether each worker keeps to a processor of its own, where there are as many workers as processors. `none`
        /// leaves that to the kernel. A change needs a restart.
        cpu_affinity: CpuAffinity = "\"auto\"",
        /// A user of this machine, who howdah becomes when it was started as root: with that user's groups, and of root's
        /// rights none but to bind ports below 1024, where a listener has one. A change needs a restart.
        user: String = "who started it",
        /// Locks that howdah puts on itself: `landlock` for files, `seccomp` for system calls, both, or none with `off`.
        /// A change needs a restart.
        confine: Confine = "\"auto\"",
    }

    /// The address of the dashboard `/`, the API `/api/v1`, `/metrics`, `/healthz` and `/readyz`.
    Admin "[admin]" admin {
        /// Port 0 takes a free one, which the log announces. A change needs a restart.
        bind: SocketAddr = "\"127.0.0.1:9600\"",
        /// A second address, on this machine alone: whoever may write to this socket may look and command. A change needs
        /// a restart.
        socket: String = "none",
        /// The rights of the socket, octal.
        socket_mode: String = "\"0660\"",
        /// The group of the socket.
        socket_group: String = "the group that howdah runs as",
        /// A file whose content every command must show. Required as soon as `bind` is not loopback.
        token_file: FilePath = "no token",
        /// A file whose content opens status, metrics and the page, and no command. When given, nobody else may look but
        /// those who may command.
        reader_token_file: FilePath = "everyone may look",
        /// TLS on `bind`.
        tls: AdminTls = "plain HTTP",
    }

    /// The certificate of the admin address. New files are taken by a reload.
    AdminTls "[admin.tls]" admin_tls {
        /// PEM file, the server's own certificate first.
        cert: FilePath = "required",
        /// PEM file of the private key, not encrypted.
        key: FilePath = "required",
    }

    /// What is written, and where to.
    Log "[log]" log {
        /// How much: `error` howdah cannot do its duty, `warn` it does but someone should look, `info` lifecycle and
        /// changes of health, `debug` each stage of each session, `trace` everything.
        level: LogLevel = "\"info\"",
        /// One JSON object a line for programs, text for people. A change needs a restart.
        format: LogFormat = "\"json\"",
        /// What howdah says of itself: `stderr`, `stdout`, `syslog` (or `syslog:///SOCKET`, `syslog://HOST:PORT` over UDP),
        /// `journald`, or a file's path, which is opened again on SIGUSR1 and on a reload. A change needs a restart.
        target: String = "\"stderr\"; `journald` where systemd leads that to its journal",
        /// The line of each session, in the same way, or `off`.
        access: String = "\"stdout\"; `journald` where systemd leads that to its journal",
        /// A line also when a session over TCP has its server, with `"event": "start"`.
        access_start: bool = "false",
        /// A line also for each session over TCP that lasts, so often, with `"event": "lasting"`; a few seconds late.
        access_every: Duration = "never",
        /// What syslog sorts by.
        facility: Facility = "\"daemon\"",
    }

    /// A webhook that is told of what happens, one `[[alert]]` each: few messages, and each says how things are when it is sent
    /// (docs/operating/alerts.md).
    Alert "[[alert]]" alert {
        /// Unique; in the log and the metrics.
        name: String = "required",
        /// `"https://HOST/PATH"` or `"http://HOST:PORT/PATH"`, which takes messages by POST.
        url: String = "required without `url_file`",
        /// A file with the URL, where the URL is a secret, as those of chat services are.
        url_file: FilePath = "none",
        /// A file with a token, shown as `Authorization: Bearer`.
        token_file: FilePath = "none",
        /// TLS of an `https://` URL.
        tls: ConnectTls = "the system's store",
        /// What a message looks like: everything for programs, or as a chat wants it.
        template: AlertTemplate = "\"json\"",
        /// A template of yours, in which `{title}`, `{text}`, `{status}`, `{severity}`, `{alert}`, `{howdah}`, `{at}`, `{open}` and
        /// `{more}` are filled in.
        template_file: FilePath = "none",
        /// What `template_file` is; where it says JSON, what is filled in is escaped as in JSON.
        content_type: String = "\"application/json\"",
        /// What matters less is not told.
        severity: Severity = "\"warning\"",
        /// Only these kinds of events.
        on: Many<Kind> = "all kinds",
        /// Only what happens in these pools.
        pools: Many<String> = "whatever happens",
        /// After the first event of a pool and kind, for others to join its message.
        group_wait: Duration = "\"10s\"",
        /// Between two messages on one pool and kind.
        group_interval: Duration = "\"1m\"",
        /// A trouble that lasts is told again after so long.
        repeat: Duration = "told once",
        /// At most so many messages; what comes meanwhile is told with the next one.
        max_per_minute: Whole<1, 60> = "6",
        /// Whether it is told that a trouble is over.
        resolve: bool = "true",
        /// For one attempt. One that fails is made again, after a second at first and a minute at last.
        timeout: Duration = "\"5s\"",
    }

    /// What is remembered across restarts: availability by the hour, day and month, outages, events, the time lines of the last hour.
    History "[history]" history {
        /// A file that howdah makes and keeps, some 20 MB a year; without it the history is in memory and begins with each
        /// start. What cannot be used is set aside. A change needs a restart.
        file: FilePath = "none: in memory",
        /// How often it is written; a howdah that is killed loses no more. A change needs a restart.
        flush: Duration = "\"30s\"",
    }

    /// Howdahs that front the same pools: an order given to one is obeyed by all, and each sees what the others see. A change
    /// needs a restart.
    Cluster "[cluster]" cluster {
        /// Of this howdah, unique among them.
        name: String = "required",
        /// `"HOST"` or `"HOST:PORT"` each: the ZooKeeper ensemble that keeps what is shared. Port 2181.
        zookeeper: Many<String> = "none: nothing is shared",
        /// The node that it is kept below; the same for all that belong together, and made where it is missing.
        path: String = "\"/howdah\"",
        /// Who listens: all of them, or the one that leads while the others stand by.
        mode: ClusterMode = "\"active-active\"",
        /// How long the ensemble waits for a howdah that it does not hear; one that leads gives up after two thirds of it. From
        /// 1s to 60s.
        session_timeout: Duration = "\"6s\"",
        /// Whether a virtual address is put on only by the howdah that holds its latch in ZooKeeper: of two that cannot see
        /// each other one keeps it. Without the ensemble nobody has it then.
        fence_vips: bool = "false",
        /// The user of a login by scheme `digest`; what is made then belongs to it alone.
        username: String = "no login",
        /// That user's password is in this file.
        password_file: FilePath = "no login",
        /// Speak TLS with the ensemble.
        tls: ConnectTls = "plain TCP",
        /// Share sticky entries.
        peers: Peers = "not shared",
    }

    /// Sticky entries are shared with other howdahs, and with HAProxy, by HAProxy's peers protocol 2.1: the table of a pool has the
    /// pool's name, and servers are known by theirs. Needs nothing of `[cluster]` but `name`. Taken by a reload.
    Peers "[cluster.peers]" cluster_peers {
        /// Where peers connect to; the port that HAProxy's `peers` sections name for this howdah.
        bind: SocketAddr = "required",
        /// The others, each by the name that it has among its peers (`cluster.name`, or HAProxy's `localpeer`): `"HOST"` or
        /// `"HOST:PORT"`. Port 1024.
        peers: Named = "required",
        /// TLS with all of them: what is shown to them, PEM, the own certificate first. The hosts in `peers` must be among the
        /// names of their certificates.
        cert: FilePath = "plain TCP",
        /// PEM file of the private key, not encrypted.
        key: FilePath = "required with `cert`",
        /// Who signs the certificates of peers; a peer with another certificate, or with none, is refused.
        client_ca: FilePath = "required with `cert`",
        /// Tables that have another name than their pool, as in `{ hive = "be_hive" }`.
        tables: Named = "the names of the pools",
    }

    /// Addresses that several machines share and one of them holds, by VRRP version 3, with other howdahs or with keepalived
    /// (docs/operating/pair.md).
    Vip "[vip.NAME]" outer {
        /// `"192.0.2.10/24"`, one or a list; all of IPv4, or all of IPv6. Without a network the address alone.
        addresses: Many<String> = "required",
        /// The interface that they are put on.
        interface: String = "required",
        /// What the machines that share them have in common, and no others on this network.
        router_id: Whole<1, 255> = "required",
        /// The machine with the highest holds the addresses.
        priority: Whole<1, 254> = "100",
        /// Between two advertisements, in hundredths of a second: others take over after three of them and a little more.
        advert_interval: Duration = "\"1s\"",
        /// Listeners: while one is not ready, this machine gives the addresses up and wants them last.
        track: Many<String> = "none",
        /// Whether the addresses are taken from a machine of lower priority that works.
        preempt: bool = "true",
        /// How long such a machine is let be first.
        preempt_delay: Duration = "\"0s\"",
        /// Addresses or names of the other machines, where the network carries no multicast, or too far.
        unicast_peers: Many<String> = "everybody on the network, by multicast",
    }

    /// What outlives a restart: sticky clients, orders and weights given at run time, the last verdicts. Read at a start.
    State "[state]" state {
        /// A file that howdah makes and keeps, at most 64 MiB. What cannot be read is set aside, howdah starts without it. Taken
        /// by a reload, which writes there at once.
        file: FilePath = "none: nothing is kept",
    }

    /// An accepting address, or several that behave alike; one `[[listener]]` each.
    Listener "[[listener]]" listener {
        /// Unique; in the log, the metrics and the API.
        name: String = "required",
        /// An address with a port, or a list of them.
        bind: Many<SocketAddr> = "required",
        /// What is spoken there: `tcp`, `udp`, or a list of both. Over UDP a client's address and port are a session.
        protocol: Many<Protocol> = "\"tcp\"",
        /// The pool that serves, or that serves where no route matches; without it such clients are refused.
        pool: String = "none: then at least one route",
        /// Sessions at once; more are refused. Over UDP counted apart, and the one that is idle the longest makes room.
        max_connections: Whole<1, 10_000_000> = "global.max_connections; 10000 over UDP",
        /// New sessions per second, a burst of one second's worth included; more are refused.
        max_per_second: Whole<1, 10_000_000> = "global.max_per_second",
        /// Sessions at once of one client address, for IPv6 of one /64; more are refused. Behind `accept_proxy` the client's
        /// own address counts.
        source_max_connections: Whole<1, 10_000_000> = "no bound",
        /// New sessions per second of one client address.
        source_max_per_second: Whole<1, 10_000_000> = "no bound",
        /// What a client sees that these bounds, `allow` or `deny` refuse: an end, a reset, or nothing for `greet_timeout` and
        /// then an end. At most 1000 are held at once, over all listeners; more are closed.
        on_refuse: OnRefuse = "\"close\"",
        /// When given, only clients from these networks may enter.
        allow: Many<IpNet> = "everyone",
        /// Clients from these networks may not, whatever `allow` says.
        deny: Many<IpNet> = "nobody",
        /// More for `allow`, from a file: one network or address a line, `#` begins a comment. Tens of thousands are fine.
        allow_file: FilePath = "none",
        /// More for `deny`, from such a file.
        deny_file: FilePath = "none",
        /// Peers whose PROXY protocol header (v1 or v2) is believed, and required.
        accept_proxy: Many<IpNet> = "nobody",
        /// For the PROXY header, the ClientHello and the TLS handshake together.
        greet_timeout: Duration = "\"10s\"",
        /// A client whose machine answers nothing for so long is gone; a silent one is asked from half of that on. A change is taken by addresses that are opened anew.
        keepalive: Duration = "\"2m\"",
        /// What is promised of it: how much of the time it can be reached, in percent; `howdah availability` shows the
        /// budget that is left.
        slo: Goal = "nothing is promised",
        /// Terminate TLS here.
        tls: AcceptTls = "plain TCP",
        /// Routes by the name that the client asks for; the first match wins.
        route: List<Route> = "none",
    }

    /// TLS towards clients. Without this table and with routes, TLS is passed through untouched.
    AcceptTls "[listener.tls]" inner_tls {
        /// `{ cert = "FILE", key = "FILE" }` each, PEM; chosen by SNI, the first is the default.
        certificates: List<Certificate> = "required",
        /// The oldest version that is spoken.
        min_version: TlsVersion = "\"1.2\"",
        /// PEM file of those who sign client certificates.
        client_ca: FilePath = "none",
        /// Whether clients must show a certificate.
        client_auth: ClientAuth = "\"required\" with `client_ca`, else \"none\"",
        /// Files of revocation lists, PEM or DER. A client's certificate must not be in them, and its signer must have a list
        /// there. A list past its next update still counts, with a warning. A changed file is taken by a reload.
        client_crl: Many<FilePath> = "nothing is revoked",
        /// Subjects that may enter, of those that `client_ca` signed: `dns:NAME` (also `dns:*.example.com`), `uri:URI`,
        /// `email:ADDRESS` and `ip:ADDRESS` of the alternative names, or attributes of the subject that must all be there, as
        /// in `CN=alice, O=Example`.
        client_allow: Many<String> = "whoever `client_ca` signed",
        /// A client that asks for no name, or for one that no certificate has: `any` gives it the first certificate,
        /// `strict` refuses it with the alert unrecognized_name.
        sni: Sni = "\"any\"",
    }

    /// A certificate chain and its key.
    Certificate "[listener.tls] certificates" certificate {
        /// PEM file, the server's own certificate first.
        cert: FilePath = "required",
        /// PEM file of the private key, not encrypted.
        key: FilePath = "required",
    }

    /// One `[[listener.route]]`: names, and the pool that serves them.
    Route "[[listener.route]]" route {
        /// Host names; `*.example.com` stands for exactly one label more.
        sni: Many<String> = "required",
        /// The pool.
        pool: String = "required",
    }

    /// A set of interchangeable servers.
    Pool "[pool.NAME]" outer {
        /// What stands there; it brings the defaults.
        service: Service = "required",
        /// How a server is picked for a session; weights count in each.
        balance: Balance = "by service",
        /// `"HOST"`, `"HOST:PORT"` or a table each; at least one, unless `discover` names who lists others.
        servers: List<ServerWord> = "required without `discover`",
        /// What every server has that says nothing else, whoever lists it.
        server_defaults: ServerDefaults = "its keys' defaults",
        /// Who lists servers beside those of `servers`, now and from now on.
        discover: Discover = "nobody",
        /// Announce the client's address to the servers. Not for HiveServer2 or Impala, which do not read it.
        send_proxy: ProxyVersion = "no header",
        /// Sessions that wait, in order, while every server has `max_connections`; 0 refuses them at once.
        max_queue: Whole<0, 1_000_000> = "1000",
        /// Connect to the server when the client's first byte is there, or as soon as the client is.
        dial: Dial = "by service",
        /// The weight of a server that came up grows over this time; the first verdicts after a start are not meant.
        slow_start: Duration = "the whole weight at once",
        /// When fewer percent of the servers are up (of those that are up or down and under no order), those that are down
        /// take sessions too: probes that find nearly everybody down are more often wrong than right. 0: never.
        panic_threshold: Whole<0, 100> = "0",
        /// The sessions of a server that goes down: they go on (`keep`), end after `global.drain_timeout` unless it is up
        /// again (`drain`), or end at once (`reset`).
        on_down: OnDown = "\"keep\"",
        /// Which servers take sessions, by what they say of themselves: whatever they are (`any`), the `active` one, of which
        /// there is one at most, or those that are `standby`. `leader`, `master` and `primary` mean `active`, `replica` and
        /// `follower` mean `standby`.
        role: WantedRole = "by service",
        /// The sessions of a server that is no longer what `role` asks for: they end at once (`cut`), end after
        /// `global.drain_timeout` unless it is again (`drain`), or go on (`keep`).
        on_role_lost: OnRoleLost = "by service; \"cut\" where `role` is given",
        /// What is promised of it: how much of the time a server of it may take sessions, in percent.
        slo: Goal = "nothing is promised",
        /// Keep a client on its server.
        sticky: Sticky = "by service",
        /// How servers are asked for their health, or `"none"`: all count as up.
        probe: ProbeWord = "by service",
        /// Weights follow what servers say of their own load.
        load: Load = "the weights of the file",
        /// Encrypt towards the servers.
        tls: ConnectTls = "plain TCP",
        /// Bounds in time.
        timeouts: Timeouts = "by service",
    }

    /// What servers say of their own load. It lowers their weight, and no server goes down by it; one that says nothing has
    /// its whole weight.
    Load "[pool.NAME.load]" load {
        /// Who is asked: the metrics of HiveServer2's or Impala's web server, or an agent, which says one line (`75%`,
        /// `drain`, `ready`, `maxconn:30` ...) to everyone who connects, as HAProxy's agent-check has it.
        from: LoadSource = "required",
        /// Where, on each server's own host.
        port: Whole<1, 65535> = "10002 for `hiveserver2-web`, 25000 for `impala-web`; of an agent required",
        /// Between two questions to a server; jittered. No longer than this is waited for an answer.
        interval: Duration = "\"5s\"",
        /// Percent of its weight that a server keeps whatever it says, but for an agent's `0%`.
        floor: Whole<1, 100> = "10, of an agent 1",
        /// Open sessions of a HiveServer2, or registered queries of an Impala, at which it counts as full.
        full_at: Whole<1, 10_000_000> = "only what waits in the server counts",
        /// Whether TLS is spoken there, or a table as `[pool.NAME.tls]`.
        tls: ProbeTls = "plain",
        /// `agent`: what is sent to it first.
        send: String = "nothing",
    }

    /// A server in a table: `{ address = "HOST:PORT", weight = 3 }`.
    Server "[pool.NAME] servers" server {
        /// Unique in its pool; commands and metrics say `pool/server`.
        name: String = "the address as written",
        /// Host name or number; the port of the service where none is written. IPv6 with a port in brackets.
        address: String = "required",
        /// Its share of the sessions, 1 to 256.
        weight: Whole<1, 256> = "of `server_defaults`",
        /// Sessions at once; a full server is skipped, not called ill.
        max_connections: Whole<1, 10_000_000> = "of `server_defaults`",
        /// New sessions in a second; a server that had so many is skipped, not called ill.
        max_per_second: Whole<1, 10_000_000> = "of `server_defaults`",
        /// Takes sessions only when no other server is up.
        backup: bool = "false",
    }

    /// What holds for every server of the pool, listed here or by `discover`, that says nothing else itself. The weights of SRV
    /// records are their own.
    ServerDefaults "[pool.NAME.server_defaults]" server_defaults {
        /// Its share of the sessions, 1 to 256.
        weight: Whole<1, 256> = "1",
        /// Sessions at once, of each server; a full one is skipped, not called ill.
        max_connections: Whole<1, 10_000_000> = "by service",
        /// New sessions in a second, of each server; one that had so many is skipped, not called ill.
        max_per_second: Whole<1, 10_000_000> = "no bound",
    }

    /// Who lists a pool's servers: one of `zookeeper`, `dns_srv`, `file` and `impala`. What is not listed any more takes no
    /// new sessions, and keeps those it has. An empty answer, and none, leave the last list in force.
    Discover "[pool.NAME.discover]" discover {
        /// `"HOST"` or `"HOST:PORT"` each: a ZooKeeper ensemble, in which servers register. Port 2181.
        zookeeper: Many<String> = "none",
        /// `zookeeper`: the node below which they register.
        path: String = "\"/hiveserver2\" for `hiveserver2`, else required",
        /// `zookeeper`: the user of a login by scheme `digest`, where the node's ACL does not let the world read.
        username: String = "no login",
        /// `zookeeper`: that user's password is in this file.
        password_file: FilePath = "no login",
        /// `zookeeper`: speak TLS with the ensemble.
        tls: ConnectTls = "plain TCP",
        /// A name whose SRV records are the servers, as in `"_solr._tcp.example.com"`. Those of the lowest priority serve, all
        /// others are backups; their weights are weights.
        dns_srv: String = "none",
        /// A file with `servers = [...]` as in a pool; taken as soon as it changes.
        file: FilePath = "none",
        /// `"HOST"` or `"HOST:PORT"`, one or several: the web server of an Impala coordinator, which knows the others. Port
        /// 25000.
        impala: Many<String> = "none",
    }

    /// The file that `discover.file` names.
    Members "a list of servers" members {
        /// As in a pool.
        servers: List<ServerWord> = "required",
    }

    /// Stickiness, on top of any `balance`.
    Sticky "[pool.NAME.sticky]" sticky {
        /// `source-ip`: by the client's address; `none` turns off what the service brings.
        by: StickyBy = "\"source-ip\"",
        /// Since the last session of that client ended.
        ttl: Duration = "\"1h\"",
        /// The oldest idle entries go first.
        max_entries: Whole<1, 100_000_000> = "100000",
    }

    /// How a server is asked for its health.
    Probe "[pool.NAME.probe]" probe {
        /// The question.
        r#type: ProbeType = "the pool's service",
        /// Another port than the one that takes sessions.
        port: Whole<1, 65535> = "25000 for `impala` via `web`, else the server's",
        /// Between two questions while nothing is in doubt; jittered.
        interval: Duration = "\"5s\", or the service's own",
        /// The same while undecided; never above `interval`.
        fast_interval: Duration = "\"250ms\"",
        /// `hiveserver2`: between two questions at `depth`; those between are handshakes.
        deep_interval: Duration = "\"60s\", at least `interval`",
        /// For the whole exchange.
        timeout: Duration = "\"3s\"",
        /// Agreeing answers that bring a server back.
        rise: Whole<1, 100> = "2",
        /// Agreeing answers that take a server out.
        fall: Whole<1, 100> = "3",
        /// What sessions see counts too where the probe does not look: that they are not answered (`sessions`), or failed
        /// connects and TLS handshakes alone (`connects`).
        observe: Observe = "\"sessions\"",
        /// At most so many percent of the servers that could serve are out for what sessions saw.
        observe_limit: Whole<0, 100> = "50",
        /// How long a server is out for that, and one that goes down again and again soon after it came up; doubled from
        /// time to time, to 32 times as much.
        quarantine: Duration = "twice `interval`",
        /// Whether the probe speaks TLS, or a table as `[pool.NAME.tls]`.
        tls: ProbeTls = "as the pool, where `port` is the server's",
        /// `hiveserver2`: how far to go: SASL alone, OpenSession, or `SELECT 1`.
        depth: Depth = "\"handshake\"",
        /// `hiveserver2`: Thrift on the socket, or in HTTP requests.
        transport: Transport = "\"binary\"",
        /// `hiveserver2` with transport `http`: the path.
        http_path: String = "\"/cliservice\"",
        /// `hiveserver2`, and `impala` via `thrift`: SASL PLAIN, no SASL, or a ticket. What is asked by a
        /// request: `kerberos`, or nothing.
        auth: Auth = "\"kerberos\" with a keytab, else \"plain\", for Impala \"nosasl\"",
        /// For auth `plain`; `postgresql` and `mysql`: who logs in to ask for the role.
        username: String = "\"anonymous\", for databases nobody",
        /// Its password.
        password_file: FilePath = "none",
        /// `postgresql` and `mysql`: where `username` logs in.
        database: String = "\"postgres\", for `mysql` none",
        /// `postgresql` and `mysql`: a standby that is further behind is alive, and takes no sessions.
        max_lag: Duration = "however far",
        /// For auth `kerberos`: a file with keys of `principal`. Read at a start and at a reload.
        keytab: FilePath = "none",
        /// In whose name tickets are asked for; without a realm, that of `krb5.conf`.
        principal: String = "required with `keytab`",
        /// Whom tickets are for; `_HOST` is the server's own host name. Servers of a pool may share one name.
        service_principal: String = "`hive/_HOST`, `impala/_HOST`, `HTTP/_HOST` for requests",
        /// `impala`: the web server of `port`, or a Thrift ping on the port that takes sessions.
        via: Via = "\"web\"",
        /// What is asked by a request: GET, HEAD, OPTIONS or POST.
        method: String = "\"GET\"",
        /// What is asked by a request: begins with a slash. What a service knows of its own page does not hold for another.
        path: String = "\"/\", or the service's own",
        /// What is asked by a request: the Host header.
        host: String = "the server's address",
        /// What is asked by a request: any of these is up, if the body is; 401, 403 and 407 are up whatever `body` and `json` say.
        expect_status: Many<Whole<100, 599>> = "[200], or the service's own",
        /// What is asked by a request: any of these is alive.
        alive_status: Many<Whole<100, 599>> = "redirects, 401, 403, 407",
        /// What is asked by a request: must occur in the body; one without it is alive.
        expect_body: String = "anything",
        /// What is asked by a request: what the body means, by regular expressions. What matches none is down.
        body: Body = "anything",
        /// What is asked by a request: what a value of a JSON body means. Any other value, and no JSON, is down.
        json: Json = "anything",
        /// `exchange`: what to send, and what the answers mean, in order.
        steps: List<Step> = "required for `exchange`",
        /// `command`: a program and its arguments, in which `{host}`, `{port}`, `{pool}` and `{server}` are filled in. Exit code 0
        /// is up, 1 alive, anything else down; its first line is the detail. New commands are run from the next start on.
        command: List<String> = "required for `command`",
        /// What asks in steps: over `tcp`, or over `udp`, where a step is a datagram and its answer another.
        protocol: Protocol = "\"tcp\"; for `ntp` \"udp\"",
        /// `ldap`: turn the plain connection to TLS first, as `tls` says.
        starttls: bool = "false",
    }

    /// One step of an `exchange`: something to send, something to expect, or both. Of what is expected, the first counts that
    /// matches, in the order of this table; what matches none is down. Expressions are those of Rust's `regex`, over bytes:
    /// `\xff` is one, `\w` is ASCII, `(?s).` is any. A line's end ends the answer, and `$` is before it. What the groups
    /// `(?<role>...)` (active, leader, master, primary; standby, follower, replica) and `(?<detail>...)` catch is shown.
    Step "[[pool.NAME.probe.steps]]" step {
        /// Text to send; `\r\n` and other escapes as in all of TOML.
        send: String = "nothing",
        /// The same as bytes: `"0a 0b"`.
        hex: Hex = "nothing",
        /// Up, and active.
        active: Expression = "none",
        /// Up, and standby.
        standby: Expression = "none",
        /// Up.
        expect: Expression = "none: no answer is waited for",
        /// Alive.
        alive: Expression = "none",
        /// How the answer ends: with the line that decides, with the byte that decides, or after as many bytes as two or
        /// four before it say, big end first; what is sent then gets such a length, too.
        answer: AnswerEnd = "\"line\"",
        /// Where the answer is up, TLS begins, as the probe's `tls` says.
        starttls: bool = "false",
    }

    /// What the body of an HTTP answer means: the first expression that matches it counts, in the order of this table.
    Body "[pool.NAME.probe.body]" body {
        /// Up, and active.
        active: Expression = "none",
        /// Up, and standby.
        standby: Expression = "none",
        /// Up.
        up: Expression = "none",
        /// Alive.
        alive: Expression = "none",
    }

    /// What a value of a JSON body means. Text, numbers and truth values are compared as they are written: `true` and `"true"`
    /// are alike, `1` and `1.0` are not.
    Json "[pool.NAME.probe.json]" json {
        /// Where it stands (RFC 6901): `"/cluster/haState"`, `"/beans/0/State"`.
        pointer: String = "required",
        /// Up, and active.
        active: Many<Scalar> = "none",
        /// Up, and standby.
        standby: Many<Scalar> = "none",
        /// Up.
        up: Many<Scalar> = "none",
        /// Alive.
        alive: Many<Scalar> = "none",
    }

    /// TLS towards servers; chain, date and name of their certificate are verified.
    ConnectTls "[pool.NAME.tls]" inner_tls {
        /// PEM file of those who sign the servers' certificates.
        ca: FilePath = "the system's store",
        /// The name that the certificates must carry.
        server_name: String = "the server's own host",
        /// What howdah shows to servers that ask for a certificate, PEM; with `key`.
        certificate: FilePath = "none",
        /// Its private key, PEM.
        key: FilePath = "none",
    }

    /// Bounds in time, for each session.
    Timeouts "[pool.NAME.timeouts]" timeouts {
        /// For one connect to one server; all tries of a session together get three times that.
        connect: Duration = "\"3s\"",
        /// No byte either way.
        idle: Duration = "by service",
        /// One side has ended, the other has not: counted from that end, and from each byte after it.
        half_close: Duration = "\"10m\"",
        /// Over UDP: no datagram either way. The session of that client's address and port is over then.
        udp_idle: Duration = "\"30s\"",
        /// Over UDP: answers to each datagram. When all have come, the session is over, before `udp_idle`: 1 for DNS and NTP.
        udp_responses: Whole<1, 1_000_000> = "unknown: only `udp_idle` ends it",
        /// A server whose machine answers nothing for so long is gone; a silent one is asked from half of that on.
        keepalive: Duration = "\"2m\"",
        /// How long a client may stay silent before its first byte, where `dial` is `late`.
        first_byte: Duration = "\"60s\"",
        /// How long a session waits while every server is full.
        queue: Duration = "\"10s\"",
    }
}

/// Every `[pool.NAME]`, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Pools {
    /// Name and table; a faulty table is left out.
    pub(super) all: Vec<(Spot<String>, Pool)>,
    /// Faulty ones too, so that a reference to one is not called unknown.
    pub(super) names: Vec<String>,
    /// Keys that stand in `[pool]` itself: its name was forgotten.
    pub(super) strays: bool,
}

/// Every `[vip.NAME]`, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Vips(pub(super) Vec<(Spot<String>, Vip)>);

impl Word for Vips {
    fn kind() -> String {
        "tables".into()
    }

    fn schema() -> Schema {
        json!({ "type": "object", "additionalProperties": Vip::schema() })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        let table = cx.table(value, "[vip.NAME]")?;
        let mut vips = Self::default();
        for (key, value) in in_order(table) {
            let name = Spot {
                value: key.get_ref().to_string(),
                span: key.span(),
            };
            if !value.get_ref().is_table() {
                let what = format!("{:?} stands in [vip] itself", name.value);
                cx.error(&key.span(), what)
                    .why("of which virtual address?")
                    .fix("write [vip.NAME] above the keys of a virtual address");
                continue;
            }
            let outer = std::mem::replace(&mut cx.owner, format!("vip {:?}", name.value));
            vips.0.extend(Vip::read(value, cx).map(|vip| (name, vip)));
            cx.owner = outer;
        }
        Some(vips)
    }
}

/// One entry of `servers`.
#[derive(Clone, Debug)]
pub(super) enum ServerWord {
    /// Just the address.
    Short(String),
    /// With more to say.
    Long(Box<Server>),
}

/// Key `probe`.
#[derive(Clone, Debug)]
pub(super) enum ProbeWord {
    /// `"none"`.
    None,
    /// A table.
    Table(Box<Probe>),
}

/// Key `probe.tls`.
#[derive(Clone, Debug)]
pub(super) enum ProbeTls {
    /// `true`: as the pool, else with the system's store.
    Plain(bool),
    /// With settings of its own.
    Own(Box<ConnectTls>),
}

impl Pools {
    /// Nothing at all, not even something misplaced.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.strays
    }
}

impl Word for Pools {
    fn kind() -> String {
        "tables".into()
    }

    fn schema() -> Schema {
        json!({ "type": "object", "additionalProperties": Pool::schema() })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        if value.get_ref().is_array() {
            let what = "a pool is said with [[pool]]";
            cx.error(&value.span(), what)
                .why("a pool has its name in its header")
                .fix("write [pool.NAME]");
            return None;
        }
        let table = cx.table(value, "[pool.NAME]")?;
        let mut pools = Self::default();
        for (key, value) in in_order(table) {
            let name = Spot {
                value: key.get_ref().to_string(),
                span: key.span(),
            };
            if !value.get_ref().is_table() {
                let what = format!(
                    "{:?} stands in [pool], which holds nothing but pools",
                    name.value
                );
                cx.error(&key.span(), what)
                    .why("of which pool?")
                    .fix("write [pool.NAME] above the keys of a pool");
                pools.strays = true;
                continue;
            }
            pools.names.push(name.value.clone());
            let outer = std::mem::replace(&mut cx.owner, format!("pool {:?}", name.value));
            pools
                .all
                .extend(Pool::read(value, cx).map(|pool| (name, pool)));
            cx.owner = outer;
        }
        Some(pools)
    }
}

impl Word for ServerWord {
    fn kind() -> String {
        "text or table".into()
    }

    fn schema() -> Schema {
        let address = json!({ "type": "string", "examples": ["HOST", "HOST:PORT"] });
        json!({ "anyOf": [address, Server::schema()] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(address) => Some(Self::Short(address.to_string())),
            DeValue::Table(_) => Server::read(value, cx).map(|server| Self::Long(Box::new(server))),
            _ => {
                let is = kind_of(value.get_ref());
                let what = format!("{} has {is} in its servers", cx.owner);
                cx.error(&value.span(), what)
                    .why("an address or a table is wanted")
                    .fix("write \"HOST:PORT\", or { address = \"HOST:PORT\", weight = 2 }");
                None
            }
        }
    }
}

impl Word for ProbeWord {
    fn kind() -> String {
        "table or `none`".into()
    }

    fn schema() -> Schema {
        json!({ "anyOf": [{ "type": "string", "enum": ["none"] }, Probe::schema()] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        match value.get_ref().as_str() {
            None if !value.get_ref().is_table() => {
                let example = "probe = \"none\", which counts every server as up";
                cx.wrong_type(value, "a table or \"none\"", example);
                None
            }
            None => Probe::read(value, cx).map(|probe| Self::Table(Box::new(probe))),
            Some("none") => Some(Self::None),
            Some(word) => {
                let what = format!("{} asks for a probe {word:?}", cx.owner);
                let fix = meant_by(word);
                cx.error(&value.span(), what)
                    .why("a table, or \"none\"")
                    .fix(fix);
                None
            }
        }
    }
}

/// What to write for a word where the probe's table stands.
fn meant_by(word: &str) -> String {
    let lower = word.to_lowercase();
    if shorthand::OFF.contains(&lower.as_str()) {
        return "write probe = \"none\", which counts every server as up".into();
    }
    if let Some(advice) = suggest::advice(word) {
        return advice.into();
    }
    let kinds: Vec<&str> = ProbeType::all().into_iter().map(|kind| kind.word).collect();
    let near = suggest::value(&lower, &kinds, &[]).unwrap_or_default();
    let near = kinds
        .iter()
        .find(|kind| near.contains(&format!("{kind:?}")));
    let known = kinds.iter().find(|kind| **kind == lower);
    match known.or(near) {
        Some(kind) => format!(
            "write probe = {{ type = {kind:?} }}, or probe = \"none\" to count every server as up"
        ),
        None => "leave probe out for what the service brings, write probe = { type = \"tcp\" } for another, \
                 or probe = \"none\" to count every server as up"
            .into(),
    }
}

impl Word for ProbeTls {
    fn kind() -> String {
        "true, false or table".into()
    }

    fn schema() -> Schema {
        json!({ "anyOf": [bool::schema(), ConnectTls::schema()] })
    }

    fn read(value: &Value<'_>, cx: &mut Cx) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(on) => Some(Self::Plain(*on)),
            DeValue::Table(_) => ConnectTls::read(value, cx).map(|tls| Self::Own(Box::new(tls))),
            _ => {
                cx.wrong_type(
                    value,
                    "true, false or a table",
                    "tls = true, or tls = { ca = \"FILE\" }",
                );
                None
            }
        }
    }
}

/// Notes a key that nobody knows; gives the known one that was probably meant, which then is not called missing.
fn unknown_key(
    key: &Spanned<Cow<'_, str>>,
    header: &str,
    keys: &[Key],
    cx: &mut Cx,
) -> Option<&'static str> {
    let word = key.get_ref().as_ref();
    let known: Vec<&'static str> = keys.iter().map(|key| key.name).collect();
    let meant = suggest::key(word, &known);
    let advice = suggest::misplaced(header, word).or_else(|| suggest::advice(word));
    let fix = if let (Some((meant, _)), "") = (&meant, header) {
        format!("did you mean {}?", header_of(meant))
    } else if let Some((_, hint)) = &meant {
        hint.clone()
    } else if let Some(advice) = advice {
        advice.to_owned()
    } else if let Some(home) = home_of(word) {
        format!("{word} belongs to {home}")
    } else {
        format!("known here: {}", known.join(", "))
    };
    let (noun, why) = match header {
        "" => ("table", "no such table".to_owned()),
        header => ("key", format!("no key of {header}")),
    };
    let what = format!("{} has an unknown {noun} {word:?}", cx.owner);
    cx.error(&key.span(), what).why(why).fix(fix);
    meant.map(|(meant, _)| meant)
}

/// The headers of the tables that know `key`, if they are few.
fn home_of(key: &str) -> Option<String> {
    let all = all_tables().into_iter();
    let homes = all.filter(|(_, _, keys)| keys.iter().any(|known| known.name == key));
    let homes: Vec<&str> = homes.map(|(header, ..)| header).collect();
    let few = (1..=FEW_HOMES).contains(&homes.len()) && !homes.contains(&"");
    let (last, others) = homes.split_last().filter(|_| few)?;
    Some(match others {
        [] => (*last).into(),
        others => format!("{} or {last}", others.join(", ")),
    })
}

/// More say nothing.
const FEW_HOMES: usize = 4;

/// The names of the tables that the file has.
pub(super) fn tables_of_the_file() -> Vec<&'static str> {
    File::KEYS.iter().map(|key| key.name).collect()
}

/// How the header of a table of the file is written.
fn header_of(key: &str) -> String {
    match key {
        "listener" => "[[listener]]".into(),
        "pool" => "[pool.NAME]".into(),
        key => format!("[{key}]"),
    }
}

/// Header, doc and keys of every table, in the order of the reference.
pub(super) fn all_tables() -> Vec<(&'static str, &'static str, &'static [Key])> {
    fn one<T: Table>() -> (&'static str, &'static str, &'static [Key]) {
        (T::HEADER, T::DOC, T::KEYS)
    }
    vec![
        one::<File>(),
        one::<Global>(),
        one::<Admin>(),
        one::<AdminTls>(),
        one::<Log>(),
        one::<Alert>(),
        one::<Cluster>(),
        one::<Peers>(),
        one::<Listener>(),
        one::<AcceptTls>(),
        one::<Certificate>(),
        one::<Route>(),
        one::<Pool>(),
        one::<Server>(),
        one::<ServerDefaults>(),
        one::<Discover>(),
        one::<Load>(),
        one::<Sticky>(),
        one::<Probe>(),
        one::<Step>(),
        one::<Body>(),
        one::<Json>(),
        one::<ConnectTls>(),
        one::<Timeouts>(),
    ]
}

fn file(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "the file".into()
}

fn global(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[global]".into()
}

fn admin(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[admin]".into()
}

fn admin_tls(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[admin.tls]".into()
}

fn log(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[log]".into()
}

fn history(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[history]".into()
}

fn cluster(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[cluster]".into()
}

fn cluster_peers(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[cluster.peers]".into()
}

fn state(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "[state]".into()
}

fn listener(table: &DeTable<'_>, cx: &Cx, span: &Span) -> String {
    match table.get("name").and_then(|name| name.get_ref().as_str()) {
        Some(name) => format!("listener {name:?}"),
        None => format!("the listener of line {}", cx.source.line_of(span)),
    }
}

fn alert(table: &DeTable<'_>, cx: &Cx, span: &Span) -> String {
    match table.get("name").and_then(|name| name.get_ref().as_str()) {
        Some(name) => format!("alert {name:?}"),
        None => format!("the alert of line {}", cx.source.line_of(span)),
    }
}

fn server(table: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    let word = |key| table.get(key).and_then(|word| word.get_ref().as_str());
    match word("name").or(word("address")) {
        Some(name) => format!("server {name:?} of {}", cx.owner),
        None => format!("a server of {}", cx.owner),
    }
}

fn server_defaults(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("server_defaults of {}", cx.owner)
}

fn outer(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    cx.owner.clone()
}

fn certificate(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("a certificate in {}", cx.owner)
}

fn inner_tls(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("tls of {}", cx.owner)
}

fn route(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("a route of {}", cx.owner)
}

fn discover(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("discover of {}", cx.owner)
}

fn load(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("load of {}", cx.owner)
}

fn members(_: &DeTable<'_>, _: &Cx, _: &Span) -> String {
    "the list of servers".into()
}

fn sticky(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("sticky of {}", cx.owner)
}

fn probe(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("the probe of {}", cx.owner)
}

fn step(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("a step of {}", cx.owner)
}

fn body(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("body of {}", cx.owner)
}

fn json(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("json of {}", cx.owner)
}

fn timeouts(_: &DeTable<'_>, cx: &Cx, _: &Span) -> String {
    format!("timeouts of {}", cx.owner)
}

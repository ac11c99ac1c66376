//! What HAProxy and other programs call things, for `suggest`.

/// HAProxy's balance words.
pub(super) const BALANCE: &[(&str, &str)] = &[
    ("leastconn", "least-connection"),
    ("roundrobin", "round-robin"),
    ("static-rr", "round-robin"),
    ("source", "source-hash"),
];

/// HAProxy's keywords, with "_" for "-", and the key that says the same.
pub(super) const HAPROXY_KEYS: &[(&str, &str)] = &[
    ("addr", "address"),
    ("backend", "pool"),
    ("ca_file", "ca"),
    ("ca_file", "client_ca"),
    ("check", "probe"),
    ("cpu_map", "cpu_affinity"),
    ("crt", "cert"),
    ("crt", "certificates"),
    ("crt", "certificate"),
    ("default_backend", "pool"),
    ("default_server", "server_defaults"),
    ("fastinter", "fast_interval"),
    ("frontend", "listener"),
    ("inter", "interval"),
    ("listen", "listener"),
    ("maxconn", "max_connections"),
    ("nbthread", "workers"),
    ("send_proxy_v2", "send_proxy"),
    ("server", "servers"),
    ("ssl_min_ver", "min_version"),
    ("stick", "sticky"),
    ("stick_table", "sticky"),
    ("use_backend", "route"),
];

/// What others say.
pub(super) const OTHER_KEYS: &[(&str, &str)] = &[
    ("address", "bind"),
    ("backends", "servers"),
    ("cert", "certificate"),
    ("certificate", "cert"),
    ("endpoint", "address"),
    ("host", "address"),
    ("hosts", "servers"),
    ("ip", "address"),
    ("kind", "type"),
    ("lb", "balance"),
    ("listen", "bind"),
    ("members", "servers"),
    ("private_key", "key"),
    ("server_name", "sni"),
    ("strategy", "balance"),
    ("threads", "workers"),
    ("upstream", "pool"),
    ("url", "address"),
    ("user", "username"),
    ("worker_cpu_affinity", "cpu_affinity"),
];

/// Keywords that have no key of their own here.
pub(super) const ADVICE: &[(&str, &str)] = &[
    (
        "algorithm",
        "howdah says balance = \"least-connection\" (round-robin, response-time, random, source-hash) in [pool.NAME]",
    ),
    ("backend", "HAProxy's backend is a pool here: [pool.NAME]"),
    (
        "check",
        "servers are probed by default; how is said in [pool.NAME.probe], probe = \"none\" turns it off",
    ),
    (
        "default-server",
        "what holds for all servers of a pool stands in [pool.NAME.server_defaults], [pool.NAME.probe] and [pool.NAME.timeouts]",
    ),
    (
        "defaults",
        "the service of a pool brings the defaults; the rest stands in [global]",
    ),
    (
        "daemon",
        "howdah stays in the foreground: let systemd or the container keep it",
    ),
    ("fallback", "howdah says backup = true at the server"),
    (
        "group",
        "howdah does not change its user: let systemd or the container start it as the one you want",
    ),
    (
        "httpchk",
        "howdah says type = \"http\", path = \"/\", expect_status = [200] in [pool.NAME.probe]",
    ),
    (
        "insecure",
        "certificates are always verified: name the CA with ca, another name with server_name",
    ),
    (
        "inter",
        "howdah says interval = \"5s\" in [pool.NAME.probe]",
    ),
    (
        "maxconn",
        "howdah says max_connections, in [global], in a [[listener]], in [pool.NAME.server_defaults] or at a server",
    ),
    (
        "mode",
        "howdah carries bytes of TCP, there is no other mode: leave the key out",
    ),
    (
        "option",
        "howdah has no options of that kind; a check is said in [pool.NAME.probe]",
    ),
    (
        "retries",
        "a failed connect goes to another server at once, until timeouts.connect is over",
    ),
    (
        "server",
        "servers stand in one list of the pool: servers = [\"HOST:PORT\", ...]",
    ),
    (
        "skip-verify",
        "certificates are always verified: name the CA with ca, another name with server_name",
    ),
    (
        "ssl",
        "howdah says [pool.NAME.tls] ca = \"FILE\" towards servers, and [listener.tls] towards clients",
    ),
    (
        "stats",
        "the dashboard and the metrics are always there, on [admin] bind",
    ),
    (
        "tcp-check",
        "howdah says steps = [...] of type = \"exchange\" in [pool.NAME.probe], or the type of the service",
    ),
    (
        "timeout",
        "howdah says connect, idle, half_close, first_byte in [pool.NAME.timeouts]",
    ),
    ("timeout-check", "howdah says timeout in [pool.NAME.probe]"),
    (
        "timeout-client",
        "howdah has one idle time for both sides: [pool.NAME.timeouts] idle",
    ),
    (
        "timeout-connect",
        "howdah says [pool.NAME.timeouts] connect",
    ),
    (
        "timeout-server",
        "howdah has one idle time for both sides: [pool.NAME.timeouts] idle",
    ),
    ("timeout-tunnel", "howdah says [pool.NAME.timeouts] idle"),
    (
        "user",
        "howdah does not change its user: let systemd or the container start it as the one you want",
    ),
    (
        "verify",
        "certificates are always verified: name the CA with ca, another name with server_name",
    ),
];

/// Keys that are looked for in a table that does not have them: the table, the key, and where it is.
pub(super) const MISPLACED: &[(&str, &str, &str)] = &[
    ("[pool.NAME]", "max-connections", BOUND),
    ("[pool.NAME]", "maxconn", BOUND),
    (
        "[pool.NAME]",
        "max-per-second",
        "a bound for each server is max_per_second in [pool.NAME.server_defaults]; for all together in the [[listener]]",
    ),
    (
        "[pool.NAME]",
        "weight",
        "a weight is a server's: { address = \"HOST\", weight = 2 } in servers, or weight = 2 in [pool.NAME.server_defaults]",
    ),
    (
        "[pool.NAME]",
        "backup",
        "a backup is a server: { address = \"HOST\", backup = true } in servers",
    ),
    (
        "[pool.NAME]",
        "port",
        "the port is the service's, or stands behind each server: servers = [\"HOST:PORT\"]",
    ),
    (
        "[[listener]]",
        "port",
        "the port stands behind the address: bind = \"0.0.0.0:10000\"",
    ),
];

const BOUND: &str = "a bound for each server is max_connections in [pool.NAME.server_defaults]; for all together in the [[listener]]";

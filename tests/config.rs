//! The configuration's corpus: what must load, and what each faulty file is told, word for word.
//!
//! `tests/config/good/*.toml` and `conf/*.toml` load; `tests/config/bad/*.toml` yield exactly the neighbouring
//! `.expected`. The files that they name are minted into a temporary folder. After a wanted change,
//! `BLESS=1 cargo test --test config` writes the `.expected` anew: read each as its user would.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support {
    //! Certificates, keys and secrets for the corpus.

    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use rcgen::{
        CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair,
        SerialNumber, date_time_ymd,
    };

    /// A revocation list of the corpus' CA, whose next one is due in that year.
    fn list(due: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let issuer = CertificateParams::new(vec!["howdah test CA".to_owned()]).unwrap();
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2019, 1, 1),
            next_update: date_time_ymd(due, 6, 30),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&Issuer::new(issuer, key))
            .unwrap()
            .pem()
            .unwrap()
    }

    /// A keytab with one key, of type `etype`, of NAME@EXAMPLE.COM.
    fn put_keytab(path: &Path, name: &str, etype: u8, mode: u32) {
        let text = |text: &str| {
            let length = u16::try_from(text.len()).unwrap().to_be_bytes();
            [&length[..], text.as_bytes()].concat()
        };
        let secret = vec![7; if etype == 18 { 32 } else { 16 }];
        let length = u8::try_from(secret.len()).unwrap();
        let head = [0, 0, 0, 1, 0, 0, 0, 0, 2, 0, etype, 0, length];
        let entry = [
            &[0, 1][..],
            &text("EXAMPLE.COM"),
            &text(name),
            &head,
            &secret,
        ]
        .concat();
        let length = u32::try_from(entry.len()).unwrap().to_be_bytes();
        fs::write(path, [&[5, 2][..], &length, &entry].concat()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Everything that a file of the corpus may name.
    pub(crate) fn mint(folder: &Path) {
        fs::create_dir_all(folder.join("certs")).unwrap();
        let put = |name: &str, content: &str, mode: u32| {
            let path = folder.join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let pair = |names: &[&str], end: (i32, u8, u8)| {
            let key = KeyPair::generate().unwrap();
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(end.0, end.1, end.2);
            (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
        };
        for (name, names, end) in [
            ("ca", &["howdah test CA"][..], (2200, 1, 1)),
            ("hive", &["hive.example.com"][..], (2200, 1, 1)),
            ("sales", &["sales.example.com"][..], (2200, 1, 1)),
            ("howdah", &["howdah.example.com"][..], (2200, 1, 1)),
            ("expired", &["hive.example.com"][..], (2020, 6, 30)),
        ] {
            let (cert, key) = pair(names, end);
            put(&format!("certs/{name}.crt"), &cert, 0o644);
            put(&format!("certs/{name}.key"), &key, 0o600);
        }
        put("certs/ca.crl", &list(2200), 0o644);
        put("certs/outdated.crl", &list(2020), 0o644);
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        put("certs/encrypted.key", encrypted, 0o600);
        put("certs/text.crt", "not a certificate at all\n", 0o644);
        let key = fs::read_to_string(folder.join("certs/hive.key")).unwrap();
        put("certs/open.key", &key, 0o644);
        put(
            "networks.txt",
            "10.0.0.0/8 # all of it\n\n2001:db8::1\n",
            0o644,
        );
        put("no-networks.txt", "10.0.0.0/8\n10.0.0/8\nten\n", 0o644);
        put("comments.txt", "# none yet\n", 0o644);
        put("admin.token", "not-to-be-shown\n", 0o600);
        put("reader.token", "nor-is-this-to-be-shown\n", 0o600);
        put("probe.password", "not-to-be-shown\n", 0o600);
        put("open.password", "not-to-be-shown\n", 0o644);
        put("empty.password", "\n", 0o600);
        put(
            "alert.url",
            "https://hooks.example.com/not-to-be-shown\n",
            0o600,
        );
        put("alert.token", "not-to-be-shown\n", 0o600);
        put(
            "alert.json",
            "{\"summary\": \"{title}\", \"open\": {open}}\n",
            0o644,
        );
        put("alert-bare.json", "{\"summary\": {title}\n", 0o644);
        put_keytab(&folder.join("howdah.keytab"), "howdah", 18, 0o600);
        put_keytab(&folder.join("open.keytab"), "howdah", 18, 0o644);
        put_keytab(&folder.join("old.keytab"), "howdah", 23, 0o600);
    }
}

use std::fs;
use std::path::{Path, PathBuf};

use howdah::config;
use howdah::plan::Service;

/// The corpus' files with that ending, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|own| own == ending))
        .collect();
    files.sort();
    files
}

/// Loads a copy that stands beside everything it names; paths of the temporary folder are taken out of the report.
fn load(file: &Path) -> (Result<config::Loaded, config::Report>, String) {
    let folder = tempfile::tempdir().unwrap();
    support::mint(folder.path());
    let copy = folder.path().join(file.file_name().unwrap());
    fs::copy(file, &copy).unwrap();
    let result = config::load(&copy);
    let text = match &result {
        Ok(loaded) => loaded
            .warnings
            .iter()
            .map(|fault| format!("{fault}\n\n"))
            .collect(),
        Err(report) => format!("{report}\n"),
    };
    let text = text.replace(&format!("{}/", folder.path().display()), "");
    (result, text)
}

#[test]
fn every_good_file_loads() {
    let good = files("tests/config/good", "toml");
    assert!(good.len() >= 2, "the corpus was not found");
    for file in good {
        let (result, text) = load(&file);
        assert!(result.is_ok(), "{}:\n{text}", file.display());
    }
}

#[test]
fn everything_in_conf_loads_without_a_warning() {
    let conf = files("conf", "toml");
    assert!(conf.len() >= 4, "conf/ was not found");
    for file in conf {
        let (result, text) = load(&file);
        assert!(
            result.is_ok() && text.is_empty(),
            "{}:\n{text}",
            file.display()
        );
    }
}

#[test]
fn every_bad_file_is_told_exactly_what_is_wrong() {
    let bad = files("tests/config/bad", "toml");
    assert!(bad.len() >= 40, "the corpus was not found");
    let mut differing = String::new();
    for file in bad {
        let (result, text) = load(&file);
        assert!(result.is_err(), "{} loads", file.display());
        assert!(
            !text.contains("s3cret"),
            "{} shows a secret:\n{text}",
            file.display()
        );
        let expected = file.with_extension("expected");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            differing.push_str(&format!("=== {}\n{text}\n", expected.display()));
        }
    }
    assert!(
        differing.is_empty(),
        "BLESS=1 writes these anew; read them first:\n{differing}"
    );
}

#[test]
fn no_expectation_is_without_its_file() {
    for expected in files("tests/config/bad", "expected") {
        assert!(
            expected.with_extension("toml").exists(),
            "{}",
            expected.display()
        );
    }
}

/// Text that only a test may bless.
fn same_as(file: &Path, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(file, text).unwrap();
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == text,
        "{} is out of date: BLESS=1 writes it anew",
        file.display()
    );
}

#[test]
fn the_reference_is_what_the_tables_say() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    same_as(&page, &config::reference());
}

/// A service is whole when people find its page, an example that loads, and a test that names its states.
#[test]
fn every_service_has_its_page_its_pool_and_its_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let platform = load(&root.join("conf/platform.toml")).0.unwrap().plan;
    let cases = fs::read_to_string(root.join("tests/blackbox/services.rs")).unwrap();
    for service in Service::ALL {
        let word = service.word;
        let pools = &platform.pools;
        assert!(
            pools.iter().any(|pool| pool.service == *service),
            "conf/platform.toml has no pool of service {word:?}"
        );
        let case = format!("async fn {}() {{", word.replace('-', "_"));
        assert!(
            cases.contains(&case),
            "tests/blackbox/services.rs lacks {case}"
        );
        let file = root.join(format!("docs/services/{word}.md"));
        let page = fs::read_to_string(&file).unwrap_or_default();
        let parts = page.split_once(BEGIN).and_then(|(head, rest)| {
            let (_, tail) = rest.split_once(END)?;
            Some((head, tail))
        });
        let Some((head, tail)) = parts else {
            panic!("{} has no card between {BEGIN} and {END}", file.display());
        };
        assert!(
            head.starts_with(&format!("# {}", service.title)) && tail.contains("```toml"),
            "{} begins with its title, and ends with an example",
            file.display()
        );
        let card = config::card(*service);
        same_as(&file, &format!("{head}{BEGIN}\n{card}{END}{tail}"));
    }
}

/// What the pages of services have from the profile.
const BEGIN: &str = "<!-- from the profile -->";
const END: &str = "<!-- until here -->";

#[test]
fn every_key_is_in_the_complete_example() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/howdah.toml");
    let example = fs::read_to_string(example).unwrap();
    let page = config::reference();
    let keys = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let keys: Vec<&str> = keys.filter(|key| !key.contains('.')).collect();
    assert!(keys.len() > 60, "the reference was not understood");
    let words: Vec<&str> = example
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    for key in keys {
        assert!(words.contains(&key), "conf/howdah.toml never says {key}");
    }
}

#[test]
fn what_the_complete_example_comments_out_works_too() {
    let folder = tempfile::tempdir().unwrap();
    support::mint(folder.path());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/howdah.toml");
    let text = fs::read_to_string(example).unwrap();
    let mut whole = String::new();
    let mut said = 0;
    for line in text.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split('=').next().unwrap_or_default().trim();
        let is_key = bare.contains('=') && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let is_table = bare.starts_with(['[', ']']) || bare.starts_with("  {");
        if line.starts_with("# ") && (is_key || is_table) {
            said += 1;
            whole.push_str(bare);
        } else {
            whole.push_str(line);
        }
        whole.push('\n');
    }
    assert!(said > 30, "the comments were not understood");
    // These show what excludes another line.
    let whole = whole.replace("transport = \"binary\" ", "transport = \"http\" ");
    let whole = whole.replace("pool = \"hive-sales\"", "pool = \"hive\"");
    let report = config::judge(&folder.path().join("howdah.toml"), whole.into_bytes());
    let text = report.as_ref().err().map(ToString::to_string);
    assert!(report.is_ok(), "{}", text.unwrap_or_default());
}

#[test]
fn a_file_of_servers_is_told_its_faults_as_any_other_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("howdah.toml");
    let text = "[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:10000\"\npool = \"a\"\n\
                [pool.a]\nservice = \"livy\"\ndiscover = { file = \"members.toml\" }\n";
    fs::write(&path, text).unwrap();
    assert_eq!(
        config::load(&path).unwrap().warnings.len(),
        0,
        "it need not be there"
    );
    let (code, out, err) = check(&path);
    assert!(code == Some(0) && err.is_empty(), "{err}");
    assert!(
        out.contains("members.toml, which is not there yet"),
        "{out}"
    );

    let list = "servers = [\n  \"l1.example.com\",\n  { adress = \"l2\" },\n  \"l1.example.com:8998\",\n  \"l 3\",\n]\nweight = 1\n";
    fs::write(folder.path().join("members.toml"), list).unwrap();
    let warnings = config::load(&path).unwrap().warnings;
    let told: Vec<String> = warnings.iter().map(|fault| format!("{fault}\n")).collect();
    let told = told
        .concat()
        .replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(told, LIST_FAULTS);
}

const LIST_FAULTS: &str = "\
warning: a server of the list of servers has an unknown key \"adress\"
 --> members.toml:3:5
3 |   { adress = \"l2\" },
  |     ^^^^^^ no key of [pool.NAME] servers
help: did you mean address?
warning: pool \"a\" has l1.example.com:8998 twice
 --> members.toml:4:3
4 |   \"l1.example.com:8998\",
  |   ^^^^^^^^^^^^^^^^^^^^^ first at line 2
help: leave one out; a larger share is said with weight = 2
warning: server \"l 3\" of pool \"a\" has no usable address
 --> members.toml:5:3
5 |   \"l 3\",
  |   ^^^^^ a host name has letters, digits, \"-\" and dots only
help: a host is a name as \"hs2-1.example.com\" or a number as \"10.0.0.7\"
warning: the list of servers has an unknown key \"weight\"
 --> members.toml:7:1
7 | weight = 1
  | ^^^^^^ no key of a list of servers
help: weight belongs to [pool.NAME] servers or [pool.NAME.server_defaults]
";

/// What the command says: exit code, stdout, stderr.
fn check(config: &Path) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_howdah"));
    let output = command
        .arg("check")
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn check_says_what_would_run() {
    let folder = tempfile::tempdir().unwrap();
    support::mint(folder.path());
    let copy = folder.path().join("howdah.toml");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    fs::copy(root.join("good/contract-complete.toml"), &copy).unwrap();
    let (code, out, err) = check(&copy);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        !out.contains("not-to-be-shown") && !err.contains("not-to-be-shown"),
        "a secret was shown"
    );
    let out = out.replace(&format!("{}/", folder.path().display()), "");
    let err = err.replace(&format!("{}/", folder.path().display()), "");
    same_as(&root.join("check-contract-complete.out"), &out);
    same_as(&root.join("check-contract-complete.err"), &err);
}

#[test]
fn check_of_a_faulty_file_ends_with_78_and_every_fault() {
    let faulty = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad/many-at-once.toml");
    let (code, out, err) = check(&faulty);
    assert_eq!((code, out.as_str()), (Some(78), ""), "{err}");
    assert_eq!(err.matches("error: ").count(), 7, "{err}");
}

#[test]
fn check_of_a_missing_file_says_how_to_name_one() {
    let (code, _, err) = check(Path::new("/nowhere/howdah.toml"));
    assert_eq!(code, Some(78), "{err}");
    let said = "error: the configuration /nowhere/howdah.toml cannot be read: there is no such file\n\
                help: name another one with --config FILE; `howdah demo` needs none\n\n\
                /nowhere/howdah.toml: 1 fault\n";
    assert_eq!(err, said);
}

mod what_becomes_of_it {
    //! The plan that comes of a file: the contract's meaning, field by field.

    use std::path::Path;
    use std::time::Duration;

    use howdah::plan::{
        Ask, Balance, ClientAuth, Depth, Dial, HiveAuth, HiveTransport, Host, HttpAsk, LogFormat,
        LogLevel, LogTarget, Plan, PoolName, PoolPlan, ProxyVersion, Service, SniPattern,
        StickyPlan, TlsVersion,
    };

    const HOUR: Duration = Duration::from_secs(3600);

    fn plan(good: &str) -> Plan {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/config/good")
            .join(good);
        super::load(&file).0.unwrap().plan
    }

    fn pool<'p>(plan: &'p Plan, name: &str) -> &'p PoolPlan {
        plan.pool(&PoolName::new(name)).unwrap()
    }

    /// Name, address, weight, bound, backup.
    fn servers(pool: &PoolPlan) -> Vec<(String, String, u16, Option<u32>, bool)> {
        let servers = pool.servers.iter();
        let parts = servers.map(|s| {
            (
                s.name.to_string(),
                s.address.to_string(),
                s.weight,
                s.max_connections,
                s.backup,
            )
        });
        parts.collect()
    }

    #[test]
    fn the_smallest_file_gets_what_hiveserver2_needs() {
        let plan = plan("contract-smallest.toml");
        assert_eq!(plan.listeners[0].bind, ["0.0.0.0:10000".parse().unwrap()]);
        assert_eq!(plan.listeners[0].pool, Some(PoolName::new("hive")));
        assert_eq!(plan.listeners[0].greet_timeout, Duration::from_secs(10));
        let pool = pool(&plan, "hive");
        let server = |host: &str| {
            (
                host.to_owned(),
                format!("{host}:10000"),
                1,
                Some(480),
                false,
            )
        };
        assert_eq!(
            servers(pool),
            [server("hs2-1.example.com"), server("hs2-2.example.com")]
        );
        assert_eq!(
            (pool.service, pool.balance, pool.dial),
            (Service::HIVESERVER2, Balance::LeastConnection, Dial::Late)
        );
        assert_eq!(
            (pool.send_proxy, pool.sticky.as_ref(), pool.tls.as_ref()),
            (None, None, None)
        );
        let times = &pool.timeouts;
        assert_eq!(
            (times.connect, times.idle),
            (Duration::from_secs(3), 12 * HOUR)
        );
        assert_eq!(
            (times.half_close, times.first_byte),
            (HOUR / 6, Duration::from_secs(60))
        );
        let probe = pool.probe.as_ref().unwrap();
        assert_eq!(
            probe.ask,
            Ask::HiveServer2 {
                depth: Depth::Handshake,
                transport: HiveTransport::Binary,
                auth: HiveAuth::Plain { account: None },
            }
        );
        assert_eq!(
            (probe.interval, probe.fast_interval),
            (Duration::from_secs(5), Duration::from_millis(250))
        );
        assert_eq!(
            (probe.deep_interval, probe.timeout),
            (Duration::from_secs(60), Duration::from_secs(3))
        );
        assert_eq!(
            (probe.rise, probe.fall, probe.port, probe.tls.as_ref()),
            (2, 3, None, None)
        );
        assert_eq!(
            (plan.global.workers, plan.global.max_connections),
            (None, 20_000)
        );
        assert_eq!(
            (plan.global.drain_timeout, pool.drain_timeout),
            (HOUR / 2, HOUR / 2)
        );
        assert_eq!(
            (
                plan.admin.bind.to_string().as_str(),
                plan.admin.token.is_some()
            ),
            ("127.0.0.1:9600", false)
        );
        assert_eq!(
            (plan.log.level, plan.log.format),
            (LogLevel::Info, LogFormat::Json)
        );
        assert_eq!(plan.log.access, None);
    }

    /// Forty servers need no table each.
    #[test]
    fn what_holds_for_all_servers_is_said_once_and_a_server_may_say_otherwise() {
        let plan = plan("limits.toml");
        let pool = pool(&plan, "hive");
        let servers = pool.servers.iter();
        let bounds: Vec<_> = servers
            .map(|s| (s.weight, s.max_connections, s.max_per_second))
            .collect();
        assert_eq!(bounds, [(2, Some(400), Some(20)), (1, Some(50), Some(20))]);
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("members.toml");
        let text = "servers = [\"hs2-3\", { address = \"hs2-4\", weight = 5 }]\n";
        std::fs::write(&list, text).unwrap();
        let listed = howdah::config::members(&list, pool).unwrap();
        let bounds: Vec<_> = listed
            .iter()
            .map(|s| (s.weight, s.max_connections, s.max_per_second))
            .collect();
        assert_eq!(bounds, [(2, Some(400), Some(20)), (5, Some(400), Some(20))]);
    }

    /// A listener may stand behind another one; a circle may not be.
    #[test]
    fn a_listener_behind_another_is_no_circle() {
        let text = "[[listener]]\nname = \"front\"\nbind = \"0.0.0.0:10000\"\npool = \"front\"\n\
                    [[listener]]\nname = \"back\"\nbind = \"127.0.0.1:10001\"\npool = \"back\"\n\
                    [pool.front]\nservice = \"tcp\"\nservers = [\"127.0.0.1:10001\"]\n\
                    [pool.back]\nservice = \"tcp\"\nservers = [\"192.0.2.1:10000\"]\n";
        let loaded = howdah::config::judge(Path::new("x.toml"), text.into());
        assert!(loaded.is_ok(), "{:?}", loaded.err());
    }

    #[test]
    fn every_line_of_the_complete_file_counts() {
        let plan = plan("contract-complete.toml");
        assert_eq!(plan.log.access, Some(LogTarget::Stdout));
        assert_eq!(plan.global.workers.map(usize::from), Some(2));
        assert_eq!(
            plan.admin.token.as_ref().unwrap().expose(),
            "not-to-be-shown"
        );
        let names: Vec<_> = plan.pools.iter().map(|pool| pool.name.as_str()).collect();
        assert_eq!(
            names,
            ["hive", "hive-sales", "hue", "impala"],
            "the order of the file"
        );

        let hive = &plan.listeners[0];
        assert_eq!(
            hive.bind,
            [
                "0.0.0.0:10000".parse().unwrap(),
                "[::]:10000".parse().unwrap()
            ]
        );
        assert_eq!(hive.max_connections, Some(5000));
        assert_eq!(
            hive.allow.as_slice(),
            [
                "10.0.0.0/8".parse().unwrap(),
                "127.0.0.0/8".parse().unwrap()
            ]
        );
        assert_eq!(
            (hive.deny.as_slice(), hive.accept_proxy.as_slice()),
            (
                &["10.66.0.0/16".parse().unwrap()][..],
                &["10.0.9.0/24".parse().unwrap()][..]
            )
        );
        let tls = hive.tls.as_ref().unwrap();
        assert_eq!(tls.identities[0].names, ["hive.example.com"]);
        assert_eq!(
            (tls.min_version, tls.client_auth),
            (TlsVersion::V1_2, ClientAuth::Required)
        );
        assert_eq!(tls.client_ca.as_ref().unwrap().certificates.len(), 1);

        let tenants = &plan.listeners[1];
        let sales = "sales.example.com".to_owned();
        assert_eq!(
            tenants.routes[0].sni,
            [
                SniPattern::Exact(sales.clone()),
                SniPattern::Wildcard(sales)
            ]
        );
        assert_eq!(tenants.routes[0].pool, PoolName::new("hive-sales"));
        assert_eq!(
            (tenants.pool.as_ref(), tenants.tls.as_ref()),
            (Some(&PoolName::new("hive")), None)
        );

        let hive = pool(&plan, "hive");
        assert_eq!(
            servers(hive),
            [
                (
                    "hs2-1.example.com:10000".into(),
                    "hs2-1.example.com:10000".into(),
                    1,
                    Some(480),
                    false
                ),
                (
                    "hs2-2".into(),
                    "hs2-2.example.com:10000".into(),
                    3,
                    Some(400),
                    false
                ),
                (
                    "hs2-old".into(),
                    "hs2-3.example.com:10000".into(),
                    1,
                    Some(480),
                    true
                ),
            ]
        );
        assert_eq!(hive.send_proxy, Some(ProxyVersion::V2));
        assert_eq!(
            hive.sticky,
            Some(StickyPlan {
                ttl: 12 * HOUR,
                max_entries: 100_000
            })
        );
        let probe = hive.probe.as_ref().unwrap();
        let Ask::HiveServer2 {
            depth: Depth::Session,
            auth: HiveAuth::Plain {
                account: Some((user, password)),
            },
            ..
        } = &probe.ask
        else {
            panic!("{:?}", probe.ask);
        };
        assert_eq!(
            (user.as_str(), password.expose()),
            ("howdah", "not-to-be-shown")
        );
        assert_eq!(
            (probe.interval, probe.timeout),
            (Duration::from_secs(10), Duration::from_secs(3))
        );
        assert_eq!(probe.tls, hive.tls, "asked as sessions are carried");
        assert_eq!(
            hive.tls.as_ref().unwrap().server_name.as_deref(),
            Some("hive.example.com")
        );

        let hue = pool(&plan, "hue").probe.as_ref().unwrap();
        assert_eq!(hue.ask, Ask::Http(HttpAsk::get("/desktop/debug/is_alive")));
        let impala = pool(&plan, "impala");
        assert_eq!(impala.balance, Balance::ResponseTime);
        let probe = impala.probe.as_ref().unwrap();
        assert_eq!(
            (probe.port, &probe.ask),
            (
                Some(25_000),
                &Ask::Impala {
                    auth: HiveAuth::NoSasl
                }
            )
        );
    }

    #[test]
    fn a_service_brings_its_defaults() {
        let plan = plan("contract-complete.toml");
        let (hue, impala) = (pool(&plan, "hue"), pool(&plan, "impala"));
        assert_eq!(servers(hue)[0].1, "hue-1.example.com:8888");
        assert_eq!(
            (hue.balance, hue.dial, hue.timeouts.idle),
            (Balance::LeastConnection, Dial::Late, HOUR)
        );
        assert_eq!(
            hue.sticky,
            Some(StickyPlan {
                ttl: HOUR,
                max_entries: 100_000
            })
        );
        assert_eq!((servers(hue)[0].3, servers(impala)[0].3), (None, Some(60)));
        assert_eq!(
            (impala.dial, impala.timeouts.idle, impala.sticky.as_ref()),
            (Dial::Late, 12 * HOUR, None)
        );
        let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/impala.toml");
        let small = super::load(&conf).0.unwrap().plan;
        assert_eq!(small.pools[0].balance, Balance::LeastConnection);
        assert_eq!(small.pools[0].probe.as_ref().unwrap().port, Some(25_000));
        let tcp = "[[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\npool = 'a'\n\
                   [pool.a]\nservice = 'tcp'\nservers = ['b:1']\n";
        let tcp = howdah::config::judge(Path::new("f"), tcp.into())
            .unwrap()
            .plan;
        let tcp = &tcp.pools[0];
        assert_eq!(
            (tcp.balance, tcp.dial, tcp.timeouts.idle),
            (Balance::RoundRobin, Dial::AtOnce, HOUR)
        );
        assert_eq!((servers(tcp)[0].3, tcp.sticky.as_ref()), (None, None));
        assert_eq!(tcp.probe.as_ref().unwrap().ask, Ask::Tcp);
    }

    #[test]
    fn unusual_forms_mean_what_they_say() {
        let plan = plan("forms.toml");
        let any = pool(&plan, "any");
        let addresses: Vec<_> = servers(any).into_iter().map(|server| server.1).collect();
        let wanted = [
            "db-1.example.com:5432",
            "db-2.example.com:5432",
            "10.0.0.7:5432",
            "[fd00::7]:5432",
            "db_3:5432",
        ];
        assert_eq!(addresses, wanted);
        assert!(matches!(any.servers[3].address.host, Host::Ip(_)));
        assert_eq!(
            (any.probe.as_ref(), any.dial, any.send_proxy),
            (None, Dial::Late, Some(ProxyVersion::V1))
        );
        let quoted = pool(&plan, "quoted-name");
        let addresses: Vec<_> = servers(quoted).into_iter().map(|server| server.1).collect();
        assert_eq!(
            addresses,
            ["[fd00::8]:21050", "[fd00::9]:21050", "impalad-1:21050"]
        );
        let probe = quoted.probe.as_ref().unwrap();
        assert_eq!(
            (probe.port, &probe.ask),
            (
                None,
                &Ask::Impala {
                    auth: HiveAuth::Plain { account: None }
                }
            )
        );
        assert_eq!(plan.listeners[0].greet_timeout, Duration::from_secs(90));
        assert_eq!(
            plan.listeners[1].routes[0].sni,
            [SniPattern::Exact("sales.example.com".into())]
        );
    }

    #[test]
    fn the_same_file_is_the_same_plan_until_a_certificate_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        super::support::mint(folder.path());
        let file = folder.path().join("howdah.toml");
        std::fs::write(&file, include_str!("config/good/contract-complete.toml")).unwrap();
        let load = || howdah::config::load(&file).unwrap().plan;
        let (one, two) = (load(), load());
        assert_eq!(one, two);
        super::support::mint(folder.path());
        let delta = howdah::plan::diff::diff(&one, &load());
        let changed: Vec<_> = delta
            .listeners_changed
            .iter()
            .map(|listener| listener.name.as_str())
            .collect();
        assert_eq!(changed, ["hive"]);
    }
}

mod whatever_is_written {
    //! Any text leads to a plan or a report, never to a panic, and every report says where.

    use std::path::Path;

    use howdah::config;
    use proptest::prelude::*;

    const WORDS: &[&str] = &[
        "[",
        "]",
        "[[",
        "{",
        "}",
        "=",
        ",",
        ".",
        "\"",
        "'",
        "\n",
        " ",
        "#",
        "\t",
        "é",
        "0",
        "-1",
        "999999999999999999999",
        "é=1\n",
        "1.5",
        "true",
        "\"none\"",
        "\"\"",
        "\"30s\"",
        "\"hive\"",
        "pool",
        "listener",
        "probe",
        "servers",
        "tls",
        "name",
        "password",
        "\u{0}",
        "\\",
        "\"\"\"",
        "1979-05-27",
    ];

    fn judge(text: &str) -> Result<config::Loaded, config::Report> {
        let result = config::judge(Path::new("/nowhere/howdah.toml"), text.as_bytes().to_vec());
        if let Err(report) = &result {
            assert!(
                report.errors() > 0,
                "a report without an error for {text:?}"
            );
            for fault in &report.faults {
                assert!(
                    !fault.to_string().is_empty() && !fault.line().contains('\n'),
                    "{fault}"
                );
            }
        }
        result
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text(text in ".{0,200}") {
            let _ = judge(&text);
        }

        #[test]
        fn words_of_the_language(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
            let _ = judge(&words.concat());
        }

        /// The complete example with a piece cut out and a word put in.
        #[test]
        fn a_damaged_example(at in 0_usize..4000, cut in 0_usize..40, word in prop::sample::select(WORDS)) {
            let example = include_str!("config/good/contract-complete.toml");
            let at = at.min(example.len());
            let end = (at + cut).min(example.len());
            if let (Some(head), Some(tail)) = (example.get(..at), example.get(end..)) {
                let _ = judge(&format!("{head}{word}{tail}"));
            }
        }

        #[test]
        fn no_bytes_at_all_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = config::judge(Path::new("/nowhere/howdah.toml"), bytes);
        }
    }
}

/// The examples of the book, each with its page: what stands between the fences of TOML.
fn examples(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            examples(&path, all);
        } else if path.extension().is_some_and(|own| own == "md") {
            let page = fs::read_to_string(&path).unwrap();
            let blocks = page.split("```toml\n").skip(1);
            all.extend(blocks.map(|block| {
                let example = block.split("```").next().unwrap();
                (path.clone(), example.to_owned())
            }));
        }
    }
}

/// A key that was renamed, a value that is refused: no page shows it any more. What is shown whole is whole; a part of a
/// file lacks the rest, and files that it names are on no machine.
#[test]
fn the_book_shows_what_can_be_written() {
    const OF_A_MACHINE: [&str; 5] = [
        " cannot be read",
        " cannot be written",
        " names no file that could be written",
        " that this machine does not have",
        "nobody knows where the KDC of",
    ];
    const OF_A_PART: [&str; 6] = [
        "there is no pool in the file",
        "there is no listener in the file",
        " lacks \"",
        " that is not in the file",
        "a listener stands in single brackets",
        "nothing of howdah's is in it",
    ];
    let (root, mut all) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    examples(&root.join("docs"), &mut all);
    assert!(all.len() > 50, "the book was not found");
    let mut wrong = String::new();
    for (page, example) in all {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        fs::write(file.path(), &example).unwrap();
        let (result, text) = load(file.path());
        let has = |table: &str| example.lines().any(|line| line.starts_with(table));
        let is_whole = has("[[listener]]") && has("[pool.");
        let may = |fault: &str| {
            OF_A_MACHINE.iter().any(|words| fault.contains(words))
                || (!is_whole && OF_A_PART.iter().any(|words| fault.contains(words)))
        };
        let mut faults = text.lines().filter(|line| line.starts_with("error: "));
        if result.is_err() && !faults.all(may) {
            wrong.push_str(&format!("=== {}\n{example}\n{text}\n", page.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

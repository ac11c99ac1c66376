//! The configuration's corpus: what must load, and what each faulty file is told, word for word.
//!
//! `tests/config/good/*.toml` and `conf/*.toml` load; `tests/config/bad/*.toml` yield exactly the neighbouring
//! `.expected`. The files that they name are minted into a temporary folder. After a wanted change,
//! `BLESS=1 cargo test --test config` writes the `.expected` anew: read each as its user would.

mod support {
    //! Certificates, keys and secrets for the corpus.

    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

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
            ("hue", &["hue.example.com"][..], (2200, 1, 1)),
            ("expired", &["hive.example.com"][..], (2020, 6, 30)),
        ] {
            let (cert, key) = pair(names, end);
            put(&format!("certs/{name}.crt"), &cert, 0o644);
            put(&format!("certs/{name}.key"), &key, 0o600);
        }
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        put("certs/encrypted.key", encrypted, 0o600);
        put("certs/text.crt", "not a certificate at all\n", 0o644);
        let key = fs::read_to_string(folder.join("certs/hive.key")).unwrap();
        put("certs/open.key", &key, 0o644);
        put("admin.token", "not-to-be-shown\n", 0o600);
        put("probe.password", "not-to-be-shown\n", 0o600);
        put("open.password", "not-to-be-shown\n", 0o644);
        put("empty.password", "\n", 0o600);
    }
}

use std::fs;
use std::path::{Path, PathBuf};

use howdah::config;

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

//! Whom `howdah probe` is to ask: by a type and an address, by a URL, or by a server of a configuration.

use crate::config;
use crate::plan::Service;

use super::args::ProbeArgs;

/// Whom.
#[derive(Debug)]
pub(super) enum Target {
    /// A server of which the words say all: with type and address, whatever they were written as.
    Words(Box<ProbeArgs>),
    /// One of a pool of the file, asked as the pool asks.
    Of {
        /// The pool's name.
        pool: String,
        /// The server's name or address.
        server: String,
    },
}

/// What the words mean.
///
/// # Errors
/// A sentence that says what to write.
pub(super) fn target(args: &ProbeArgs) -> Result<Target, String> {
    let first = args.kind.as_str();
    match args.server.as_deref() {
        None if first.contains("://") => Ok(Target::Words(Box::new(by_url(args, first, None)?))),
        None if first.contains('/') => of_pool(args, first),
        None if is_type(first) => Err(format!("whom? write howdah probe {first} HOST:PORT")),
        None => Err(unknown(first)),
        Some(_) if first.contains("://") => Err(format!(
            "{first:?} says type and address in one: leave the second word out"
        )),
        Some(_) if !is_type(first) => Err(unknown(first)),
        Some(_) if args.config.is_some() => {
            Err("--config goes with POOL/SERVER: a type and an address need no file".into())
        }
        Some(url) if url.contains("://") => {
            Ok(Target::Words(Box::new(by_url(args, url, Some(first))?)))
        }
        Some(_) => Ok(Target::Words(Box::new(args.clone()))),
    }
}

fn is_type(word: &str) -> bool {
    config::probe_types().contains(&word)
}

fn unknown(word: &str) -> String {
    let types = config::probe_types();
    let distance = |kind: &&&str| strsim::damerau_levenshtein(kind, word);
    let near = types.iter().min_by_key(distance);
    let near = near.filter(|kind| distance(kind) <= 1 + word.len() / 4);
    let hint = match near {
        Some(kind) => format!("did you mean {kind}?"),
        None => "write howdah probe TYPE HOST:PORT, a URL, or POOL/SERVER; `howdah probe --help` lists the types".into(),
    };
    format!("{word:?} is no type of probe: {hint}")
}

/// The pool asks in its own way: what else was said would not be heard.
fn of_pool(args: &ProbeArgs, text: &str) -> Result<Target, String> {
    if let Some(flag) = args.said().first() {
        return Err(format!(
            "a server of a pool is asked as the pool asks: leave {flag} out, or write howdah probe TYPE HOST:PORT"
        ));
    }
    match text.split_once('/') {
        Some((pool, server)) if !pool.is_empty() && !server.is_empty() => Ok(Target::Of {
            pool: pool.into(),
            server: server.into(),
        }),
        _ => Err(format!(
            "{text:?} names no server: write it as POOL/SERVER, like hive/hs2-1.example.com:10000"
        )),
    }
}

/// `kind` where it was said; else the scheme tells it.
fn by_url(args: &ProbeArgs, url: &str, kind: Option<&str>) -> Result<ProbeArgs, String> {
    if args.config.is_some() {
        return Err("--config goes with POOL/SERVER: a URL needs no file".into());
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let scheme = scheme.to_ascii_lowercase();
    let known = SCHEMES.iter().find(|(word, ..)| *word == scheme);
    let Some((_, meant, tls)) = known else {
        let words: Vec<&str> = SCHEMES.iter().map(|(word, ..)| *word).collect();
        let words = words.join("://, ");
        return Err(format!(
            "{scheme}:// is no scheme that howdah knows: write {words}://, or TYPE HOST:PORT"
        ));
    };
    let end = rest.find(['/', '?', ';', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    if authority.contains('@') {
        return Err("a user and a password stand in no address, where others read them: --user NAME --password-file FILE".into());
    }
    let kind = kind.unwrap_or(meant);
    let mut asked = ProbeArgs {
        kind: kind.into(),
        server: Some(authority.into()),
        tls: args.tls || *tls,
        ..args.clone()
    };
    let by_request = Service::named(kind).is_none_or(|service| service.probe.path().is_some());
    let path = after.split('#').next().unwrap_or_default();
    if path.len() > 1 && by_request && *meant == "http" {
        if args.path.is_some() {
            return Err("the path stands in the URL: leave --path out".into());
        }
        asked.path = Some(match path.starts_with('/') {
            true => path.into(),
            false => format!("/{path}"),
        });
    }
    Ok(asked)
}

/// A scheme, the type that asks there, and whether it is spoken over TLS.
const SCHEMES: &[(&str, &str, bool)] = &[
    ("http", "http", false),
    ("https", "http", true),
    ("jdbc:hive2", "hiveserver2", false),
    ("thrift", "hive-metastore", false),
    ("ldap", "ldap", false),
    ("ldaps", "ldap", true),
    ("postgresql", "postgresql", false),
    ("jdbc:postgresql", "postgresql", false),
    ("mysql", "mysql", false),
    ("jdbc:mysql", "mysql", false),
    ("tcp", "tcp", false),
    ("tls", "tls", false),
];

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProbeArgs,
    }

    fn read(line: &str) -> Result<Target, String> {
        let words = std::iter::once("probe").chain(line.split(' '));
        target(&Line::try_parse_from(words).unwrap().args)
    }

    /// Type, address, path, TLS.
    fn words(line: &str) -> (String, String, Option<String>, bool) {
        let Ok(Target::Words(args)) = read(line) else {
            panic!("{line}: {:?}", read(line));
        };
        (args.kind, args.server.unwrap(), args.path, args.tls)
    }

    #[test]
    fn a_url_says_type_address_path_and_tls() {
        let of = |kind: &str, server: &str, path: Option<&str>, tls| {
            (
                kind.to_owned(),
                server.to_owned(),
                path.map(str::to_owned),
                tls,
            )
        };
        for (line, meant) in [
            (
                "http://hue-1:8888/desktop/debug/is_alive",
                of("http", "hue-1:8888", Some("/desktop/debug/is_alive"), false),
            ),
            ("https://hue-1", of("http", "hue-1", None, true)),
            (
                "http://[::1]:80/?a=b",
                of("http", "[::1]:80", Some("/?a=b"), false),
            ),
            (
                "http://nn1:9870/jmx?qry=a#here",
                of("http", "nn1:9870", Some("/jmx?qry=a"), false),
            ),
            (
                "hue http://hue-1:8888/",
                of("hue", "hue-1:8888", None, false),
            ),
            (
                "jdbc:hive2://hs2-1:10000/default;ssl=true",
                of("hiveserver2", "hs2-1:10000", None, false),
            ),
            ("ldaps://ldap-1", of("ldap", "ldap-1", None, true)),
            ("tcp x:1", of("tcp", "x:1", None, false)),
        ] {
            assert_eq!(words(line), meant, "{line}");
        }
    }

    #[test]
    fn a_server_of_a_pool_is_asked_by_the_pool_alone() {
        let of = |line: &str| match read(line) {
            Ok(Target::Of { pool, server }) => (pool, server),
            other => panic!("{other:?}"),
        };
        assert_eq!(of("hive/hs2/1"), ("hive".into(), "hs2/1".into()));
        assert_eq!(of("hive/a:1 --config x.toml --timeout 1s").1, "a:1");
        assert!(
            read("hive/a --depth query")
                .unwrap_err()
                .contains("leave --depth out")
        );
        assert!(read("hive/a --tls").unwrap_err().contains("--tls"));
    }

    #[test]
    fn what_is_no_target_is_told_what_to_write() {
        for (line, part) in [
            ("hive/", "POOL/SERVER"),
            ("hiveserver hs2-1:10000", "did you mean hiveserver2?"),
            ("hs2-1:10000", "TYPE HOST:PORT"),
            ("hue", "howdah probe hue HOST:PORT"),
            ("ftp://x", "no scheme"),
            ("http://me:s3cret@x/", "--password-file"),
            ("http://x y:1", "leave the second word out"),
            ("http://x/y --path /z", "leave --path out"),
            ("tcp x:1 --config y.toml", "POOL/SERVER"),
        ] {
            let said = read(line).unwrap_err();
            assert!(
                said.contains(part) && !said.contains("s3cret"),
                "{line}: {said}"
            );
        }
    }
}

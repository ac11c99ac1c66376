//! What stands behind a pool: a file for each service, with all that is known of it.
//!
//! Defaults, known words and their suggestions, the manual's table, the service's page and the types of `howdah probe` come
//! from these [`Profile`]s. A new service that is asked by a [`Question`] that exists is a file here, a line in the list
//! below, and a page in `docs/services/`.

mod profile;

pub use self::profile::{Fact, Profile, Question, Service};

/// Takes the modules in, and lists their profiles.
macro_rules! services {
    ($(mod $name:ident;)+) => {
        $(mod $name;)+

        impl Service {
            /// All, in the order of the docs.
            pub const ALL: &[Self] = &[$(Self::of(&$name::PROFILE)),+];
        }
    };
}

services! {
    mod hiveserver2;
    mod impala;
    mod hue;
    mod hive_metastore;
    mod livy;
    mod oozie;
    mod hdfs_namenode;
    mod httpfs;
    mod hadoop_kms;
    mod ranger_kms;
    mod hbase_master;
    mod hbase_rest;
    mod hbase_thrift;
    mod yarn_resourcemanager;
    mod yarn_timeline;
    mod mapreduce_jobhistory;
    mod storm_ui;
    mod storm_nimbus;
    mod solr;
    mod elasticsearch;
    mod kafka;
    mod ambari;
    mod ranger_admin;
    mod sentry;
    mod zookeeper;
    mod ldap;
    mod kerberos_kdc;
    mod dns;
    mod ntp;
    mod postgresql;
    mod mysql;
    mod http;
    mod tcp;
    mod udp;
}

impl Service {
    /// Hive's Thrift server.
    pub const HIVESERVER2: Self = Self::of(&hiveserver2::PROFILE);
    /// Of which nothing is known but that it speaks TCP.
    pub const TCP: Self = Self::of(&tcp::PROFILE);

    /// The service of that word.
    pub fn named(word: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|service| service.word == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pointer;
    use crate::plan::{HttpAsk, STEPS_MAX, Script};

    #[test]
    fn no_word_means_two_services() {
        let mut words: Vec<&str> = Vec::new();
        for service in Service::ALL {
            words.push(service.word);
            words.extend(service.aliases);
            assert_eq!(Service::named(service.word), Some(*service));
        }
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "{words:?}");
    }

    #[test]
    fn every_expression_compiles() {
        for service in Service::ALL {
            let word = service.word;
            match service.probe {
                Question::Exchange { steps } | Question::Datagrams { steps } => {
                    assert!((1..=STEPS_MAX).contains(&steps.len()), "{word}");
                    Script::new(steps).expect(word);
                }
                Question::Page(page) => {
                    HttpAsk::of(page).expect(word);
                    let pointer = page.json.map_or("", |json| json.pointer);
                    assert_eq!(pointer::judge(pointer), Ok(()), "{word}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn every_profile_is_filled_in() {
        for service in Service::ALL {
            let word = service.word;
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(!word.is_empty() && word.bytes().all(fits), "{word:?}");
            let said = [service.title, service.summary, service.clients];
            assert!(said.iter().all(|text| !text.is_empty()), "{word}");
            assert!(service.summary.ends_with('.'), "{word}");
            assert!(
                service.port != Some(0) && service.tls_port != Some(0),
                "{word}"
            );
            assert!(!service.facts.is_empty(), "{word}: nothing is cited");
            for fact in service.facts {
                assert!(
                    !fact.source.is_empty() && fact.why.ends_with('.'),
                    "{word}: {}",
                    fact.of
                );
            }
        }
    }
}

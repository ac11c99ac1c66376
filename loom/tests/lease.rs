//! A lease is taken once and given back once, whoever else does so at the same time, and no snapshot loses it.
#![allow(missing_docs, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use howdah_loom::balance::{Balancer, Candidate, Candidates, Counters, Criteria, Load};
use loom::sync::Mutex;
use loom::thread;

#[test]
fn two_takers_of_the_last_place_get_it_once() {
    loom::model(|| {
        let (load, counters) = load();
        let other = {
            let load = Arc::clone(&load);
            thread::spawn(move || load.take(1))
        };
        let taken = [load.take(1), other.join().expect("no panic")];
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
        assert_eq!((load.active(), load.total(), counters.active()), (1, 1, 1));
    });
}

#[test]
fn a_place_given_back_is_there_for_the_next() {
    loom::model(|| {
        let (load, counters) = load();
        assert!(load.take(1));
        let ends = {
            let load = Arc::clone(&load);
            thread::spawn(move || load.give_back())
        };
        let taken = load.take(1);
        ends.join().expect("no panic");
        assert_eq!(load.active(), u32::from(taken));
        assert_eq!(counters.active(), u64::from(taken));
        assert!(taken || load.take(1), "nobody holds it");
    });
}

#[test]
fn two_choices_at_once_fill_two_servers() {
    let makes: [fn(&Candidates) -> Balancer; 3] = [
        Balancer::least_connection,
        Balancer::response_time,
        Balancer::round_robin,
    ];
    for make in makes {
        loom::model(move || {
            let servers = Arc::new(Servers::new(2, make));
            let other = {
                let servers = Arc::clone(&servers);
                thread::spawn(move || servers.pick())
            };
            let mut picks = [servers.pick(), other.join().expect("no panic")];
            picks.sort();
            assert_eq!(picks, [Some(0), Some(1)], "each has room for one");
            assert_eq!(servers.counters.active(), 2);
        });
    }
}

/// A session ends while another chooses: either the place is free, or it is not yet; afterwards it is.
#[test]
fn a_full_server_is_offered_again_after_an_end() {
    loom::model(|| {
        let servers = Arc::new(Servers::new(1, Balancer::least_connection));
        assert_eq!(servers.pick(), Some(0));
        let ends = {
            let servers = Arc::clone(&servers);
            thread::spawn(move || servers.end())
        };
        let picked = servers.pick();
        ends.join().expect("no panic");
        assert!(
            picked.is_some() || servers.pick().is_some(),
            "the place is lost"
        );
        assert_eq!(servers.loads[0].active(), 1);
    });
}

/// Two sessions end at once on a server that then is the best one.
#[test]
fn two_ends_at_once_are_both_counted_and_ranked() {
    loom::model(|| {
        let most = u32::MAX;
        let servers = Arc::new(Servers::of(
            &[(1, most, 3), (2, most, 4)],
            Balancer::least_connection,
        ));
        let other = {
            let servers = Arc::clone(&servers);
            thread::spawn(move || servers.end())
        };
        servers.end();
        other.join().expect("no panic");
        assert_eq!(
            (servers.loads[0].active(), servers.counters.active()),
            (1, 5)
        );
        assert_eq!(
            servers.pick(),
            Some(0),
            "2 sessions of weight 1 are fewer than 5 of weight 2"
        );
    });
}

/// A session ends while the keeper makes the next snapshot: whichever it tells of its end, the next one knows.
#[test]
fn an_end_while_a_snapshot_is_made_is_not_lost() {
    loom::model(|| {
        let servers = Arc::new(Servers::new(1, Balancer::least_connection));
        assert_eq!(servers.pick(), Some(0));
        let keeper = {
            let servers = Arc::clone(&servers);
            thread::spawn(move || servers.renew())
        };
        servers.end();
        keeper.join().expect("no panic");
        assert_eq!(servers.pick(), Some(0), "the place is lost");
    });
}

/// The same with a choice: a snapshot that has not seen it gives no place away twice.
#[test]
fn a_choice_while_a_snapshot_is_made_is_not_forgotten() {
    loom::model(|| {
        let servers = Arc::new(Servers::new(1, Balancer::least_connection));
        let keeper = {
            let servers = Arc::clone(&servers);
            thread::spawn(move || servers.renew())
        };
        assert_eq!(servers.pick(), Some(0));
        keeper.join().expect("no panic");
        assert_eq!(servers.pick(), None, "it is full");
        assert_eq!(
            (servers.loads[0].active(), servers.counters.active()),
            (1, 1)
        );
    });
}

/// A pool in small: servers, and a present snapshot behind a lock, which orders as `ArcSwap` does.
struct Servers {
    loads: Vec<Arc<Load>>,
    counters: Arc<Counters>,
    places: Vec<(u16, u32)>,
    make: fn(&Candidates) -> Balancer,
    present: Mutex<Arc<(Candidates, Balancer)>>,
}

impl Servers {
    /// Of one place each.
    fn new(count: usize, make: fn(&Candidates) -> Balancer) -> Self {
        Self::of(&vec![(1, 1, 0); count], make)
    }

    /// Weight, places, sessions.
    fn of(servers: &[(u16, u32, u32)], make: fn(&Candidates) -> Balancer) -> Self {
        let counters = Arc::new(Counters::default());
        let load = |(_, places, sessions): &(u16, u32, u32)| {
            let load = Arc::new(Load::new(Arc::clone(&counters), Duration::ZERO));
            assert!((0..*sessions).all(|_| load.take(*places)));
            load
        };
        let loads: Vec<_> = servers.iter().map(load).collect();
        let places: Vec<_> = servers
            .iter()
            .map(|(weight, places, _)| (*weight, *places))
            .collect();
        let first = tier(&loads, &places, &counters, make);
        Self {
            loads,
            counters,
            places,
            make,
            present: Mutex::new(first),
        }
    }

    fn present(&self) -> Arc<(Candidates, Balancer)> {
        Arc::clone(&self.present.lock().expect("no panic"))
    }

    /// As `Pool::choose`.
    fn pick(&self) -> Option<u32> {
        let criteria = Criteria {
            client: 0,
            random: 0,
            tried: &[],
            now: Duration::ZERO,
        };
        let tier = self.present();
        tier.1.pick(&tier.0, &criteria)
    }

    /// As the drop of a lease: first the count, then the snapshot that is present by then.
    fn end(&self) {
        self.loads[0].give_back();
        let tier = self.present();
        tier.1.refresh(&tier.0, 0);
    }

    /// As the keeper: makes, stores, and reads all loads again.
    fn renew(&self) {
        let next = tier(&self.loads, &self.places, &self.counters, self.make);
        *self.present.lock().expect("no panic") = Arc::clone(&next);
        next.1.refresh_all(&next.0);
    }
}

fn load() -> (Arc<Load>, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let load = Load::new(Arc::clone(&counters), Duration::ZERO);
    (Arc::new(load), counters)
}

fn tier(
    loads: &[Arc<Load>],
    places: &[(u16, u32)],
    counters: &Arc<Counters>,
    make: fn(&Candidates) -> Balancer,
) -> Arc<(Candidates, Balancer)> {
    let servers = loads.iter().zip(places);
    let candidate = |(member, (load, &(weight, cap)))| Candidate {
        member,
        weight,
        cap,
        per_second: None,
        load: Arc::clone(load),
    };
    let candidates = Candidates::new(
        loads.len(),
        (0..).zip(servers).map(candidate).collect(),
        Arc::clone(counters),
    );
    let balancer = make(&candidates);
    Arc::new((candidates, balancer))
}

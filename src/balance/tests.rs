//! Balancers against their definitions: tables, properties, and threads.

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use proptest::prelude::*;

use super::mix::mix;
use super::*;

/// A pool of servers with these weights and caps, all on offer.
fn candidates_of(servers: &[(u16, u32)]) -> Candidates {
    let counters = Arc::new(Counters::default());
    let candidate = |(member, (weight, cap)): (u32, &(u16, u32))| Candidate {
        member,
        weight: *weight,
        cap: *cap,
        per_second: None,
        load: Arc::new(Load::new(Arc::clone(&counters), Duration::ZERO)),
    };
    let candidates = (0..).zip(servers).map(candidate).collect();
    Candidates::new(servers.len(), candidates, Arc::clone(&counters))
}

fn candidates(weights: &[u16]) -> Candidates {
    let servers: Vec<_> = weights.iter().map(|weight| (*weight, u32::MAX)).collect();
    candidates_of(&servers)
}

/// The same loads without this member.
fn without(candidates: &Candidates, member: u32) -> Candidates {
    let left = candidates.all.iter().filter(|one| one.member != member);
    Candidates::new(
        candidates.slots.len(),
        left.cloned().collect(),
        Arc::clone(&candidates.counters),
    )
}

fn ring(candidates: &Candidates) -> Arc<Ring> {
    let names: Vec<_> = (candidates.all.iter())
        .map(|one| (one.member, format!("server-{}", one.member), one.weight))
        .collect();
    let servers = names
        .iter()
        .map(|(member, name, weight)| (*member, name.as_str(), *weight));
    Arc::new(Ring::new(servers))
}

fn all_balancers(candidates: &Candidates) -> [(&'static str, Balancer); 5] {
    [
        ("round-robin", Balancer::round_robin(candidates)),
        ("least-connection", Balancer::least_connection(candidates)),
        ("response-time", Balancer::response_time(candidates)),
        ("random", Balancer::random(candidates)),
        (
            "source-hash",
            Balancer::source_hash(candidates, &ring(candidates)),
        ),
    ]
}

fn criteria(number: u64) -> Criteria<'static> {
    Criteria {
        client: mix(number),
        random: mix(!number),
        tried: &[],
        now: Duration::ZERO,
    }
}

fn picks(balancer: &Balancer, candidates: &Candidates, count: usize) -> Vec<u32> {
    let pick = |number| {
        balancer
            .pick(candidates, &criteria(number))
            .expect("nobody is full")
    };
    (0..count as u64).map(pick).collect()
}

fn give_back(candidates: &Candidates, balancer: &Balancer, member: u32) {
    candidates.all[candidates.slot(member).expect("on offer")]
        .load
        .give_back();
    balancer.refresh(candidates, member);
}

fn share(picks: &[u32], member: u32) -> usize {
    picks.iter().filter(|one| **one == member).count()
}

fn weights(most: u16) -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(1..=most, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_robin_is_exact_in_every_window(weights in weights(20), start in 0usize..300) {
        let candidates = candidates(&weights);
        let sum: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        let all = picks(&Balancer::round_robin(&candidates), &candidates, start + 3 * sum);
        let mut shares: Vec<_> = (0..).zip(&weights).map(|(one, _)| share(&all[..sum], one)).collect();
        for start in 0..all.len() - sum {
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert_eq!(*share, usize::from(*weight), "in the window from {}", start);
            }
            shares[all[start] as usize] -= 1;
            shares[all[start + sum] as usize] += 1;
        }
    }

    #[test]
    fn round_robin_is_smooth(weights in weights(20)) {
        let candidates = candidates(&weights);
        let sum: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        let all = picks(&Balancer::round_robin(&candidates), &candidates, 3 * sum);
        for (member, weight) in (0..).zip(&weights) {
            let places: Vec<_> = (0..all.len()).filter(|at| all[*at] == member).collect();
            let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            let even = sum.div_ceil(usize::from(*weight));
            prop_assert!(widest <= 2 * even + 1, "{widest} between turns instead of {even}");
        }
    }

    #[test]
    fn least_connection_takes_the_least_and_the_longest_ago(weights in weights(256), seed: u64) {
        let candidates = candidates(&weights);
        let balancer = Balancer::least_connection(&candidates);
        let mut random = Rng::with_seed(seed);
        let mut model: Vec<(u64, u64)> = vec![(0, 0); weights.len()];
        for turn in 1..400 {
            if random.u8(..3) == 0 {
                let busy: Vec<_> = (0..model.len()).filter(|at| model[*at].0 > 0).collect();
                if let Some(member) = random.choice(&busy) {
                    model[*member].0 -= 1;
                    give_back(&candidates, &balancer, *member as u32);
                }
                continue;
            }
            let member = balancer.pick(&candidates, &criteria(turn)).expect("nobody is full") as usize;
            let key = |at: usize| {
                let scale = 2u128.pow(64);
                (u128::from(model[at].0 + 1) * scale / u128::from(weights[at]), model[at].1)
            };
            let best = (0..model.len()).min_by_key(|at| key(*at)).expect("not empty");
            prop_assert_eq!(member, best, "turn {} of {:?}", turn, &model);
            model[member] = (model[member].0 + 1, turn);
        }
    }

    #[test]
    fn a_burst_shares_by_weight(weights in weights(8)) {
        let sum: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        let candidates = candidates(&weights);
        for balancer in [Balancer::least_connection(&candidates), Balancer::response_time(&candidates)] {
            let all = picks(&balancer, &candidates, 20 * sum);
            for (member, weight) in (0..).zip(&weights) {
                prop_assert_eq!(share(&all, member), 20 * usize::from(*weight));
                (0..share(&all, member)).for_each(|_| give_back(&candidates, &balancer, member));
            }
        }
    }

    #[test]
    fn nobody_takes_more_than_its_cap_or_is_tried_again(
        servers in prop::collection::vec((1u16..9, 0u32..4), 1..10),
        tried in prop::collection::hash_set(0u32..10, 0..4),
    ) {
        let tried: Vec<_> = tried.into_iter().collect();
        let names = all_balancers(&candidates_of(&servers)).map(|(name, _)| name);
        for (which, name) in names.into_iter().enumerate() {
            let candidates = candidates_of(&servers);
            let balancer = &all_balancers(&candidates)[which].1;
            let free = |(member, (_, cap)): (u32, &(u16, u32))| {
                if tried.contains(&member) { 0 } else { *cap as usize }
            };
            let room: usize = (0..).zip(&servers).map(free).sum();
            for number in 0..room as u64 {
                let picked = balancer.pick(&candidates, &Criteria { tried: &tried, ..criteria(number) });
                prop_assert!(picked.is_some_and(|one| !tried.contains(&one)), "{name}: {picked:?}");
            }
            let none = balancer.pick(&candidates, &Criteria { tried: &tried, ..criteria(0) });
            prop_assert_eq!(none, None, "{}: everyone is full or was tried", name);
            for member in tried.iter().filter(|member| (**member as usize) < servers.len()) {
                prop_assert_eq!(candidates.all[*member as usize].load.active(), 0, "{}", name);
            }
        }
    }

    #[test]
    fn losing_one_server_moves_only_its_clients(weights in prop::collection::vec(1u16..9, 2..12), lost: prop::sample::Index) {
        let all = candidates(&weights);
        let ring = ring(&all);
        let lost = lost.index(weights.len()) as u32;
        let left = without(&all, lost);
        let (before, after) = (Balancer::source_hash(&all, &ring), Balancer::source_hash(&left, &ring));
        for client in 0..500 {
            let home = before.pick(&all, &criteria(client)).expect("nobody is full");
            give_back(&all, &before, home);
            let now = after.pick(&left, &criteria(client)).expect("nobody is full");
            give_back(&left, &after, now);
            prop_assert!(home == lost && now != lost || home == now, "{} {} {}", home, now, lost);
        }
    }

    #[test]
    fn source_hash_keeps_its_bound(weights in weights(8), clients in 1u64..5) {
        let candidates = candidates(&weights);
        let balancer = Balancer::source_hash(&candidates, &ring(&candidates));
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        for session in 1..1000u64 {
            let member = balancer.pick(&candidates, &criteria(session % clients)).expect("nobody is full");
            let active = u64::from(candidates.all[member as usize].load.active());
            let bound = (5 * session * u64::from(weights[member as usize])).div_ceil(4 * sum);
            prop_assert!(active <= bound.max(8), "{active} of {session}");
        }
    }
}

#[test]
fn a_full_server_leaves_its_turns_to_all_others() {
    let candidates = candidates_of(&[(1, u32::MAX), (1, 0), (1, u32::MAX), (2, u32::MAX)]);
    let all = picks(&Balancer::round_robin(&candidates), &candidates, 4000);
    let shares: Vec<_> = (0..4).map(|member| share(&all, member)).collect();
    assert_eq!(shares, [1000, 0, 1000, 2000]);
}

#[test]
fn equals_take_turns() {
    let candidates = candidates(&[1, 1, 1, 1]);
    for (name, balancer) in [
        ("least-connection", Balancer::least_connection(&candidates)),
        ("response-time", Balancer::response_time(&candidates)),
    ] {
        let mut all = Vec::new();
        for number in 0..40 {
            let member = balancer
                .pick(&candidates, &criteria(number))
                .expect("nobody is full");
            give_back(&candidates, &balancer, member);
            all.push(member);
        }
        for window in all.windows(4) {
            assert_eq!(
                window.iter().collect::<HashSet<_>>().len(),
                4,
                "{name} {all:?}"
            );
        }
    }
}

#[test]
fn random_shares_by_weight_without_load_and_evens_out_under_load() {
    let seed = fastrand::u64(..);
    let weights = [1, 2, 5];
    let candidates = candidates(&weights);
    let balancer = Balancer::random(&candidates);
    let random = |number: u64| Criteria {
        random: mix(seed ^ mix(number)),
        ..criteria(number)
    };
    let mut idle = [0u32; 3];
    for number in 0..20_000 {
        let member = balancer
            .pick(&candidates, &random(number))
            .expect("nobody is full");
        give_back(&candidates, &balancer, member);
        idle[member as usize] += 1;
    }
    for (count, weight) in idle.iter().zip(weights) {
        let (share, fair) = (f64::from(*count), 20_000.0 * f64::from(weight) / 8.0);
        // Five standard deviations.
        let noise = 5.0 * (fair * (1.0 - fair / 20_000.0)).sqrt();
        assert!((share - fair).abs() < noise, "seed {seed}: {idle:?}");
    }
    for number in 0..8_000 {
        balancer
            .pick(&candidates, &random(number))
            .expect("nobody is full");
    }
    for (candidate, weight) in candidates.all.iter().zip(weights) {
        let (active, fair) = (candidate.load.active(), 1000 * u32::from(weight));
        assert!(
            active.abs_diff(fair) < 30,
            "seed {seed}: {active} instead of {fair}"
        );
    }
}

#[test]
fn the_less_loaded_of_two_draws_wins() {
    let candidates = candidates(&[1, 1]);
    for _ in 0..3 {
        assert!(candidates.take(0, Duration::ZERO, &Counting));
    }
    let balancer = Balancer::random(&candidates);
    let (low, high) = (0u64, u64::from(u32::MAX));
    for (draws, expected) in [
        (low << 32 | low, 0),
        (low << 32 | high, 1),
        (high << 32 | low, 1),
        (high << 32 | high, 1),
    ] {
        let random = Criteria {
            random: draws,
            ..criteria(0)
        };
        assert_eq!(
            balancer.pick(&candidates, &random),
            Some(expected),
            "{draws:x}"
        );
        candidates.all[expected as usize].load.give_back();
    }
}

#[test]
fn source_hash_shares_by_weight_roughly() {
    let weights = [1, 2, 5];
    let candidates = candidates(&weights);
    let balancer = Balancer::source_hash(&candidates, &ring(&candidates));
    let mut shares = [0u32; 3];
    for client in 0..10_000 {
        let member = balancer
            .pick(&candidates, &criteria(client))
            .expect("nobody is full");
        give_back(&candidates, &balancer, member);
        shares[member as usize] += 1;
    }
    for (share, weight) in shares.iter().zip(weights) {
        let fair = 1250 * u32::from(weight);
        assert!(share.abs_diff(fair) < fair / 4, "{shares:?}");
    }
}

/// Expected values were computed by a separate program from the description of the ring.
#[test]
fn every_howdah_hashes_alike() {
    let client = |text: &str| hash_client(text.parse().expect("an address"));
    assert_eq!(client("10.0.0.1"), 0x207f_1456_6dae_ebc6);
    assert_eq!(client("2001:db8::1"), 0x4de8_97d9_54fd_23d5);
    assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
    let candidates = candidates(&[1, 1, 1, 1]);
    let balancer = Balancer::source_hash(&candidates, &ring(&candidates));
    assert_eq!(picks(&balancer, &candidates, 8), [3, 1, 0, 1, 3, 2, 0, 1]);
}

#[test]
fn losing_most_servers_moves_only_their_clients() {
    let all = candidates(&[1; 20]);
    let ring = ring(&all);
    let left: Vec<_> = all.all[3..7].to_vec();
    let left = Candidates::new(20, left, Arc::clone(&all.counters));
    let before = Balancer::source_hash(&all, &ring);
    let after = Balancer::source_hash(&left, &ring);
    for client in 0..1000 {
        let home = before
            .pick(&all, &criteria(client))
            .expect("nobody is full");
        all.all[home as usize].load.give_back();
        let now = after
            .pick(&left, &criteria(client))
            .expect("nobody is full");
        left.all[now as usize - 3].load.give_back();
        assert!((3..7).contains(&now));
        assert!(!(3..7).contains(&home) || home == now);
    }
}

#[test]
fn a_slow_server_gets_less_in_proportion_to_what_it_takes() {
    let candidates = candidates(&[1, 1]);
    let now = Duration::from_secs(100);
    candidates.all[0]
        .load
        .observe(Duration::from_millis(2), now);
    candidates.all[1]
        .load
        .observe(Duration::from_millis(40), now);
    let all = picks(&Balancer::response_time(&candidates), &candidates, 2100);
    assert_eq!(share(&all, 1), 100);
}

#[test]
fn a_probe_seeds_a_quiet_pool_and_a_new_server_only() {
    let candidates = candidates(&[1, 1]);
    let [old, new] = &*candidates.all else {
        unreachable!()
    };
    let (second, ms) = (Duration::from_secs, Duration::from_millis);
    assert!(old.load.seed(ms(20), second(1)), "nothing was known");
    assert!(old.load.observe(ms(2), second(10)), "sessions began");
    assert!(!old.load.seed(ms(20), second(12)), "sessions know better");
    assert!(new.load.seed(ms(30), second(12)), "a new server");
    assert!(!new.load.seed(ms(90), second(13)), "no longer new");
    assert!(new.load.seed(ms(90), second(40)), "the pool is quiet");
}

/// Four threads pick and give back; counts stay right, and the ranking finds its way back.
#[test]
fn workers_share_a_balancer() {
    let seed = fastrand::u64(..);
    for which in 0..5 {
        let candidates = candidates_of(&[(1, 40), (2, 40), (5, 3), (3, u32::MAX)]);
        let balancers = all_balancers(&candidates);
        let (name, balancer) = &balancers[which];
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let candidates = &candidates;
                scope.spawn(move || churn(candidates, balancer, Rng::with_seed(seed ^ thread)));
            }
        });
        let left: u32 = candidates.all.iter().map(|one| one.load.active()).sum();
        assert_eq!(left, 0, "{name} seed {seed}");
        assert_eq!(candidates.counters.active(), 0, "{name} seed {seed}");
        if balancer.is_ranked() {
            let least = candidates
                .all
                .iter()
                .max_by_key(|one| one.weight)
                .map(|one| one.member);
            assert_eq!(
                balancer.pick(&candidates, &criteria(0)),
                least,
                "{name} seed {seed}"
            );
        }
    }
}

fn churn(candidates: &Candidates, balancer: &Balancer, mut random: Rng) {
    let mut held = Vec::new();
    for _ in 0..5_000 {
        let random_ask = Criteria {
            random: random.u64(..),
            client: random.u64(..),
            tried: &[],
            now: Duration::ZERO,
        };
        if held.len() < 20 && random.bool() {
            let member = balancer
                .pick(candidates, &random_ask)
                .expect("one has no cap");
            let candidate = &candidates.all[member as usize];
            assert!(candidate.load.active() <= candidate.cap);
            held.push(member);
        } else if !held.is_empty() {
            give_back(
                candidates,
                balancer,
                held.swap_remove(random.usize(..held.len())),
            );
        }
    }
    held.into_iter()
        .for_each(|member| give_back(candidates, balancer, member));
}

#[test]
fn a_hint_that_is_too_low_is_found_out() {
    let candidates = candidates(&[1, 1, 1]);
    let balancer = Balancer::least_connection(&candidates);
    // Counted by somebody who did not ask for a refresh yet.
    let take = |member| candidates.take(member, Duration::ZERO, &Counting);
    assert!((0..2).all(|_| take(0)) && take(1));
    assert_eq!(picks(&balancer, &candidates, 4), [2, 1, 2, 0]);
}

#[test]
fn sessions_that_end_while_a_balancer_is_made_are_seen_by_it_afterwards() {
    let candidates = candidates(&[1, 1]);
    let take = |member| candidates.take(member, Duration::ZERO, &Counting);
    assert!((0..3).all(|_| take(0)) && take(1));
    let balancer = Balancer::least_connection(&candidates);
    (0..3).for_each(|_| candidates.all[0].load.give_back());
    assert_eq!(picks(&balancer, &candidates, 1), [1], "not seen yet");
    balancer.refresh_all(&candidates);
    assert_eq!(picks(&balancer, &candidates, 3), [0, 0, 1]);
}

#[test]
fn every_draw_finds_the_slot_of_its_sum() {
    for weights in [
        vec![1],
        vec![1, 2, 5],
        vec![256, 1, 1, 1, 1, 256, 3],
        vec![7; 100],
    ] {
        let candidates = candidates(&weights);
        let balancer = Balancer::random(&candidates);
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let slots = (0u32..).zip(&weights);
        let expected = slots.flat_map(|(slot, weight)| (0..*weight).map(move |_| slot));
        for (mark, slot) in (0..total).zip(expected) {
            // The middle of the mark's stretch of the numbers below 2^32.
            let draw = ((2 * mark + 1) << 31) / total;
            let both = Criteria {
                random: draw << 32 | draw,
                ..criteria(0)
            };
            assert_eq!(
                balancer.pick(&candidates, &both),
                Some(slot),
                "{mark} of {weights:?}"
            );
            give_back(&candidates, &balancer, slot);
        }
    }
}

//! A pool under faults drawn from a seed, beside a model of what the documents promise.
//!
//! Each simulation lives many lives: a pool with its keeper on a paused clock, sessions that come, retry and go, probes,
//! orders, weights, reloads and time, all drawn from one seed. After every step [`model`] is asked what must be: which
//! servers could have been chosen, how many sessions each one has, when a removed one must be empty. From time to time
//! [`shares`] counts choices against weights, and every server is brought back from wherever it is.
//!
//! ```text
//! HOWDAH_TEST_STEPS=5000000                 of each simulation; default 200,000, so a million for the five balances
//! HOWDAH_TEST_SEED=1234                     repeats what a failure printed
//! ```
#![allow(missing_docs, reason = "a test")]

mod draw;
mod metrics;
mod model;
mod shares;
mod sticky;
mod world;

use std::env;

use howdah::plan::Balance;

use self::world::World;

#[test]
fn round_robin() {
    simulate(Balance::RoundRobin);
}

#[test]
fn least_connection() {
    simulate(Balance::LeastConnection);
}

#[test]
fn response_time() {
    simulate(Balance::ResponseTime);
}

#[test]
fn random() {
    simulate(Balance::Random);
}

#[test]
fn source_hash() {
    simulate(Balance::SourceHash);
}

fn simulate(balance: Balance) {
    let seed = number("HOWDAH_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    let steps = number("HOWDAH_TEST_STEPS").unwrap_or(STEPS);
    let mut lives = fastrand::Rng::with_seed(seed);
    let mut told = Told {
        balance,
        seed,
        steps: 0,
    };
    while told.steps < steps {
        let life = lives.u64(..);
        // The pool draws from the thread's generator.
        fastrand::seed(life);
        let clock = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without sockets");
        let length = LIFE.min(steps - told.steps);
        clock.block_on(async {
            let mut world = World::new(balance, life);
            for _ in 0..length {
                told.steps += 1;
                world.step().await;
            }
            world.finish().await;
        });
    }
    assert!(told.steps >= steps);
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().expect("a number in HOWDAH_TEST_…"))
}

/// Says on a panic how to see it again.
struct Told {
    balance: Balance,
    seed: u64,
    steps: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (balance, seed, steps) = (self.balance.as_str(), self.seed, self.steps);
            let test = balance.replace('-', "_");
            eprintln!(
                "the simulation of {balance} failed at step {steps}; again: \
                 HOWDAH_TEST_SEED={seed} HOWDAH_TEST_STEPS={steps} cargo test --test simulation {test}"
            );
        }
    }
}

/// Of each simulation.
const STEPS: u64 = 200_000;

/// Steps after which a new pool with a new plan begins.
const LIFE: u64 = 10_000;

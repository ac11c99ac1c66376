# What people type; automation runs tests/run, which does the same.

# the list
default:
    @just --list

# format, lints, floors, documentation, licences and advisories
check:
    cargo fmt --check
    rustfmt --edition 2024 --check src/plan/service/*.rs
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
    cargo test --test floors
    cargo deny check

# unit tests and black-box tests
test:
    cargo test

# the black-box tests alone
blackbox *words:
    cargo test --test blackbox {{words}}

# a decoder under libFuzzer (cargo install cargo-fuzz; a nightly toolchain): thrift, hive, sasl, http, proxy_protocol, ...
fuzz target seconds="60":
    cargo +nightly fuzz run -s none {{target}} -- -max_total_time={{seconds}} -timeout=10 -rss_limit_mb=2048

# leases and snapshots in every order of threads
model:
    tests/run model

# a pool beside its model, for longer than the tests do
simulate steps="5000000":
    HOWDAH_TEST_STEPS={{steps}} cargo test --profile ci --test simulation

# real servers and clients
real *words:
    tests/run real {{words}}

# everything, as automation does it
all:
    tests/run

# micro-benches
bench *words:
    cargo bench {{words}}

# stand-ins, a balancer before them, a page
demo:
    cargo run --release -- demo

# a configuration of conf/
run conf="conf/hive.toml":
    cargo run --release -- run --config {{conf}}

# development certificates in certs/
certs:
    certs/dev-ca

# the image
image:
    docker build -t howdah .

# What people type; automation runs tests/run, which does the same.

# the list
default:
    @just --list

# format, lints, floors, documentation, licences and advisories
check:
    cargo fmt --check
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

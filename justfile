# The front door. `just` alone lists what there is.

_list:
    @just --list --unsorted

# everything CI runs, in CI's order; installs what is missing
check:
    ./scripts/test

# all tests
test *args:
    cargo nextest run --workspace --all-features {{args}}

# the tests that need nothing but this checkout
test-pure *args:
    cargo nextest run --workspace --all-features -E 'not test(/(^|::)daemon::/)' {{args}}

# the tests against the real Docker daemon
test-daemon *args:
    cargo nextest run --workspace --all-features -E 'test(/(^|::)daemon::/)' {{args}}

# clippy as CI runs it
lint:
    cargo clippy --workspace --all-features --all-targets -- -D warnings

# format everything
fmt:
    cargo fmt --all

# accept the snapshots of the command line after reading the difference
snap *args:
    INSTA_UPDATE=always cargo nextest run -p occ --all-features {{args}}

# write the generated pages of docs/reference again
docs:
    cargo xtask docs

# measure (needs hyperfine); the figures go to docs/benchmarks.md
bench:
    cargo build --release --locked -p occ && cargo xtask bench --date "$(date +%F)"

# measure how images are pulled, copied and verified (needs docker-registry, skopeo); the figures go to docs/benchmarks-registries.md
bench-registries:
    cargo build --release --locked -p occ && cargo xtask bench-registries --date "$(date +%F)"

# measure how images are built (half an hour; needs Docker); the figures go to docs/benchmarks-images.md
bench-images:
    cargo build --release --locked -p occ && cargo build --release --locked -p occ-layer --example limit && cargo xtask bench-images --date "$(date +%F)"

# measure releases beside the same images released with Dockerfiles (an hour; needs Docker, docker-registry, mmdebstrap, npm); the figures go to docs/benchmarks-releases.md
bench-releases:
    cargo build --release --locked -p occ && cargo xtask bench-releases --date "$(date +%F)"

# licences, sources, duplicates and who may lean on whom
deny:
    cargo deny --all-features --locked check bans licenses sources

# from nothing to a running sandbox
quickstart *args:
    ./scripts/quickstart {{args}}

# rehearse a whole release: two registries, three versions, one killed on its way, and back (needs Docker and skopeo)
release-rehearsal:
    cargo build --release --locked -p occ && ./scripts/rehearsal

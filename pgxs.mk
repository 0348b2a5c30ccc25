# The extension, built by PGXS, PostgreSQL's own rules for extensions. The Makefile hands its targets
# all, install, uninstall, installcheck and clean over to this file.

EXT         = pg_tenancy
EXTENSION   = extension/$(EXT)
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)
INSTALL_SQL = sql/$(EXT)--$(EXTVERSION).sql

MODULE_big    = $(EXT)
OBJS          = $(patsubst %.cpp,%.o,$(sort $(wildcard extension/core/*.cpp extension/pg/*.cpp)))
SHLIB_EXPORTS = extension/exports.txt
# -lcrypto is the library that the server itself runs; -lstdc++ because PGXS links with the C compiler.
SHLIB_LINK    = -lcrypto -lstdc++

# -isystem keeps PostgreSQL's headers out of our warnings. Debian's PostgreSQL does not track
# dependencies, -MMD does.
PG_CPPFLAGS = -Iextension -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CXXFLAGS = -std=c++20 -Wall -Wextra -Wshadow -Wconversion -Wold-style-cast -Wclobbered -Wno-register \
              -Werror=dangling-pointer $(WERROR) -MMD -MP

DATA_built  = $(INSTALL_SQL)
DATA        = $(wildcard sql/updates/$(EXT)--*--*.sql)

REGRESS        = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=test --outputdir=build/regress --load-extension=$(EXT)
ISOLATION      = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=build/isolation --load-extension=$(EXT)
EXTRA_CLEAN    = $(OBJS:.o=.d) $(SHLIB_EXPORTS:.txt=.list) build

# Bitcode for the JIT is of no use for C++ that catches exceptions, and clang, which would make it,
# does not get PG_CXXFLAGS.
override with_llvm := no

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) does not work: run "make deps" first, or name another pg_config with PG_CONFIG=)
endif
include $(PGXS)
-include $(OBJS:.o=.d)

$(INSTALL_SQL): $(sort $(wildcard sql/install/*.sql))
	cat $^ >$@

$(OBJS): pgxs.mk

# cp_webhook: AWS CodePipeline's webhook service as a PostgreSQL extension

PG_CONFIG ?= pg_config
EXTENSION = cp_webhook
# The version stands in the control file alone.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

ifeq ($(EXTVERSION),)
$(error run make in the checkout itself: a build in another directory is not supported)
endif

MODULE_big = $(EXTENSION)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA = $(wildcard sql/$(EXTENSION)--*.sql)

# -isystem: PostgreSQL's own headers do warn with -Wextra.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -DCPW_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu11 -Wall -Wextra
# clang does not know all the flags and attributes of a server built with gcc.
PG_CFLAGS += $(if $(findstring clang,$(CC)),-Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes)
SHLIB_LINK = -lmicrohttpd -lgnutls -lcrypto -lcurl -lpthread

REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.

# TAP tests need IPC::Run, which no PostgreSQL package brings along.
TAP_TESTS := $(shell perl -MIPC::Run -e 'print 1' 2>/dev/null)
PROVE_TESTS = test/t/*.pl

# The console's page is part of the library.
CONSOLE = $(sort $(wildcard src/console/*.html src/console/*.css src/console/*.js src/console/*.svg))
CONSOLE_HEADER = src/worker/console_files.h

EXTRA_CLEAN = .built-for $(CONSOLE_HEADER)

all:

# The first four install what they need, so they run where there is no
# PostgreSQL yet: nothing above or below may need one to be read.
.PHONY: demo demo-stop test bench lint unit dist
demo demo-stop:
	@PG_CONFIG='$(PG_CONFIG)' test/$@
test:
	@PG_CONFIG='$(PG_CONFIG)' ONLY='$(ONLY)' TESTS='$(TESTS)' test/run
bench:
	@PG_CONFIG='$(PG_CONFIG)' test/bench/run
lint:
	@test/lint/run
unit:
	@$(MAKE) -C test/unit check
dist:
	@test/dist

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(PGXS),)
# Bitcode for the server's JIT needs the very clang that the server was built
# with; without it everything else still works.
CLANG_OF_SERVER := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq ($(shell command -v $(CLANG_OF_SERVER)),)
override with_llvm = no
endif
include $(PGXS)

# PGXS tracks no headers without --enable-depend.
$(OBJS): $(wildcard src/*.h src/*/*.h) $(EXTENSION).control .built-for

src/worker/console.o src/worker/console.bc: $(CONSOLE_HEADER)
$(CONSOLE_HEADER): $(CONSOLE) src/console/embed
	src/console/embed $(CONSOLE) >$@.new && mv $@.new $@

# Objects built for another version of the server must not be linked.
.built-for: FORCE
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@
.PHONY: FORCE
FORCE:
else
.PHONY: all install uninstall installcheck clean
all install uninstall installcheck clean:
	@echo '$(PG_CONFIG) does not run: install postgresql-server-dev-<version>, or say PG_CONFIG=/path/to/pg_config' >&2; exit 1
endif

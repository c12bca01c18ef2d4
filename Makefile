# cp_webhook: AWS CodePipeline's webhook service as a PostgreSQL extension

PG_CONFIG ?= pg_config
EXTENSION = cp_webhook
# The version stands in the control file alone.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

MODULE_big = $(EXTENSION)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA = $(wildcard sql/$(EXTENSION)--*.sql)

# -isystem: PostgreSQL's own headers do warn with -Wextra.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -DCPW_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -std=gnu11 -Wall -Wextra
SHLIB_LINK = -lmicrohttpd -lcrypto

REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
ISOLATION = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.

# TAP tests need IPC::Run, which no PostgreSQL package brings along.
TAP_TESTS := $(shell perl -MIPC::Run -e 'print 1' 2>/dev/null)
PROVE_TESTS = test/t/*.pl

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS tracks no headers without --enable-depend.
$(OBJS): $(wildcard src/*.h src/*/*.h) $(EXTENSION).control

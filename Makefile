# Threatline. `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/bash

VERSION := $(shell sed -n 's/^\#\# \[\?\([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -1)
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config

# VARIANT picks the flavour of a build; each has its own folder, so they do not disturb each other.
VARIANT ?= release
FLAGS_release := -O2 -g
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_valgrind := -O1 -g
FLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-omit-frame-pointer -Wno-missing-field-initializers
ifeq ($(VARIANT),fuzz)
CC := clang
endif
B := build/$(VARIANT)
WARN := -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
        -Wpointer-arith -Wcast-qual -Wwrite-strings -Werror
# Hidden: a name of ours must not take the place of a library's (libjwt's JSON library has a json_integer, too).
HARDEN := -fstack-protector-strong -fPIE -fvisibility=hidden $(if $(filter release,$(VARIANT)),-D_FORTIFY_SOURCE=2)
CFLAGS_ALL := $(WARN) $(HARDEN) $(FLAGS_$(VARIANT)) -DTHREATLINE_VERSION='"$(VERSION)"' -I. -pthread $(CFLAGS)
LDFLAGS_ALL := $(FLAGS_$(VARIANT)) -pie -pthread -Wl,-z,relro,-z,now $(LDFLAGS)

# A library is a name of its own: its headers, its flags, and the modules that may include it. Every other module is
# compiled with a fence in front that makes the include fail.
LIBRARIES := civetweb curl pcap sqlite mongoc jwt sodium maxminddb zlib zstd cap seccomp
HEADERS_civetweb := civetweb.h
HEADERS_curl := curl/curl.h
HEADERS_pcap := pcap.h pcap/pcap.h
HEADERS_sqlite := sqlite3.h
HEADERS_mongoc := mongoc/mongoc.h mongoc.h bson/bson.h bson.h
HEADERS_jwt := jwt.h
HEADERS_sodium := sodium.h
HEADERS_maxminddb := maxminddb.h
HEADERS_zlib := zlib.h
HEADERS_zstd := zstd.h
HEADERS_cap := sys/capability.h
HEADERS_seccomp := seccomp.h
MAY_civetweb := common/http_server common/http_request common/http_socket
MAY_curl := common/http_client backend/mail
MAY_pcap := detector/capture
MAY_sqlite := detector/spool backend/store_sqlite%
MAY_mongoc := backend/store_mongo% backend/securitylog
MAY_jwt := backend/auth
MAY_sodium := common/token common/signature backend/password backend/seal
MAY_maxminddb := backend/geo
MAY_zlib := detector/capture%
MAY_zstd := detector/capture%
MAY_cap := detector/privilege
MAY_seccomp := detector/privilege
# Its headers do not pass these warnings: they are the system's.
CFLAGS_mongoc = $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags libmongoc-1.0))

COMMON_LIBS = -lcivetweb $(shell $(PKG_CONFIG) --libs libcjson libcurl libsodium) -lm
DETECTOR_LIBS = $(shell $(PKG_CONFIG) --libs libpcap sqlite3 zlib libzstd libcap libseccomp) $(COMMON_LIBS)
BACKEND_LIBS = $(shell $(PKG_CONFIG) --libs libmongoc-1.0 sqlite3 libjwt libmaxminddb) $(COMMON_LIBS)

fence = $(foreach l,$(LIBRARIES),$(if $(filter $(MAY_$(l)),$(1)),$(CFLAGS_$(l)),-Ibuild/fence/$(l)))

ROOMS := common detector backend
SRC_common := $(wildcard common/*.c)
SRC_detector := $(filter-out detector/main.c,$(wildcard detector/*.c))
SRC_backend := $(filter-out backend/main.c,$(wildcard backend/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(1))
ARCHIVES := $(foreach r,$(ROOMS),$(B)/lib$(r).a)
PROGRAMS := $(B)/bin/threatline-detector $(B)/bin/threatline-backend
ifeq ($(VARIANT),release)
PROGRAMS += build/bin/threatline-detector build/bin/threatline-backend
endif

.PHONY: all
all: $(PROGRAMS) build/www/index.html.gz ## build both programs into build/bin, the page with its .gz files into build/www

# The folders are among what it depends on: a file that went away changes them.
build/www/index.html.gz: scripts/page.sh $(shell find frontend-static)
	@echo '  GZ  build/www'; scripts/page.sh build/www

build/fence/stamp: Makefile
	@rm -rf build/fence; $(foreach l,$(LIBRARIES),$(foreach h,$(HEADERS_$(l)),mkdir -p build/fence/$(l)/$(dir $(h)); \
	  echo '#error "only $(MAY_$(l)) may include $(h)"' > build/fence/$(l)/$(h);))
	@touch $@

$(B)/%.o: %.c build/fence/stamp Makefile
	@mkdir -p $(@D)
	@echo '  CC  $@'; $(CC) $(CFLAGS_ALL) $(call fence,$*) -MMD -MP -c -o $@ $<

$(B)/backend/openapi.o: backend/openapi.yaml

define archive_rule
$(B)/lib$(1).a: $(call objects,$(SRC_$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call archive_rule,$(r))))

$(B)/bin/threatline-detector: $(B)/detector/main.o $(B)/libdetector.a $(B)/libcommon.a
	@mkdir -p $(@D)
	@echo '  LD  $@'; $(CC) $(LDFLAGS_ALL) -o $@ $^ $(DETECTOR_LIBS)

$(B)/bin/threatline-backend: $(B)/backend/main.o $(B)/libbackend.a $(B)/libcommon.a
	@mkdir -p $(@D)
	@echo '  LD  $@'; $(CC) $(LDFLAGS_ALL) -o $@ $^ $(BACKEND_LIBS)

build/bin/%: build/release/bin/%
	@mkdir -p $(@D)
	@cp -f $< $@.new && mv -f $@.new $@

# Unit tests: tests/unit/ROOM/X_test.c becomes one program. It may define functions of the room itself (a fake): the
# archive's own member is then never linked.
UNIT_SRC := $(wildcard tests/unit/*/*_test.c)
UNIT := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC))
LIBS_common = $(COMMON_LIBS)
LIBS_detector = $(DETECTOR_LIBS)
LIBS_backend = $(BACKEND_LIBS)
define unit_rule
$(B)/tests/unit/$(1)/%_test: $(B)/tests/unit/$(1)/%_test.o $(if $(filter-out common,$(1)),$(B)/lib$(1).a) $(B)/libcommon.a
	@echo '  LD  $$@'; $(CC) $(LDFLAGS_ALL) -o $$@ $$^ -lcmocka $$(LIBS_$(1))
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rule,$(r))))
$(B)/tests/%.o: tests/%.c build/fence/stamp Makefile
	@mkdir -p $(@D)
	@echo '  CC  $@'; $(CC) $(CFLAGS_ALL) $(CFLAGS_mongoc) -MMD -MP -c -o $@ $<
.SECONDARY:

.PHONY: unit
unit: $(UNIT) ## run the unit tests (cmocka)
	@VARIANT=$(VARIANT) scripts/with_mongo.sh --standalone scripts/run_unit.sh $(UNIT)

.PHONY: clean
clean: ## remove build/
	rm -rf build

# Fuzz targets: tests/fuzz/ROOM/X_fuzz.c (libFuzzer), seeds in tests/fuzz/ROOM/X_corpus.
FUZZ_SRC := $(wildcard tests/fuzz/*/*_fuzz.c)
FUZZERS := $(patsubst tests/%.c,$(B)/tests/%,$(FUZZ_SRC))
FUZZ_SECONDS ?= 60
define fuzz_rule
$(B)/tests/fuzz/$(1)/%_fuzz: $(B)/tests/fuzz/$(1)/%_fuzz.o $(if $(filter-out common,$(1)),$(B)/lib$(1).a) $(B)/libcommon.a
	@echo '  LD  $$@'; $(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $$@ $$^ $$(LIBS_$(1))
endef
$(foreach r,$(ROOMS),$(eval $(call fuzz_rule,$(r))))

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZ_SECONDS (60)
	@scripts/deps.sh check
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	@scripts/run_fuzz.sh $(FUZZ_SECONDS) $(patsubst tests/%.c,build/fuzz/tests/%,$(FUZZ_SRC))

# Programs of tests/bench are measuring tools: load generators and bare loops.
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(BENCH_SRC))
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libdetector.a $(B)/libbackend.a $(B)/libcommon.a
	@echo '  LD  $@'; $(CC) $(LDFLAGS_ALL) -o $@ $^ $(DETECTOR_LIBS) $(BACKEND_LIBS)

# Programs of tests/tools read captures or rows for training and evaluation.
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(wildcard tests/tools/*.c))
$(B)/tests/tools/%: $(B)/tests/tools/%.o $(B)/libdetector.a $(B)/libcommon.a
	@echo '  LD  $@'; $(CC) $(LDFLAGS_ALL) -o $@ $^ $(DETECTOR_LIBS)

.PHONY: tools
tools: $(TOOLS) ## build the readers that training and evaluation use

.PHONY: evaluate
evaluate: all tools ## judge THREATLINE_CAPTURES by all the card holds; writes models/README.md (about five minutes of a core)
	@"$$(scripts/venv.sh models/train/requirements.txt build/train-venv)/bin/python" models/train/assess.py --card models/README.md \
	  --captures "$${THREATLINE_CAPTURES:?a folder of captures with manifest.csv}" --reader $(B)/tests/tools/verdict_read $(EVALUATE_FLAGS)

.PHONY: bench bench-tools
bench-tools: all $(BENCH)
bench: ## measure, print ratios against the bare limit and the peers found here
	@scripts/deps.sh live
	@scripts/bench.sh

.PHONY: deps
deps: ## install what building needs (root or sudo)
	@scripts/deps.sh run

.PHONY: run
run: ## install, build and start everything; http://localhost:3000
	@scripts/deps.sh run
	@$(MAKE) --no-print-directory all
	@env --default-signal=INT scripts/run.sh # a shell's background job has it ignored, and then nothing could be trapped

.PHONY: test
test: ## install, build and run all tests that need no privilege
	@scripts/deps.sh test
	@$(MAKE) --no-print-directory all
	@scripts/test.sh

.PHONY: behaviour
behaviour: all ## run the behaviour tests (pytest, the real programs)
	@venv=$$(scripts/venv.sh) && scripts/with_mongo.sh "$$venv/bin/python" -m pytest -q tests/behaviour $(PYTEST)

# The main ways are walked on both stores.
BROWSER_MAIN := $(addprefix tests/browser/test_,a_threat_is_on_the_page_the_moment_it_is_stored.py the_inbox_is_worked_by_keyboard.py \
                  history_is_searched_and_the_address_remembers.py)
.PHONY: browser
browser: all ## run the browser tests (Chromium, the real programs)
	@venv=$$(scripts/venv.sh) && scripts/with_mongo.sh "$$venv/bin/python" -m pytest -q tests/browser $(PYTEST)
	@venv=$$(scripts/venv.sh) && BROWSER_STORE=mongodb scripts/with_mongo.sh "$$venv/bin/python" -m pytest -q $(BROWSER_MAIN) $(PYTEST)

.PHONY: test-live
test-live: ## run the tests that capture live traffic in network namespaces (root)
	@scripts/deps.sh live
	@$(MAKE) --no-print-directory all
	@venv=$$(scripts/venv.sh) && "$$venv/bin/python" -m pytest -q tests/live $(PYTEST)

.PHONY: compose-test
compose-test: ## run docker compose for real and look at it from outside (root)
	@scripts/deps.sh test
	@scripts/compose_test.sh

.PHONY: asan tsan valgrind
asan: ## unit tests, and the detector on damaged captures (THREATLINE_CAPTURES), under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory VARIANT=asan unit
	@$(MAKE) --no-print-directory VARIANT=asan build/asan/bin/threatline-detector
	@THREATLINE_BIN=build/asan/bin "$$(scripts/venv.sh)/bin/python" -m pytest -q tests/sanitized $(PYTEST)
tsan: ## unit tests under ThreadSanitizer
	@$(MAKE) --no-print-directory VARIANT=tsan unit
valgrind: ## unit tests under valgrind
	@$(MAKE) --no-print-directory VARIANT=valgrind unit

.PHONY: lint
lint: ## rooms, includes, formatting, static checks, manuals
	@scripts/deps.sh check
	@scripts/lint.sh

.PHONY: format
format: ## format the C sources
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: check-long
check-long: ## full counts: sanitizers, valgrind, fuzzing, crashes, soaks; writes docs/check-long.md
	@scripts/deps.sh check
	@$(MAKE) --no-print-directory all
	@scripts/check_long.sh

PREFIX ?= /usr/local
# The model, and the lab whose rows it is made of. What make model writes is the committed file, bit for bit.
TRAIN = "$$(scripts/venv.sh models/train/requirements.txt build/train-venv)/bin/python"
LAB_OUT ?= build/lab
MODEL_NOTE = "Its rows come from models/lab: real tools between network namespaces, and honest traffic of busy hosts, drawn at random."
MODEL_ROWS = --features models/lab/rows.csv.gz --features models/lab/drawn.csv.gz --labels models/lab/labels.csv --labels models/lab/drawn_labels.csv

.PHONY: lab
lab: all ## make the lab's traffic and its rows (root; about 40 minutes)
	@scripts/deps.sh lab
	@models/lab/lab.py --out $(LAB_OUT)
	@models/lab/rows.py --captures $(LAB_OUT)
	@models/lab/drawn.py

.PHONY: model
model: ## train models/threatline.model on the committed rows
	@$(TRAIN) models/train/train.py $(MODEL_ROWS) --windows --no-lone --parts 10 $(MODEL_FLAGS) \
	  --out models/threatline.model --card models/README.md --note $(MODEL_NOTE)
	@if [ -n "$(THREATLINE_CAPTURES)" ]; then $(MAKE) --no-print-directory build/with-captures/threatline.model; fi

# The same with the captures' rows beside the lab's, to compare; captures.py writes their hashes. Not the committed model.
.PHONY: build/with-captures/threatline.model
build/with-captures/threatline.model: build/bin/threatline-detector
	@python3 models/train/captures.py --captures $(THREATLINE_CAPTURES) --out build/with-captures
	@$(TRAIN) models/train/train.py $(MODEL_ROWS) --features build/with-captures/rows.csv.gz \
	  --labels build/with-captures/labels.csv --windows --no-lone --parts 10 $(MODEL_FLAGS) --out $@ --card build/with-captures/README.md

.PHONY: install
install: all ## install programs, manuals, model, dashboard and units below PREFIX
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin build/bin/threatline-detector build/bin/threatline-backend
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/threatline/models models/threatline.model
	rm -rf $(DESTDIR)$(PREFIX)/share/threatline/frontend-static
	cp -r build/www $(DESTDIR)$(PREFIX)/share/threatline/frontend-static
	for p in detector backend; do \
	  install -D -m 644 $$p/openapi.yaml $(DESTDIR)$(PREFIX)/share/threatline/$$p.openapi.yaml && \
	  install -D -m 644 $$p/$$p.8 $(DESTDIR)$(PREFIX)/share/man/man8/threatline-$$p.8 && \
	  install -D -m 644 $$p/$$p.service $(DESTDIR)$(PREFIX)/lib/systemd/system/threatline-$$p.service && \
	  sed -i 's|/usr/local/|$(PREFIX)/|g' $(DESTDIR)$(PREFIX)/lib/systemd/system/threatline-$$p.service || exit 1; done

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(wildcard $(MAKEFILE_LIST)) | expand -t 24 | sort -u

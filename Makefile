# iotrace: install it, run it, test it. `make help` lists the targets.
#
# What root does happens outside the clone: the environment is $(PREFIX), the command $(BINDIR)/iotrace, and tests run
# on a copy, so that no target leaves root's files in a user's clone. What a user does happens in .venv in the clone, and
# lint, which anybody may call, in that user's ~/.cache.

PREFIX ?= /opt/iotrace
BINDIR ?= /usr/local/bin
SCENARIO ?= nonblocking
ARGS ?=
# of test-labs: which scenarios (SCENARIOS= for every one), and options of iotrace lab matrix
SCENARIOS ?= blocking nonblocking select epoll-lt epoll-et signal posix-aio io-uring
LAB ?=
QUICK ?=
OUT ?= /var/tmp/iotrace-bench.json
export PREFIX BINDIR DATADIR LOCK

.PHONY: help install run test test-labs bench lab box uninstall dev check lint docs examples lock \
	mutants clean

help:
	@echo 'As root (sudo make ...):'
	@echo '  run        install what is needed, then iotrace run nonblocking (SCENARIO=signal ARGS="--hist" for others)'
	@echo '  test       install what is needed, then run every test, on the live kernel too (ARGS="-k ring")'
	@echo '  bench      measure iotrace and its peers on this machine, under 15 minutes (QUICK=1: under 2), OUT=$(OUT)'
	@echo '  install    install or update $(PREFIX) and $(BINDIR)/iotrace'
	@echo '  lab        install what iotrace lab needs too (QEMU and others); box: build a Vagrant box'
	@echo '  test-labs  scenarios on every kernel of the lab and on this one (SCENARIOS="select poll" LAB=--markdown)'
	@echo '  uninstall  remove both'
	@echo 'As yourself:'
	@echo '  dev        make .venv in this clone, with iotrace in it as it stands here'
	@echo '  check      run the tests that need no root, in .venv'
	@echo '  lint       ruff, mypy, clang-format and shellcheck on what lies here (ARGS="ruff mypy" for some of them)'
	@echo '  docs       the documentation as a site, in build/site; nothing in it needs a network'
	@echo '  examples   (as root) run every command that README.md and docs/ show, and put what it shows there (10 minutes)'
	@echo '  lock       renew requirements/*.txt, which say what is installed (ARGS=--upgrade: by newer releases)'
	@echo '  mutants    change the rules of operations, one at a time, and see a test fail (15 minutes; ARGS="*boundaries*")'
	@echo '  clean      remove .venv and what Python and pytest left behind'

install:
	@setup/install

# From / and without bytecode: Python started with -m looks into the working directory first.
run:
	@setup/install
	@cd / && PYTHONDONTWRITEBYTECODE=1 "$(BINDIR)/iotrace" run $(SCENARIO) $(ARGS)

test:
	@setup/install test
	@setup/test $(ARGS)

lab:
	@setup/install lab

box: lab
	@setup/box

test-labs: lab
	@cd / && "$(BINDIR)/iotrace" lab matrix $(SCENARIOS) --strict $(LAB) -- --messages 23 --no-cost $(ARGS)

bench:
	@setup/install bench
	@cd / && "$(PREFIX)/bin/python3" -B -E -s "$(CURDIR)"/benchmarks/run.py $(if $(QUICK),--quick) --output $(OUT) $(ARGS)

uninstall:
	@setup/uninstall

dev: .venv/ready

.venv/ready: pyproject.toml
	@test "$$(stat -c %u .)" = "$$(id -u)" || { echo 'make: work on the code as the owner of this clone, without sudo' >&2; exit 1; }
	/usr/bin/python3 -m venv --system-site-packages .venv
	.venv/bin/python3 -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

check: .venv/ready
	@.venv/bin/python3 -m pytest -m 'not live' $(ARGS)

lint:
	@setup/lint $(ARGS)

docs:
	@setup/docs

# With the environment that `make install` made; what is written belongs to the clone's owner.
examples:
	@"$(PREFIX)/bin/python3" -B docs/tools/examples.py $(ARGS)

lock:
	@setup/lock $(ARGS)

# One worker: a mutant that is slow is one that hangs. What is left, and why: tests/reference/README.md.
mutants: .venv/ready
	.venv/bin/python3 -m pip install --quiet --disable-pip-version-check 'mutmut==3.8.1'
	.venv/bin/python3 -m mutmut run --max-children 1 $(ARGS)
	.venv/bin/python3 -m mutmut results | sed '/: not checked$$/d'

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

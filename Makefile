# Stilt's verbs. Only a list of what calls what: the work is done by scripts/*.sh, which need nothing but a shell,
# and by scripts/xtask, which needs a cargo. `make VERB NAME=value` hands NAME to both: QEMU, GDB, DEBUG, FIRMWARE, DEV.

.PHONY: help image qemu debug console ptmap lab grade strict strict-planted test test-mmu test-ptmap check doc book bench bench-host fuzz mutants planted soak soak-lab soak-strict sdcard flash doctor setup clean
.DEFAULT_GOAL := help
# One verb at a time, whatever -j says: they share the image and the terminal.
.NOTPARALLEL:

CARGO := scripts/cargo.sh
KCARGO := scripts/kcargo.sh
# Of the model of the board.
EVERY_WAY_IN := --entry all --seeds 16 --lint --until 'stilt> '

help:
	@echo 'make qemu     boot in QEMU with the console on this terminal (QEMU=/path for another one)'
	@echo 'make debug    QEMU stopped at the first instruction, and GDB attached'
	@echo 'make console  type into the console of the `make debug` that runs in another terminal'
	@echo '              (qemu, debug, image: DEBUG=1 takes a debug build, which checks overflows and the order of locks)'
	@echo 'make ptmap    the live page tables as one HTML page, target/ptmap.html (ATTACH=host:port for a QEMU that runs)'
	@echo 'make lab      send FILE=labs/NAME.lab to a fresh QEMU: do your commands do what the exercise asks? Alone: the first one'
	@echo 'make grade    every exercise with its reference solution, and with a wrong one'
	@echo 'make strict   the kernel on a model of the board that forgives nothing: each way in, 16 seeds (ARGS=... in their place)'
	@echo 'make strict-planted  known faults, put into the image one by one: does the model find each?'
	@echo 'make test     the tests: host, QEMU, tools (test-mmu, test-ptmap: the rest)'
	@echo 'make test-mmu page tables of every architecture, each on the MMU of its emulator'
	@echo 'make test-ptmap  the page of make ptmap in a browser: search, keyboard, narrow and wide, light and dark'
	@echo 'make check    formatting, lints, which folder imports which, what may not run before the MMU is on, barriers, errata, packaging'
	@echo 'make doc      the documentation of kernel, page tables and tools'
	@echo 'make book     README and docs/ as a book, target/book/html/index.html; docs/ may also be read as it is'
	@echo 'make bench    the benchmarks: booting, and page tables beside those of other libraries'
	@echo 'make bench-host  page tables beside those of other libraries, on this machine'
	@echo 'make fuzz     page-table operations from random bytes, for SECONDS (600); TARGET=images: those of the model'
	@echo 'make mutants  each line of the page tables changed in turn: do the tests notice? (hours; ARGS="--shard 0/8")'
	@echo 'make planted  known mistakes, put into the page tables one by one: do the tests find each? (an hour; ARGS="--only NAME")'
	@echo 'make soak     all cores use everything at once, for SECONDS of the guest (600)'
	@echo 'make soak-lab LINES random and mutated lines of the lab at the prompt (100000)'
	@echo 'make soak-strict WORDS random instructions: does the model of the board do what QEMU does? (10000000)'
	@echo 'make image    kernel8.img and kernel8.elf'
	@echo 'make sdcard   sdcard.img, from which a board boots (FIRMWARE=folder with the files of its firmware)'
	@echo 'make flash    write sdcard.img to a card: DEV=/dev/sdX'
	@echo 'make doctor   which tools are here, which are missing, and what mends it'
	@echo 'make setup    install all that is missing; every verb does that for what it needs'
	@echo 'make clean    remove all that was built'

image:
	@scripts/setup.sh image
	@$(CARGO) xtask image

qemu:
	@scripts/setup.sh qemu
	@$(CARGO) xtask qemu

debug:
	@scripts/setup.sh debug
	@$(CARGO) xtask debug

console:
	@scripts/setup.sh console
	@$(CARGO) xtask console

ptmap:
	@scripts/setup.sh ptmap
	@$(CARGO) xtask ptmap $(ARGS)

lab:
	@scripts/setup.sh lab
	@$(CARGO) xtask lab $(if $(FILE),'$(FILE)')

grade:
	@scripts/setup.sh grade
	@$(CARGO) xtask grade

strict:
	@scripts/setup.sh strict
	$(CARGO) xtask image
	$(CARGO) xtask strict $(or $(ARGS),$(EVERY_WAY_IN))

strict-planted:
	@scripts/setup.sh strict
	$(CARGO) xtask image
	$(CARGO) xtask strict-planted $(ARGS)

test:
	@scripts/setup.sh test
	$(CARGO) xtask image
	KERNEL_TARGET_DIR=target/kernel-debug $(KCARGO) build --package stilt --bin kernel8
	$(CARGO) test --workspace --exclude strict
	$(CARGO) test --package strict --features qemu-tests
	$(CARGO) xtask strict $(EVERY_WAY_IN)
	$(CARGO) test --package stilt --features qemu-tests --test '*'

test-mmu:
	@scripts/setup.sh test-mmu
	$(CARGO) xtask mmu

test-ptmap:
	@scripts/setup.sh test-ptmap
	$(CARGO) xtask ptmap
	$(CARGO) test --package ptmap --features browser-tests --test browser

check:
	@scripts/setup.sh check
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	$(KCARGO) clippy --package stilt --bin kernel8 -- -D warnings
	$(CARGO) package --package stilt-paging --offline --allow-dirty --quiet
	$(CARGO) xtask mmu --check
	$(CARGO) xtask image
	$(CARGO) xtask check

doc:
	@scripts/setup.sh doc
	$(CARGO) doc --workspace --no-deps
	$(KCARGO) doc --package stilt --package stilt-paging --no-deps
	@echo 'The kernel as its target sees it: target/kernel/aarch64-unknown-none-softfloat/doc/stilt/index.html'

book:
	@scripts/setup.sh book
	@$(CARGO) xtask book

bench:
	@scripts/setup.sh bench
	$(CARGO) xtask bench
	$(CARGO) xtask peers

bench-host:
	@scripts/setup.sh bench-host
	$(CARGO) xtask peers --host

fuzz:
	@scripts/setup.sh fuzz
	@scripts/long.sh fuzz $(or $(SECONDS),600) $(TARGET)

mutants:
	@scripts/setup.sh mutants
	@scripts/long.sh mutants $(ARGS)

planted:
	@scripts/setup.sh planted
	@$(CARGO) xtask planted $(ARGS)

soak:
	@scripts/setup.sh test
	$(CARGO) xtask image
	STILT_SOAK_SECONDS=$(or $(SECONDS),600) $(CARGO) test --package stilt --features qemu-tests --test qemu -- soak

soak-lab:
	@scripts/setup.sh test
	$(CARGO) xtask image
	STILT_LAB_LINES=$(or $(LINES),100000) $(CARGO) test --package stilt --features qemu-tests --test qemu -- lab_lines

soak-strict:
	@scripts/setup.sh test
	STRICT_RANDOM=$(or $(WORDS),10000000) $(CARGO) test --package strict --features qemu-tests --test random

sdcard:
	@scripts/setup.sh sdcard
	@$(CARGO) xtask sdcard

flash:
	@scripts/setup.sh flash
	@$(CARGO) xtask flash $(DEV)

doctor:
	@scripts/doctor.sh

setup:
	@scripts/setup.sh all

clean:
	rm -rf target kernel8.img kernel8.elf kernel8-debug.img kernel8-debug.elf sdcard.img

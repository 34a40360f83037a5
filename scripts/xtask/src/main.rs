//! Stilt's host tools: `cargo xtask VERB`. The Makefile calls them; they work without it as well.
//!
//! Each verb has a file. [`flat`] makes the image's bytes, [`card`] the SD card's, [`flash`]
//! decides which device they may overwrite. Work that must be done before there is a cargo
//! (toolchains, packages) is in the shell scripts beside this crate.
#![forbid(unsafe_code)]

mod bench;
mod book;
mod card;
mod check;
mod checkout;
mod console;
mod debug;
mod failure;
mod firmware;
mod flash;
mod flat;
mod image;
mod lab;
mod mmu;
mod names;
mod noise;
mod peers;
mod planted;
mod program;
mod ptmap;
mod qemu;
mod sdcard;
mod strict;
mod stub;

use std::ffi::OsString;
use std::process::ExitCode;

use failure::{EndsVerb, Failure, WRONG_CALL};
use lexopt::{Arg, Parser};
use thiserror::Error;

const USAGE: &str = "\
usage: cargo xtask VERB [OPTION...]

  image  [--profile NAME]                  build kernel8.img and kernel8.elf; DEBUG=1, here and in qemu and
                                           debug, builds kernel8-debug.img and .elf with debug assertions
  qemu   [--elf FILE] [--qemu PROGRAM] [-- QEMU-OPTION...]
                                           build, then boot in QEMU on this terminal
  debug  [--elf FILE] [--qemu PROGRAM] [--batch SCRIPT]
                                           build, then QEMU stopped at the first instruction, under GDB
  console [SOCKET]                         type into the console of a running `debug`
  ptmap  [--out FILE | --list | --svg FILE] [--attach HOST:PORT] [--core N] [--elf FILE] [--qemu PROGRAM]
                                           the live page tables, read from outside the kernel: an HTML page in
                                           target/ptmap.html, lines of text, or a picture; ATTACH reads a running QEMU
  lab    [FILE] [--qemu PROGRAM] [--elf FILE] [--line-seconds N] [--all-seconds N]
                                           send a file to the prompt of a fresh QEMU, and end with 0 if all that it
                                           expects holds; without a file: the first exercise's page, and the prompt
  grade  [--qemu PROGRAM] [--elf FILE]     every exercise of labs/ with its solution, with a wrong one, with none
  check  [--root FOLDER] [--elf FILE] [--allow-835769]
                                           the rules of sources and image that no compiler enforces
  strict [IMAGE] [OPTION...]               run a kernel on the model of a board; `strict --help` lists its options
  strict-planted [IMAGE] [OPTION...]       plant faults into the kernel: does the model find each? With
                                           --each drop every barrier and register write in turn
  bench  [--qemu PROGRAM]                  what booting costs, in instructions
  book                                     README, docs/ and their like as HTML pages, target/book/html; every link
                                           in them leads somewhere
  mmu    [--check] [NAME...]               build the programs in tests/mmu and run each in its emulator
  peers  [--host] [--qemu PROGRAM]         page tables beside other libraries', in instructions
  planted [FOLDER] [--only NAME]           plant each fault of a folder in a copy of the checkout: do its tests
                                           find it? (paging/tests/planted)
  sdcard                                   build sdcard.img; FIRMWARE=folder adds the board's firmware
  flash  DEVICE [--yes]                    write sdcard.img to a removable disk
";

/// An unknown verb.
#[derive(Debug, Error)]
#[error("there is no verb {verb:?}: `cargo xtask --help` lists them")]
struct UnknownVerb {
    verb: OsString,
}

impl EndsVerb for UnknownVerb {
    fn exit_code(&self) -> u8 {
        WRONG_CALL
    }
}

fn main() -> ExitCode {
    match dispatch(Parser::from_env()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs the verb in the first argument with the arguments behind it.
fn dispatch(mut args: Parser) -> Result<ExitCode, Failure> {
    let verb = match args.next()? {
        Some(Arg::Value(verb)) => verb,
        Some(Arg::Long("help") | Arg::Short('h')) | None => {
            print!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        Some(other) => return Err(other.unexpected().into()),
    };
    match verb.to_str() {
        Some("bench") => bench::run(args),
        Some("book") => book::run(args),
        Some("check") => check::run(args),
        Some("console") => console::run(args),
        Some("debug") => debug::run(args),
        Some("flash") => flash::run(args),
        Some("grade") => lab::grade(args),
        Some("image") => image::run(args),
        Some("lab") => lab::run(args),
        Some("mmu") => mmu::run(args),
        Some("peers") => peers::run(args),
        Some("planted") => planted::run(args),
        Some("ptmap") => ptmap::run(args),
        Some("qemu") => qemu::run(args),
        Some("sdcard") => sdcard::run(args),
        Some("strict") => strict::run(args),
        Some("strict-planted") => strict::run_planted(args),
        _ => Err(UnknownVerb { verb }.into()),
    }
}

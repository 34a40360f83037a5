//! Tests of the shell scripts in `scripts/`, which must work on other machines than this one: each
//! test runs on a machine made of stubs.
#![forbid(unsafe_code)]

mod sandbox;
mod setup;
mod toolchain;

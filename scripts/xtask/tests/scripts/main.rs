//! Tests of the shell scripts in `scripts/`, which must work on machines that are not this one:
//! each runs on a machine made of stubs.
#![forbid(unsafe_code)]

mod sandbox;
mod setup;
mod toolchain;

//! Sequences of operations on a page table of every format: `make fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stilt_fuzz::Life;

fuzz_target!(|life: Life| life.run());

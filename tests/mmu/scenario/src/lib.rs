//! What a memory management unit must do with the tables that [`PageTable64`] built.
//!
//! A program for a bare machine implements [`Machine`]: how it makes a load, a store and a jump at
//! an address, as the kernel and as user code, and comes back from the fault. [`run`] then builds
//! tables, makes the accesses, and compares what happened with what was asked for and with what
//! `query` says: every set of flags that the format accepts, each size of leaf, the edges of the
//! address space, before and after map, protect, split, remap and unmap.
//!
//! Through a mapping that allows it, a load must find what was written to the frame through the
//! linear map, a store must be seen there, and a jump must run the routine that stands in the
//! frame; what is not allowed must end with the right fault at the right address and change
//! nothing.
#![no_std]
#![expect(
    unsafe_code,
    reason = "what a kernel has to bring, and memory that pages lead to"
)]

mod failure;
mod frame;
mod groups;
mod judge;
mod machine;
mod pool;
mod program;
mod trial;

use stilt_paging::PageTable64;

pub use failure::Failure;
pub use machine::{
    Access, AccessedBit, Fault, FaultKind, Machine, ONE_GIB, Privilege, ROUTINE_BYTES,
};
pub use pool::{LinearMap, Pool};
pub use program::{Identity, Part, first_instruction, map_in_place, map_program, routine_bytes};

/// The tables of a machine.
pub type Table<A> =
    PageTable64<<A as Machine>::MetaData, <A as Machine>::Entry, Pool<<A as Machine>::Linear>>;

/// Checks everything, with a line of output for each group; returns the number of accesses.
///
/// # Errors
/// What was not as it had to be, after a line that says so.
pub fn run<A: Machine>(machine: &mut A) -> Result<u64, Failure> {
    let result = groups::run_all(machine);
    match &result {
        Ok(accesses) => machine.print(format_args!(
            "{}: {accesses} accesses, all right\n",
            A::NAME
        )),
        Err(failure) => machine.print(format_args!("{}: WRONG: {failure}\n", A::NAME)),
    }
    result
}

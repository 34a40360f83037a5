//! This kernel's memory: which regions there are, who owns which frame, where things are mapped.
//!
//! Pure: [`regions`] (the image), [`layout`] (the kernel window), [`frames`], [`audit`]. With the
//! machine: the linker's symbols, the kernel's page table, the heap.

pub mod audit;
pub mod frames;
pub mod layout;
pub mod regions;

#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
pub mod kernel_space;
#[cfg(target_os = "none")]
pub mod symbols;

//! This kernel's memory: which regions there are, who owns which frame, where things are mapped.
//!
//! Pure: [`regions`] (the image), [`layout`] (the kernel window), [`areas`] (names of both),
//! [`frames`], [`extents`] (what a user's space has mapped),
//! [`map_request`] (what it is asked to map), [`audit`] and [`user_audit`] with
//! [`live_walk`] and [`expected`], [`holes`] (the check of the heap). With the machine: the
//! linker's symbols, the owner of the frames, the kernel's page table, the heap, the address spaces
//! of the low half.

pub mod areas;
pub mod audit;
pub mod expected;
pub mod extents;
pub mod frames;
pub mod holes;
pub mod layout;
pub mod live_walk;
pub mod map_request;
pub mod regions;
pub mod space_error;
pub mod user_audit;

#[cfg(target_os = "none")]
pub mod current_space;
#[cfg(target_os = "none")]
mod fresh_frames;
#[cfg(target_os = "none")]
mod given_frames;
#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
pub mod kernel_frames;
#[cfg(target_os = "none")]
pub mod kernel_space;
#[cfg(target_os = "none")]
pub mod left_out;
#[cfg(target_os = "none")]
pub mod live_checks;
#[cfg(target_os = "none")]
pub mod secondary_map;
#[cfg(target_os = "none")]
pub mod symbols;
#[cfg(target_os = "none")]
pub mod table_frames;
#[cfg(target_os = "none")]
mod user_changes;
#[cfg(target_os = "none")]
pub mod user_space;
#[cfg(target_os = "none")]
pub mod user_tables;

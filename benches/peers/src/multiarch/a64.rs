//! AArch64.
#![forbid(unsafe_code)]

use ::page_table_multiarch::MappingFlags;
pub(super) use ::page_table_multiarch::aarch64::A64PagingMetaData as MetaData;

pub(super) type Entry = ::page_table_entry::aarch64::A64PTE;

/// What makes device memory.
pub(super) const DEVICE: MappingFlags = MappingFlags::DEVICE;

//! x86_64.
#![forbid(unsafe_code)]

use ::page_table_multiarch::MappingFlags;
pub(super) use ::page_table_multiarch::x86_64::X64PagingMetaData as MetaData;

pub(super) type Entry = ::page_table_entry::x86_64::X64PTE;

/// What makes device memory: an entry made of `DEVICE` says `UNCACHED` when it is asked.
pub(super) const DEVICE: MappingFlags = MappingFlags::UNCACHED;

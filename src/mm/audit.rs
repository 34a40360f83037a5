//! The audit of live tables: what must hold of every leaf, checked on what the hardware walks.
//!
//! Pure: takes the runs that a walk of the live tree found ([`live_walk`](super::live_walk)), and
//! the ranges that must be unmapped. Nobody's own records are asked. What must be mapped, and
//! where, is compared by [`expected`](super::expected).
#![forbid(unsafe_code)]

use core::fmt;

use super::layout::Pages;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::paging::{MappingFlags, Run};

/// The counts of an audit that found nothing wrong. A block of 2 MiB is one leaf; where it can be
/// executed it is 512 pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AuditCounts {
    /// Runs of equal leaves.
    pub runs: usize,
    /// Leaves that were found.
    pub leaves: usize,
    /// Pages that can be executed.
    pub executable_pages: usize,
    /// Pairs of runs that map the same frames.
    pub aliases: usize,
    /// Ranges that must be unmapped.
    pub guards: usize,
}

impl AuditCounts {
    /// The counts in two lines of at most 80 columns: leaves, runs and executable pages, then
    /// aliases and guards. That the low half is empty, as the second line says too, is the caller's
    /// finding and not [`check`]'s.
    #[must_use]
    pub const fn lines(&self) -> [AuditLine; 2] {
        [
            AuditLine::Leaves(self.leaves, self.runs, self.executable_pages),
            AuditLine::Others(self.aliases, self.guards),
        ]
    }
}

/// A line of what was counted, as the boot log and the `audit` command print it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuditLine {
    /// Leaves, runs, executable pages.
    Leaves(usize, usize, usize),
    /// Aliases, guards.
    Others(usize, usize),
}

impl fmt::Display for AuditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaves(leaves, runs, executable) => write!(
                f,
                "{leaves} leaves in {runs} runs, {executable} pages executable"
            ),
            Self::Others(aliases, guards) => write!(
                f,
                "{aliases} aliases, {guards} guards unmapped, low half empty"
            ),
        }
    }
}

/// The first violation of the audit's rules, with the first address concerned and the values that
/// show it: those of [`check`], of [`live_walk`](super::live_walk), of
/// [`expected`](super::expected), and of [`user_audit`](super::user_audit). Addresses `va` are
/// virtual, `pa` physical.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum MapViolation {
    /// A leaf can be written and executed.
    WritableExecutable {
        /// Its address.
        va: VirtAddr,
    },
    /// A leaf of device or uncached memory can be executed.
    ExecutableDevice {
        /// Its address.
        va: VirtAddr,
    },
    /// A frame can be written through one address and executed through another.
    WritableAlias {
        /// The executable address.
        executable: VirtAddr,
        /// The writable one.
        writable: VirtAddr,
    },
    /// A frame has two memory types.
    TwoMemoryTypes {
        /// One of the two addresses.
        va: VirtAddr,
        /// The other.
        other: VirtAddr,
    },
    /// A guard is mapped.
    GuardMapped {
        /// The first mapped address in it.
        va: VirtAddr,
        /// The name of the area that it guards.
        guard: &'static str,
    },
    /// The low half still translates.
    LowHalfMapped {
        /// The first address that it maps.
        va: VirtAddr,
    },
    /// A valid descriptor that the kernel's format does not make.
    Descriptor {
        /// The first address that it translates.
        va: VirtAddr,
        /// The level of its table.
        level: usize,
        /// The descriptor's 64 bits.
        bits: u64,
    },
    /// A table descriptor leads to memory that is no table, or to the table of another descriptor.
    NoTable {
        /// The first address that it would translate.
        va: VirtAddr,
        /// The physical address in the descriptor.
        pa: PhysAddr,
    },
    /// A table cannot be read.
    Unreadable {
        /// The address whose descriptor was looked for.
        va: VirtAddr,
        /// The table's physical address.
        pa: PhysAddr,
    },
    /// A table has more or fewer entries than its descriptor counts.
    Miscounted {
        /// The first address that the table translates.
        va: VirtAddr,
        /// The count in the descriptor.
        counted: usize,
        /// The entries in the table.
        found: usize,
    },
    /// An address that the kernel needs is not mapped.
    NotMapped {
        /// The first such address.
        va: VirtAddr,
        /// The area that should be mapped there.
        what: &'static str,
    },
    /// An area that the kernel needs is mapped with other rights.
    Rights {
        /// The first such address.
        va: VirtAddr,
        /// Its flags.
        found: MappingFlags,
        /// The rights that it must have.
        expected: MappingFlags,
        /// The area that is mapped there.
        what: &'static str,
    },
    /// The linear map leads to another frame.
    Elsewhere {
        /// The address.
        va: VirtAddr,
        /// The frame that it leads to.
        pa: PhysAddr,
    },
    /// A leaf of a user's space that is not for EL0, or that is global.
    NotUser {
        /// Its address.
        va: VirtAddr,
        /// Its flags.
        found: MappingFlags,
    },
    /// A page of a user's space leads to a frame that the space has not mapped there.
    ForeignFrame {
        /// Its address.
        va: VirtAddr,
        /// The frame that it leads to.
        pa: PhysAddr,
    },
    /// Two user's spaces own one frame.
    OwnedTwice {
        /// The frame's physical address.
        pa: PhysAddr,
    },
    /// A user's space owns a frame that is not allocated.
    OwnedFree {
        /// The frame's physical address.
        pa: PhysAddr,
    },
    /// Frames that user's spaces share have other numbers of owners and of references.
    References {
        /// The spaces that own such frames, a frame at a time, added up.
        owners: usize,
        /// The references that the allocator has of these frames.
        references: usize,
    },
    /// Something is mapped in the kernel window where nothing should be.
    Stray {
        /// The first such address.
        va: VirtAddr,
    },
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is kilobytes of the
/// image.
impl fmt::Debug for MapViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MapViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WritableExecutable { va } => write!(f, "{va} is writable and executable"),
            Self::ExecutableDevice { va } => {
                write!(f, "{va} is executable device or uncached memory")
            }
            Self::WritableAlias {
                executable,
                writable,
            } => write!(
                f,
                "the frame executable at {executable} is writable at {writable}"
            ),
            Self::TwoMemoryTypes { va, other } => {
                write!(f, "the frame at {va} has another memory type at {other}")
            }
            Self::GuardMapped { va, guard } => write!(f, "{va} is mapped: {guard}"),
            Self::LowHalfMapped { va } => write!(f, "{va} in the low half is mapped"),
            Self::Descriptor { va, level, bits } => write!(
                f,
                "{va}: the level {level} descriptor {bits:#018x} is none of this kernel's"
            ),
            Self::NoTable { va, pa } => {
                write!(f, "{va}: {pa} is no frame of a table, or is another's")
            }
            Self::Unreadable { va, pa } => write!(f, "{va}: the table at {pa} cannot be read"),
            Self::Miscounted { va, counted, found } => write!(
                f,
                "{va}: the table from there on has {found} entries, not {counted}"
            ),
            Self::NotMapped { va, what } => write!(f, "{va} is not mapped: {what}"),
            Self::Rights {
                va,
                found,
                expected,
                what,
            } => write!(f, "{va} is {found}, not {expected}: {what}"),
            Self::Elsewhere { va, pa } => write!(f, "{va} in the linear map leads to {pa}"),
            Self::NotUser { va, found } => {
                write!(f, "{va} is {found}: not EL0's, or not one space's own")
            }
            Self::ForeignFrame { va, pa } => {
                write!(
                    f,
                    "{va} leads to {pa}, which its space has not mapped there"
                )
            }
            Self::OwnedTwice { pa } => write!(f, "the frame at {pa} is owned by two spaces"),
            Self::OwnedFree { pa } => {
                write!(
                    f,
                    "the frame at {pa} is owned by a space, and not allocated"
                )
            }
            Self::References { owners, references } => write!(
                f,
                "shared frames have {owners} owners, and {references} references"
            ),
            Self::Stray { va } => write!(f, "{va} is mapped, and nothing should be there"),
        }
    }
}

impl core::error::Error for MapViolation {}

/// Checks all of a tree: every run of it, in any order (sorted by frame afterwards).
///
/// # Errors
/// The first [`MapViolation`], in the order of the checks.
pub fn check(runs: &mut [Run], guards: &[Pages]) -> Result<AuditCounts, MapViolation> {
    let mut counts = AuditCounts {
        runs: runs.len(),
        guards: guards.len(),
        ..AuditCounts::default()
    };
    for run in runs.iter() {
        check_rights(run)?;
        check_guards(run, guards)?;
        counts.leaves += run.bytes / run.size.bytes();
        if run.flags.contains(MappingFlags::EXECUTE) {
            counts.executable_pages += run.bytes / PAGE_SIZE;
        }
    }
    runs.sort_unstable_by_key(|run| run.pa);
    for (index, run) in runs.iter().enumerate() {
        let end = frame(run, run.bytes);
        let rest = runs.get(index + 1..).unwrap_or_default();
        for other in rest.iter().take_while(|other| frame(other, 0) < end) {
            check_alias(run, other)?;
            counts.aliases += 1;
        }
    }
    Ok(counts)
}

/// The number of the frame `offset` bytes into a run; runs end within the number range.
fn frame(run: &Run, offset: usize) -> usize {
    (run.pa.as_usize() + offset) / PAGE_SIZE
}

fn check_rights(run: &Run) -> Result<(), MapViolation> {
    let (va, flags) = (run.va, run.flags);
    if !flags.contains(MappingFlags::EXECUTE) {
        return Ok(());
    }
    if flags.contains(MappingFlags::WRITE) {
        return Err(MapViolation::WritableExecutable { va });
    }
    if flags.intersects(MappingFlags::MEMORY_TYPE) {
        return Err(MapViolation::ExecutableDevice { va });
    }
    Ok(())
}

fn check_guards(run: &Run, guards: &[Pages]) -> Result<(), MapViolation> {
    let start = run.va.as_usize();
    let last = start + (run.bytes - 1);
    for guard in guards {
        if start < guard.end() && guard.start.as_usize() <= last {
            return Err(MapViolation::GuardMapped {
                va: run.va.max(guard.start),
                guard: guard.name,
            });
        }
    }
    Ok(())
}

/// `run` and `other` share frames; `other`'s first is not below `run`'s.
fn check_alias(run: &Run, other: &Run) -> Result<(), MapViolation> {
    let shared = other.pa.as_usize() - run.pa.as_usize();
    let here = VirtAddr::new(run.va.as_usize() + shared);
    let there = other.va;
    let memory_type = |run: &Run| run.flags.intersection(MappingFlags::MEMORY_TYPE);
    if memory_type(run) != memory_type(other) {
        return Err(MapViolation::TwoMemoryTypes {
            va: here,
            other: there,
        });
    }
    let can = |run: &Run, right| run.flags.contains(right);
    for ((executable, x), (writable, w)) in
        [((run, here), (other, there)), ((other, there), (run, here))]
    {
        if can(executable, MappingFlags::EXECUTE) && can(writable, MappingFlags::WRITE) {
            return Err(MapViolation::WritableAlias {
                executable: x,
                writable: w,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MapViolation, check};
    use crate::addr::{PhysAddr, VirtAddr};
    use crate::mm::layout::guards;
    use crate::paging::{MappingFlags, PageSize, Run, SoftwareBits};

    const READ: MappingFlags = MappingFlags::READ;
    const READ_WRITE: MappingFlags = READ.union(MappingFlags::WRITE);
    const CODE: MappingFlags = READ.union(MappingFlags::EXECUTE);
    const DEVICE: MappingFlags = READ_WRITE.union(MappingFlags::DEVICE);

    fn run(va: usize, pa: usize, pages: usize, flags: MappingFlags) -> Run {
        Run {
            va: VirtAddr::new(va),
            pa: PhysAddr::new(pa),
            bytes: pages * 0x1000,
            flags,
            software: SoftwareBits::empty(),
            size: PageSize::Size4K,
            rights: None,
        }
    }

    fn kernel() -> [Run; 4] {
        [
            run(0xffff_0000_0008_0000, 0x8_0000, 4, CODE),
            run(0xffff_0000_0008_4000, 0x8_4000, 60, READ_WRITE),
            run(0xffff_8000_4000_1000, 0x8_8000, 8, READ_WRITE),
            run(0xffff_0000_3f00_0000, 0x3f00_0000, 16, DEVICE),
        ]
    }

    #[test]
    fn a_sound_kernel_passes_and_is_counted() {
        let counts = check(&mut kernel(), &guards()).unwrap();
        assert_eq!((counts.leaves, counts.runs, counts.aliases), (88, 4, 1));
        assert_eq!(counts.executable_pages, 4);
    }

    #[test]
    fn each_planted_fault_is_named_with_its_address() {
        let at = |index: usize, run: Run| {
            let mut runs = kernel();
            runs[index] = run;
            check(&mut runs, &guards()).unwrap_err()
        };
        let va = VirtAddr::new;
        assert_eq!(
            at(
                0,
                run(0xffff_0000_0008_0000, 0x8_0000, 4, CODE | READ_WRITE)
            ),
            MapViolation::WritableExecutable {
                va: va(0xffff_0000_0008_0000)
            }
        );
        assert_eq!(
            at(
                3,
                run(
                    0xffff_0000_3f00_0000,
                    0x3f00_0000,
                    1,
                    CODE | MappingFlags::DEVICE
                )
            ),
            MapViolation::ExecutableDevice {
                va: va(0xffff_0000_3f00_0000)
            }
        );
        assert_eq!(
            at(2, run(0xffff_8000_4000_1000, 0x8_2000, 1, READ_WRITE)),
            MapViolation::WritableAlias {
                executable: va(0xffff_0000_0008_2000),
                writable: va(0xffff_8000_4000_1000),
            }
        );
        assert_eq!(
            at(2, run(0xffff_8000_4000_1000, 0x8_8000, 1, DEVICE)),
            MapViolation::TwoMemoryTypes {
                va: va(0xffff_0000_0008_8000),
                other: va(0xffff_8000_4000_1000),
            }
        );
        assert!(matches!(
            at(2, run(0xffff_8000_4000_0000, 0x8_8000, 1, READ_WRITE)),
            MapViolation::GuardMapped { va: address, .. } if address == va(0xffff_8000_4000_0000)
        ));
    }

    #[test]
    fn a_writable_run_below_an_executable_one_is_seen_too() {
        let mut runs = [
            run(0xffff_0000_0010_0000, 0x10_0000, 16, READ_WRITE),
            run(0xffff_0000_0800_0000, 0x10_3000, 1, CODE),
        ];
        assert_eq!(
            check(&mut runs, &[]),
            Err(MapViolation::WritableAlias {
                executable: VirtAddr::new(0xffff_0000_0800_0000),
                writable: VirtAddr::new(0xffff_0000_0010_3000),
            })
        );
    }

    #[test]
    fn the_last_page_of_the_address_space_does_not_wrap() {
        let mut runs = [run(0xffff_ffff_ffff_f000, 0x10_0000, 1, READ)];
        assert!(check(&mut runs, &guards()).is_ok());
    }
}

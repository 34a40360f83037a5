//! The pages that must be mapped, and no others: the audit's comparison of the live map with what
//! the kernel knows.
//!
//! Rights alone do not tell a sound map: constants that became writable, memory that is gone, or a
//! page that leads to another frame break no rule of [`audit`](super::audit). So each range that
//! the kernel stands on is compared.
//!
//! Pure: takes the runs of a walk, sorted by address.
#![forbid(unsafe_code)]

use super::audit::MapViolation;
use super::layout::{self, Pages, phys_to_virt};
use crate::addr::VirtAddr;
use crate::paging::{MappingFlags, Run};

/// That all of `pages` is mapped with `flags`.
///
/// # Errors
/// [`MapViolation::NotMapped`] or [`MapViolation::Rights`] with the first address that is not.
pub fn is_mapped(runs: &[Run], pages: Pages, flags: MappingFlags) -> Result<(), MapViolation> {
    let mut next = pages.start.as_usize();
    let past = next.saturating_add(pages.size);
    let first = runs.partition_point(|run| run.last().as_usize() < next);
    for run in runs.get(first..).unwrap_or_default() {
        if next >= past || run.va.as_usize() > next {
            break;
        }
        if run.flags != flags {
            return Err(MapViolation::Rights {
                va: VirtAddr::new(next),
                found: run.flags,
                expected: flags,
                what: pages.name,
            });
        }
        next = run.last().as_usize().saturating_add(1);
    }
    if next >= past {
        return Ok(());
    }
    Err(MapViolation::NotMapped {
        va: VirtAddr::new(next),
        what: pages.name,
    })
}

/// That the linear map has each frame at its place, and that the kernel window has nothing outside
/// `known`, which is sorted by address.
///
/// # Errors
/// [`MapViolation::Elsewhere`], [`MapViolation::Stray`].
pub fn is_in_place(runs: &[Run], known: &[Pages]) -> Result<(), MapViolation> {
    for run in runs {
        let va = run.va.as_usize();
        if va < layout::WINDOW {
            if run.va != phys_to_virt(run.pa) {
                let (va, pa) = (run.va, run.pa);
                return Err(MapViolation::Elsewhere { va, pa });
            }
            continue;
        }
        if let Some(va) = first_outside(run, known) {
            return Err(MapViolation::Stray { va });
        }
    }
    Ok(())
}

/// The first address of `run` that is in none of `known`.
fn first_outside(run: &Run, known: &[Pages]) -> Option<VirtAddr> {
    let mut next = run.va.as_usize();
    for pages in known {
        if pages.start.as_usize() <= next && next < pages.end() {
            next = pages.end();
        }
    }
    (next <= run.last().as_usize()).then(|| VirtAddr::new(next))
}

#[cfg(test)]
mod tests {
    use super::{is_in_place, is_mapped};
    use crate::addr::{PhysAddr, VirtAddr};
    use crate::mm::audit::MapViolation;
    use crate::mm::layout::Pages;
    use crate::paging::{MappingFlags, PageSize, Run, SoftwareBits};

    const READ: MappingFlags = MappingFlags::READ;
    const READ_WRITE: MappingFlags = READ.union(MappingFlags::WRITE);
    const LINEAR: usize = 0xffff_0000_0000_0000;
    const WINDOW: usize = 0xffff_8000_0000_0000;

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

    fn pages(start: usize, count: usize) -> Pages {
        Pages {
            name: "data",
            start: VirtAddr::new(start),
            size: count * 0x1000,
        }
    }

    #[test]
    fn a_range_may_lie_in_many_runs_but_has_no_hole_and_no_other_rights() {
        let runs = [
            run(LINEAR + 0x1000, 0x1000, 2, READ_WRITE),
            run(LINEAR + 0x3000, 0x3000, 1, READ_WRITE),
            run(LINEAR + 0x4000, 0x4000, 1, READ),
            run(LINEAR + 0x8000, 0x8000, 1, READ_WRITE),
        ];
        let check = |first, count| is_mapped(&runs, pages(LINEAR + first, count), READ_WRITE);
        for (first, count) in [(0x1000, 3), (0x2000, 1), (0x8000, 1), (0x6000, 0)] {
            assert_eq!(check(first, count), Ok(()), "{first:#x} {count}");
        }
        for (first, count, hole) in [(0x8000, 2, 0x9000), (0x5000, 1, 0x5000), (0, 2, 0)] {
            let (va, what) = (VirtAddr::new(LINEAR + hole), "data");
            assert_eq!(
                check(first, count),
                Err(MapViolation::NotMapped { va, what })
            );
        }
        let rights = MapViolation::Rights {
            va: VirtAddr::new(LINEAR + 0x4000),
            found: READ,
            expected: READ_WRITE,
            what: "data",
        };
        assert_eq!(check(0x3000, 2), Err(rights));
        assert!(is_mapped(&[], pages(LINEAR, 1), READ).is_err());
    }

    #[test]
    fn the_linear_map_leads_to_the_frame_of_each_address() {
        assert_eq!(
            is_in_place(&[run(LINEAR + 0x5000, 0x5000, 4, READ)], &[]),
            Ok(())
        );
        let (va, pa) = (VirtAddr::new(LINEAR + 0x5000), PhysAddr::new(0x6000));
        let moved = is_in_place(&[run(LINEAR + 0x5000, 0x6000, 1, READ)], &[]);
        assert_eq!(moved, Err(MapViolation::Elsewhere { va, pa }));
    }

    #[test]
    fn the_window_has_nothing_but_what_is_known() {
        let known = [pages(WINDOW + 0x1000, 2), pages(WINDOW + 0x8000, 4)];
        let check = |first, count| is_in_place(&[run(WINDOW + first, 0, count, READ)], &known);
        for (first, count) in [(0x1000, 2), (0x8000, 1), (0xb000, 1)] {
            assert_eq!(check(first, count), Ok(()), "{first:#x}");
        }
        for (first, count, stray) in [(0, 1, 0), (0x2000, 2, 0x3000), (0xb000, 2, 0xc000)] {
            let va = VirtAddr::new(WINDOW + stray);
            assert_eq!(check(first, count), Err(MapViolation::Stray { va }));
        }
    }

    #[test]
    fn the_last_page_of_the_address_space_does_not_wrap() {
        let last = 0xffff_ffff_ffff_f000;
        let runs = [run(last, 0, 1, READ)];
        assert_eq!(is_mapped(&runs, pages(last, 1), READ), Ok(()));
        let va = VirtAddr::new(last);
        assert_eq!(is_in_place(&runs, &[]), Err(MapViolation::Stray { va }));
    }
}

//! Operations from bytes, and what must be true after each.

use arbitrary::{Arbitrary, Unstructured};
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingError, PagingMetaData, PagingResult,
    RegionOptions, Run,
};

use crate::memory::{Frames, set_budget};

/// An address: near an edge most of the time, anything at times.
#[derive(Clone, Copy, Debug)]
struct Address(usize);

impl<'a> Arbitrary<'a> for Address {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        if bytes.ratio(1, 16)? {
            return Ok(Self(bytes.arbitrary()?));
        }
        let half = bytes.choose(&[0, 1 << 38, 1 << 39, 1 << 47, 0xffff << 48, usize::MAX << 47])?;
        let steps = [1 << 12, 1 << 21, 1 << 30, 1 << 39];
        let mut address = *half;
        for step in steps {
            let count: i8 = *bytes.choose(&[0, 0, 0, 1, 2, 15, 16, -1, -2])?;
            address = address.wrapping_add_signed(isize::from(count) * step);
        }
        Ok(Self(address))
    }
}

/// A size: of a few leaves of some size most of the time.
#[derive(Clone, Copy, Debug)]
struct Bytes(usize);

impl<'a> Arbitrary<'a> for Bytes {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        if bytes.ratio(1, 16)? {
            return Ok(Self(bytes.arbitrary()?));
        }
        let unit = *bytes.choose(&[1 << 12, 1 << 12, 1 << 16, 1 << 21, 1 << 30])?;
        let count = bytes.int_in_range(0..=34)?;
        Ok(Self(unit * count))
    }
}

/// Flags: sensible ones most of the time.
#[derive(Clone, Copy, Debug)]
struct Flags(MappingFlags);

impl<'a> Arbitrary<'a> for Flags {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let any: u16 = bytes.arbitrary()?;
        let any = MappingFlags::from_bits_truncate(usize::from(any));
        if bytes.ratio(1, 4)? {
            return Ok(Self(any));
        }
        let rights = MappingFlags::READ | MappingFlags::ACCESSED;
        let some = MappingFlags::WRITE | MappingFlags::USER | MappingFlags::GLOBAL;
        Ok(Self(rights | any & some))
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Size {
    Page,
    Block,
    Big,
}

impl Size {
    const fn page_size(self) -> PageSize {
        match self {
            Self::Page => PageSize::Size4K,
            Self::Block => PageSize::Size2M,
            Self::Big => PageSize::Size1G,
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Map(Address, Size, Flags),
    Unmap,
    Update(Option<Address>, Option<Flags>),
    MapRegion(Address, Bytes, Flags, u8),
    UnmapRegion(Bytes),
    ProtectRegion(Bytes, Flags),
    Compact(Bytes),
    Walk(u8),
    Pin(Bytes),
    Unpin(Bytes),
}

/// An operation: where, what, and how many frames it may take.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Operation {
    at: Address,
    kind: Kind,
    budget: u8,
}

/// What is mapped: its first runs and its last ones.
fn picture<M: PagingMetaData, PTE: GenericPTE>(table: &PageTable64<M, PTE, Frames>) -> Vec<Run> {
    let runs = table.view().iter(..);
    let last = table.view().iter(..).rev().take(16);
    runs.take(16).chain(last).collect()
}

impl Operation {
    /// Does it and checks what came of it.
    pub fn check<M: PagingMetaData, PTE: GenericPTE>(
        &self,
        table: &mut PageTable64<M, PTE, Frames>,
    ) {
        let before = picture(table);
        let range = self.bytes();
        let neighbours = [
            self.at.0.checked_sub(PAGE_SIZE),
            range.and_then(|bytes| self.at.0.checked_add(bytes)),
        ];
        let look = |table: &PageTable64<M, PTE, Frames>| {
            neighbours.map(|at| {
                at.map(|at| {
                    table
                        .query(VirtAddr::new(at))
                        .ok()
                        .map(|found| (found.0, found.1))
                })
            })
        };
        let beside = look(table);
        set_budget(usize::from(self.budget));
        let done = self.execute(table);
        set_budget(usize::MAX);
        match done {
            Err(error) => assert_eq!(picture(table), before, "{self:x?} failed: {error}"),
            Ok(()) => {
                if range.is_some() {
                    assert_eq!(look(table), beside, "{self:x?}");
                }
                self.check_inside(table);
            }
        }
    }

    /// The bytes that a region operation changes.
    fn bytes(&self) -> Option<usize> {
        match self.kind {
            Kind::MapRegion(_, bytes, ..)
            | Kind::UnmapRegion(bytes)
            | Kind::ProtectRegion(bytes, _)
            | Kind::Compact(bytes) => Some(bytes.0),
            _ => None,
        }
    }

    fn execute<M: PagingMetaData, PTE: GenericPTE>(
        &self,
        table: &mut PageTable64<M, PTE, Frames>,
    ) -> PagingResult {
        let va = VirtAddr::new(self.at.0);
        match self.kind {
            Kind::Map(pa, size, flags) => {
                let pa = PhysAddr::new(pa.0);
                table.map(va, pa, size.page_size(), flags.0)?.flush();
            }
            Kind::Unmap => {
                let _ = table.unmap(va)?.flush();
            }
            Kind::Update(pa, flags) => {
                let pa = pa.map(|pa| PhysAddr::new(pa.0));
                table.update(va, pa, flags.map(|flags| flags.0))?.1.flush();
            }
            Kind::MapRegion(pa, bytes, flags, options) => {
                let pa = PhysAddr::new(pa.0);
                let options = RegionOptions::from_bits_truncate(options);
                table.map_region(va, pa, bytes.0, flags.0, options)?.flush();
            }
            Kind::UnmapRegion(bytes) => table.unmap_region(va, bytes.0)?.flush(),
            Kind::ProtectRegion(bytes, flags) => {
                table.protect_region(va, bytes.0, flags.0)?.flush();
            }
            Kind::Compact(bytes) => table.compact(va, bytes.0)?.flush(),
            Kind::Walk(limit) => {
                let go = |_: &_| std::ops::ControlFlow::<()>::Continue(());
                let _ = table.view().walk(usize::from(limit), go, go);
                let _ = table.view().cursor(va).map(|mut cursor| cursor.next_leaf());
                assert!(!table.view().dump().to_string().is_empty());
            }
            Kind::Pin(bytes) => table.pin(va, bytes.0)?,
            Kind::Unpin(bytes) => {
                let _ = table.unpin(va, bytes.0);
            }
        }
        Ok(())
    }

    /// Whether the first and the last page of the range are what was asked for.
    fn check_inside<M: PagingMetaData, PTE: GenericPTE>(
        &self,
        table: &PageTable64<M, PTE, Frames>,
    ) {
        let Some(bytes) = self.bytes().filter(|bytes| *bytes > 0) else {
            return;
        };
        for offset in [0, bytes - 1] {
            let va = VirtAddr::new(self.at.0 + offset);
            let found = table.query(va);
            match self.kind {
                Kind::MapRegion(pa, _, flags, _) if flags.0.intersects(MappingFlags::RIGHTS) => {
                    let (frame, rights, _) =
                        found.unwrap_or_else(|error| panic!("{self:x?}: {error}"));
                    assert_eq!(
                        (frame.as_usize(), rights),
                        (pa.0 + offset, flags.0),
                        "{self:x?}"
                    );
                }
                Kind::MapRegion(..) | Kind::UnmapRegion(_) => {
                    assert_eq!(found, Err(PagingError::NotMapped { va }), "{self:x?}");
                }
                Kind::ProtectRegion(_, flags) => {
                    if let Ok((_, rights, _)) = found {
                        assert_eq!(rights, flags.0, "{self:x?}");
                    }
                }
                _ => {}
            }
        }
    }
}

//! The one place that makes accesses, and compares what happens with what has to happen.
#![forbid(unsafe_code)]

use stilt_paging::addr::VirtAddr;
use stilt_paging::{GenericPTE, MappingFlags, PagingError};

use crate::failure::{Failure, Translation};
use crate::frame;
use crate::machine::{Access, AccessedBit, Fault, FaultKind, Machine, Privilege};
use crate::trial::{Trial, at, done, refused};

const ACCESSES: [Access; 3] = [Access::Load, Access::Store, Access::Jump];

impl<A: Machine> Trial<'_, A> {
    /// Checks every access by everybody to the page at `va`, which is to be `want`.
    pub(crate) fn page(&mut self, va: VirtAddr, want: Option<Translation>) -> Result<(), Failure> {
        let present = want.filter(|to| to.flags.intersects(MappingFlags::RIGHTS));
        self.same(va, present, self.query(va))?;
        if let Some(to) = present {
            frame::prepare(self.machine, to.pa);
        }
        let mut used = MappingFlags::empty();
        for who in self.round {
            for access in ACCESSES {
                if self.judge(va, present, who, access)? {
                    used = MappingFlags::ACCESSED;
                }
            }
        }
        // Nothing but what was asked for may have become of the entry.
        let after = present.map(|to| Translation {
            flags: to.flags | used,
            ..to
        });
        self.same(va, after, self.query(va))
    }

    /// Checks that `va`, which the format cannot translate, is refused by table and machine.
    pub(crate) fn invalid(&mut self, va: VirtAddr) -> Result<(), Failure> {
        match self.table.query(va) {
            Err(PagingError::InvalidVirtAddr { .. }) => {}
            Err(error) => return done("query", va, Err(error)),
            Ok(_) => return refused("query", va),
        }
        for who in self.round {
            for access in ACCESSES {
                let kind = A::INVALID_ADDRESS(access);
                let (happened, place) = self.attempt(va, who, access, 0);
                let expected = Fault {
                    kind,
                    va: happened.err().and_then(|fault| fault.va).and(Some(place)),
                };
                self.compare(va, None, who, access, Err(expected), happened)?;
            }
        }
        Ok(())
    }

    /// Makes one access to a page that is `to`; whether it was allowed.
    fn judge(
        &mut self,
        va: VirtAddr,
        to: Option<Translation>,
        who: Privilege,
        access: Access,
    ) -> Result<bool, Failure> {
        let word_before = to.map(|to| frame::read::<A>(to.pa, frame::WRITE_WORD));
        let value = self.next_value;
        self.next_value = value.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let (happened, place) = self.attempt(va, who, access, value);
        let fault = Err(Fault {
            kind: FaultKind::Page(access),
            va: Some(place),
        });
        let allowed =
            to.filter(|to| self.can_be_used(to.flags) && A::allows(to.flags, who, access));
        let expected = match (allowed, access) {
            (None, _) => fault,
            (Some(to), Access::Load) => Ok(frame::stamp(to.pa)),
            (Some(_), Access::Store) => Ok(value),
            (Some(to), Access::Jump) => Ok(u64::from(frame::number(to.pa))),
        };
        // What the frame shows after a store is what counts, and after a refused one too.
        let happened = match (to, access, happened) {
            (Some(to), Access::Store, Ok(_)) => Ok(frame::read::<A>(to.pa, frame::WRITE_WORD)),
            _ => happened,
        };
        self.compare(va, to, who, access, expected, happened)?;
        if let (Some(to), Access::Jump) = (allowed, access) {
            frame::touch_routine::<A>(to.pa);
        }
        if let (Some(to), Some(before), None) = (to, word_before, allowed) {
            let after = frame::read::<A>(to.pa, frame::WRITE_WORD);
            if after != before {
                self.compare(va, Some(to), who, access, Ok(before), Ok(after))?;
            }
        }
        Ok(allowed.is_some())
    }

    /// Makes one access to the page at `va`; the result, and the address that was used.
    fn attempt(
        &mut self,
        va: VirtAddr,
        who: Privilege,
        access: Access,
        value: u64,
    ) -> (Result<u64, Fault>, VirtAddr) {
        self.accesses += 1;
        let place = match access {
            Access::Load => at(va, frame::READ_WORD),
            Access::Store => at(va, frame::WRITE_WORD),
            Access::Jump => at(va, frame::ROUTINE),
        };
        let result = self.machine.access(access, place, value, who);
        match access {
            Access::Store => (result.map(|_| value), place),
            Access::Load | Access::Jump => (result, place),
        }
    }

    /// Whether a leaf with `flags` can be used at all.
    fn can_be_used(&self, flags: MappingFlags) -> bool {
        flags.contains(MappingFlags::ACCESSED)
            || self.machine.accessed_bit() == AccessedBit::SetByHardware
    }

    fn compare(
        &self,
        va: VirtAddr,
        mapped: Option<Translation>,
        who: Privilege,
        access: Access,
        expected: Result<u64, Fault>,
        happened: Result<u64, Fault>,
    ) -> Result<(), Failure> {
        if expected == happened {
            return Ok(());
        }
        Err(Failure::Access {
            access,
            who,
            va,
            mapped,
            expected,
            happened,
            bits: self.bits(va),
        })
    }

    /// A failure unless `found` is what was `expected`. Where hardware sets `ACCESSED`, it may
    /// have.
    pub(crate) fn same(
        &self,
        va: VirtAddr,
        mut expected: Option<Translation>,
        found: Option<Translation>,
    ) -> Result<(), Failure> {
        if let (Some(expected), Some(found)) = (&mut expected, found)
            && self.machine.accessed_bit() == AccessedBit::SetByHardware
        {
            expected.flags |= found.flags & MappingFlags::ACCESSED;
        }
        if expected == found {
            return Ok(());
        }
        Err(Failure::Query {
            va,
            expected,
            found,
            bits: self.bits(va),
        })
    }

    /// What `query` says about `va`.
    pub(crate) fn query(&self, va: VirtAddr) -> Option<Translation> {
        let (pa, flags, size) = self.table.query(va).ok()?;
        Some(Translation { pa, flags, size })
    }

    /// The descriptor of `va`, 0 if there is none.
    pub(crate) fn bits(&self, va: VirtAddr) -> u64 {
        self.table
            .view()
            .leaf(va)
            .map_or(0, |leaf| leaf.entry.bits())
    }
}

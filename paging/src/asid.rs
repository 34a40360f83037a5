//! ASIDs: who may use which, and when one may be used again.
//!
//! Arm DDI 0487, D8.16.1 (global and non-global TLB entries), D8.2.1 (TTBR and ASID). A space
//! gets its ASID when a core first needs it. When all are used up, a new *generation* begins:
//! every ASID but those that cores run with right now is free again, and every core invalidates
//! its whole TLB before it uses an ASID of the new generation. So no translation of an old owner
//! can meet a new one. Linux does this in `arch/arm64/mm/context.c`; on x86 an ASID is a PCID.
//!
//! # Decisions
//! ASIDs are given out in order, without a bitmap: within a generation none comes back. With
//! 65,535 of them, a generation lasts as many new spaces.
//!
//! Whether two trees have one ASID decides whether a freed frame can still be reached, and no type
//! can see what is written to TTBR0. So the two places at which a number becomes a promise are
//! `unsafe`: [`AsidAllocator::new`], since two allocators give the same numbers out, and
//! [`PageTable64::set_asid`](crate::PageTable64::set_asid). An identity in each allocator and tag
//! would be looked at with every switch, and would not see a number that was made by hand.
#![expect(unsafe_code, reason = "a promise about registers")]

/// An address space identifier: the name under which a TLB holds one space's translations that are
/// not global. 16 bits or 8 on Arm, up to 16 on RISC-V, 10 on LoongArch, 12 on x86 (PCID).
///
/// 0 belongs to the kernel; the allocator never gives it out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Asid(u16);

impl Asid {
    /// The kernel's own, 0: what a core has loaded while it runs no space of a process.
    pub const KERNEL: Self = Self(0);

    /// Wraps a number. How many of its bits count depends on the CPU: the caller gives no more
    /// than those.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number, as TTBR0_EL1\[63:48\], `satp`\[59:44\] or CR3\[11:0\] take it, not yet shifted
    /// into its place.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// An ASID together with the generation that it was given out in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Issue {
    /// 0: none yet.
    generation: u64,
    number: u16,
}

impl Issue {
    const NONE: Self = Self {
        generation: 0,
        number: 0,
    };
}

/// The ASID of one address space, with the generation that it was given out in; a kernel keeps it
/// with the space's root. It cannot be copied, so that no second space comes to the same ASID: to
/// move it is to move the space's name.
///
/// ```compile_fail,E0382
/// # use stilt_paging::AsidTag;
/// let tag = AsidTag::NONE;
/// let (first, second) = (tag, tag);
/// ```
#[derive(Debug, Default, Eq, PartialEq)]
pub struct AsidTag(Issue);

impl AsidTag {
    /// The tag of a space that never ran: it has no ASID, and gets one when a core first activates
    /// it.
    pub const NONE: Self = Self(Issue::NONE);
}

/// The work of a core that is to run a space: invalidate if it is told to, then load ASID and root
/// in one write of its register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a core that does not invalidate when it must sees the translations of others"]
pub struct Activation {
    /// The ASID to load together with the root, and to hand to
    /// [`PageTable64::set_asid`](crate::PageTable64::set_asid) if it is another than before.
    pub asid: Asid,
    /// Whether this core must invalidate everything that its own TLB holds before it loads them:
    /// once in each generation.
    pub invalidate: bool,
}

/// The ASIDs of a machine with `CORES` cores, numbered from 0. One lock of the caller's guards it,
/// taken at each switch to another space.
///
/// With two bits of ASID, so that 1, 2 and 3 can be given out, and two cores:
///
/// ```
/// use stilt_paging::{AsidAllocator, AsidTag};
///
/// // SAFETY: the only allocator of this program.
/// let mut asids = unsafe { AsidAllocator::<2>::new(2) }.expect("3 ASIDs for 2 cores");
/// let [mut a, mut b, mut c, mut d] = [const { AsidTag::NONE }; 4];
/// let mut run = |core, tag: &mut AsidTag| {
///     let activation = asids.activate(core, tag).expect("core 0 or 1");
///     (activation.asid.as_u16(), activation.invalidate)
/// };
/// assert_eq!(run(0, &mut a), (1, false));
/// assert_eq!(run(1, &mut b), (2, false));
/// assert_eq!(run(0, &mut c), (3, false));
/// // None is left: a generation begins. B runs on core 1, C on core 0 until now: they keep theirs.
/// assert_eq!(run(0, &mut d), (1, true));
/// assert_eq!(run(1, &mut b), (2, true));
/// assert_eq!(run(1, &mut c), (3, false));
/// ```
///
/// There is one for all cores whose TLBs an invalidation reaches: its maker promises that, so that
/// a tag which was filled in is this allocator's.
#[derive(Debug)]
pub struct AsidAllocator<const CORES: usize> {
    /// How many there are, the kernel's included.
    limit: u32,
    generation: u64,
    /// The next that was not given out in this generation.
    next: u32,
    /// The ASID that each core runs with.
    active: [Issue; CORES],
    /// The ASID that each core went on with when the generation began, renewed with its space.
    reserved: [Issue; CORES],
    /// The cores that have not invalidated since the generation began.
    stale: [bool; CORES],
}

impl<const CORES: usize> AsidAllocator<CORES> {
    /// An allocator for ASIDs of `bits` bits: what the CPU has, 16 or 8 on Arm by
    /// ID_AA64MMFR0_EL1.ASIDBits (DDI 0487 D24).
    ///
    /// Returns `None` for more than 16, and unless there are more ASIDs than cores, the kernel's
    /// not counted: every core can keep its own then, and one is left to go on with.
    ///
    /// ```compile_fail,E0133
    /// let second = stilt_paging::AsidAllocator::<4>::new(16);
    /// ```
    ///
    /// # Safety
    /// It is the only one that is ever made for these cores: two would give one number to two
    /// spaces, and take each other's tags for their own. A `static` that holds it, behind the lock
    /// that it needs anyway, is made once:
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use stilt_paging::{AsidAllocator, AsidTag};
    ///
    /// // SAFETY: the only allocator of this program.
    /// static ASIDS: Mutex<Option<AsidAllocator<4>>> =
    ///     Mutex::new(unsafe { AsidAllocator::new(16) });
    ///
    /// let mut tag = AsidTag::NONE;
    /// let mut asids = ASIDS.lock().unwrap();
    /// let activation = asids.as_mut().unwrap().activate(0, &mut tag).unwrap();
    /// assert_eq!(activation.asid.as_u16(), 1);
    /// ```
    #[must_use]
    pub const unsafe fn new(bits: u32) -> Option<Self> {
        if bits > 16 || (1 << bits) <= CORES + 1 {
            return None;
        }
        Some(Self {
            limit: 1 << bits,
            generation: 1,
            next: 1,
            active: [Issue::NONE; CORES],
            reserved: [Issue::NONE; CORES],
            stale: [false; CORES],
        })
    }

    /// The ASID under which some core may hold translations of the space that keeps `tag`: what an
    /// invalidation for that space must name. `None` if no core holds any that it could still use,
    /// as for a space that has not run in this generation.
    #[must_use]
    pub fn current(&self, tag: &AsidTag) -> Option<Asid> {
        let AsidTag(issue) = *tag;
        let used = issue.generation == self.generation || self.keeps(issue);
        used.then_some(Asid(issue.number))
    }

    /// Core `core`, from 0, is about to run the space that keeps `tag`, which gets an ASID if it
    /// has none of this generation. Takes a time that grows with the cores, not with the ASIDs.
    ///
    /// Returns `None` if there is no such core.
    // Inline: a tenth of a switch would be this call, and a kernel switches in one place.
    #[inline(always)]
    pub fn activate(&mut self, core: usize, tag: &mut AsidTag) -> Option<Activation> {
        if core >= CORES {
            return None;
        }
        let AsidTag(issue) = tag;
        if issue.generation != self.generation {
            *issue = self.renew(*issue);
        }
        *self.active.get_mut(core)? = *issue;
        let stale = self.stale.get_mut(core)?;
        let invalidate = core::mem::take(stale);
        Some(Activation {
            asid: Asid(issue.number),
            invalidate,
        })
    }

    /// The ASID of this generation for a space whose own, `old`, is of an older one.
    // Cold: else each switch would save the registers of what happens once for each space.
    #[cold]
    #[inline(never)]
    fn renew(&mut self, old: Issue) -> Issue {
        loop {
            if self.keeps(old) {
                return self.keep(old);
            }
            if self.next == self.limit {
                self.begin_generation();
                continue;
            }
            let number = self.next as u16;
            self.next += 1;
            if self.reserved.iter().all(|kept| kept.number != number) {
                return self.issue(number);
            }
        }
    }

    /// Whether `old`, of an older generation, is what some core goes on with.
    fn keeps(&self, old: Issue) -> bool {
        old != Issue::NONE && self.reserved.contains(&old)
    }

    /// Takes `old` over into this generation.
    fn keep(&mut self, old: Issue) -> Issue {
        let new = self.issue(old.number);
        for kept in self.reserved.iter_mut().filter(|kept| **kept == old) {
            *kept = new;
        }
        new
    }

    const fn issue(&self, number: u16) -> Issue {
        Issue {
            generation: self.generation,
            number,
        }
    }

    fn begin_generation(&mut self) {
        for (reserved, active) in self.reserved.iter_mut().zip(&self.active) {
            // A core that has not switched since the last generation began goes on with what was
            // reserved for it then.
            if active.generation == self.generation {
                *reserved = *active;
            }
        }
        self.generation += 1;
        self.next = 1;
        self.stale = [true; CORES];
    }
}

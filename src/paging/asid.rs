//! ASIDs: who may use which, and when one may be used again.
//!
//! Arm DDI 0487, D8.16.1 (global and non-global TLB entries), D8.2.1 (TTBR and ASID). A space
//! gets its ASID when a core first needs it. When all are used up, a new *generation* begins:
//! every ASID but those that cores run with right now is free again, and every core invalidates
//! its whole TLB before it uses an ASID of the new generation. So no translation of an old owner
//! can meet a new one.
//!
//! # Decisions
//! ASIDs are given out in order, without a bitmap: within a generation none comes back. With
//! 65,535 of them, a generation lasts as many new spaces.
#![forbid(unsafe_code)]

/// The name under which the TLB holds one address space's translations.
///
/// 0 belongs to the kernel; the allocator never gives it out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Asid(u16);

impl Asid {
    /// The kernel's.
    pub const KERNEL: Self = Self(0);

    /// Wraps a number; how many bits of it count depends on the CPU.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// An ASID together with the generation that it was given out in: what a space keeps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AsidTag {
    /// 0: none yet.
    generation: u64,
    number: u16,
}

impl AsidTag {
    /// That of a space that never ran.
    pub const NONE: Self = Self {
        generation: 0,
        number: 0,
    };
}

/// What a core must do to use a space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a core that does not invalidate when it must sees the translations of others"]
pub struct Activation {
    /// The ASID to load together with the root.
    pub asid: Asid,
    /// Whether this core must invalidate everything that it holds before it loads them.
    pub invalidate: bool,
}

/// The ASIDs of a machine with `CORES` cores. One lock of the caller's guards it.
#[derive(Debug)]
pub struct AsidAllocator<const CORES: usize> {
    /// How many there are, the kernel's included.
    limit: u32,
    generation: u64,
    /// The next that was not given out in this generation.
    next: u32,
    /// What each core runs with.
    active: [AsidTag; CORES],
    /// What each core went on with when the generation began, renewed with its space.
    reserved: [AsidTag; CORES],
    /// The cores that have not invalidated since the generation began.
    stale: [bool; CORES],
}

impl<const CORES: usize> AsidAllocator<CORES> {
    /// An allocator for ASIDs of `bits` bits, at least 1 and at most 16. There must be more ASIDs
    /// than cores, the kernel's not counted.
    ///
    /// Returns `None` if there are not.
    #[must_use]
    pub const fn new(bits: u32) -> Option<Self> {
        if bits > 16 || (1 << bits) <= CORES + 1 {
            return None;
        }
        Some(Self {
            limit: 1 << bits,
            generation: 1,
            next: 1,
            active: [AsidTag::NONE; CORES],
            reserved: [AsidTag::NONE; CORES],
            stale: [false; CORES],
        })
    }

    /// The ASID under which some core may hold translations of the space that keeps `tag`: what an
    /// invalidation for that space must name. `None` if no core does that could use them.
    #[must_use]
    pub fn current(&self, tag: AsidTag) -> Option<Asid> {
        let used = tag.generation == self.generation || self.keeps(tag);
        used.then_some(Asid(tag.number))
    }

    /// Core `core` is about to run the space that keeps `tag`, which gets an ASID if it has none.
    ///
    /// Returns `None` if there is no such core.
    pub fn activate(&mut self, core: usize, tag: &mut AsidTag) -> Option<Activation> {
        if core >= CORES {
            return None;
        }
        if tag.generation != self.generation {
            *tag = self.renew(*tag);
        }
        *self.active.get_mut(core)? = *tag;
        let stale = self.stale.get_mut(core)?;
        let invalidate = core::mem::take(stale);
        Some(Activation {
            asid: Asid(tag.number),
            invalidate,
        })
    }

    /// The tag of a space whose own is of an older generation.
    fn renew(&mut self, old: AsidTag) -> AsidTag {
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
            if self.reserved.iter().all(|tag| tag.number != number) {
                return self.tag(number);
            }
        }
    }

    /// Whether `old`, of an older generation, is what some core goes on with.
    fn keeps(&self, old: AsidTag) -> bool {
        old != AsidTag::NONE && self.reserved.contains(&old)
    }

    /// Takes `old` over into this generation.
    fn keep(&mut self, old: AsidTag) -> AsidTag {
        let new = self.tag(old.number);
        for tag in self.reserved.iter_mut().filter(|tag| **tag == old) {
            *tag = new;
        }
        new
    }

    const fn tag(&self, number: u16) -> AsidTag {
        AsidTag {
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

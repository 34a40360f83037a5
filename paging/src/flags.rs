//! [`MappingFlags`]: rights, memory type and scope of a mapping, whatever the format.
#![forbid(unsafe_code)]

use core::fmt;

bitflags::bitflags! {
    /// Rights, memory type and scope of a mapping, independent of the format: what Linux keeps in
    /// `pgprot_t`.
    ///
    /// A set without `READ`, `WRITE` and `EXECUTE` makes an inaccessible leaf, which keeps its
    /// frame (a `PROT_NONE` entry in Linux). What a format cannot express is refused, never changed
    /// in silence. Sources: Arm DDI 0487 D8.4 (rights), D8.6 (memory attributes).
    ///
    /// ```
    /// use stilt_paging::MappingFlags;
    ///
    /// let kernel = MappingFlags::GLOBAL | MappingFlags::ACCESSED;
    /// let code = kernel | MappingFlags::READ | MappingFlags::EXECUTE;
    /// assert_eq!(code.to_string(), "r-x k wb     ga");
    /// assert!((code | MappingFlags::WRITE).breaks_wx());
    /// let registers = kernel | MappingFlags::READ | MappingFlags::WRITE | MappingFlags::DEVICE;
    /// assert_eq!(registers.to_string(), "rw- k nGnRE  ga");
    /// ```
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct MappingFlags: usize {
        /// Loads are allowed: for the kernel, and with `USER` for user code too. x86-64 and AArch64
        /// have no leaf that can be written and not read.
        const READ = 1 << 0;
        /// Stores are allowed, for whom `READ` is. The dirty bit is set from the start where a
        /// format has one, so no first store faults.
        const WRITE = 1 << 1;
        /// Instruction fetches are allowed: for the kernel, or, with `USER`, for user code alone,
        /// so the kernel never runs what a process wrote.
        const EXECUTE = 1 << 2;
        /// User code (EL0, ring 3, U-mode, PLV 3) has the rights too; such a leaf belongs to one
        /// address space and is never `GLOBAL`.
        const USER = 1 << 3;
        /// Device memory: accesses are neither merged nor reordered; writes may be acknowledged
        /// early (Arm nGnRE, x86 UC, RISC-V IO). With `UNCACHED`: not even that (nGnRnE).
        const DEVICE = 1 << 4;
        /// Normal memory that no cache holds, as for a framebuffer or for DMA without snooping
        /// (Arm Normal non-cacheable, x86 UC-, RISC-V NC).
        const UNCACHED = 1 << 5;
        /// The translation holds in every address space, so a TLB keeps it whatever the ASID is
        /// (Arm nG = 0, G elsewhere); of the kernel's leaves only.
        const GLOBAL = 1 << 7;
        /// The page counts as used. Without it the first use faults (Arm's access flag, RISC-V A)
        /// or has the hardware set the bit (x86 A).
        const ACCESSED = 1 << 6;
        /// Names the exception to W^X: `EXECUTE` together with `WRITE`, or of memory that is not
        /// write-back. Such a set is refused without it, and every other set with it. In no entry.
        const EXECUTE_ANYWAY = 1 << 8;
    }
}

bitflags::bitflags! {
    /// Two bits of each leaf that the hardware ignores, for the kernel's own use: `_PAGE_SOFTW1` and
    /// `_PAGE_SOFTW2` of Linux, `AVAIL1` of OSTD's `PageFlags`.
    ///
    /// A leaf is mapped without them. They stay when its flags or its frame change and when it is
    /// made inaccessible; each piece of a block that is split has them; leaves whose bits differ are
    /// not folded. Unmapping takes them away.
    ///
    /// | format | `SOFTW2`, `SOFTW1` | source |
    /// |---|---|---|
    /// | AArch64 | bits 57, 56, "reserved for software use" | Arm DDI 0487, D8.3.1 |
    /// | x86-64 | bits 53, 52, ignored | Intel SDM 3A, 5.5 "4-Level Paging" |
    /// | RISC-V | bits 9, 8: RSW | ISA manual II, "Sv39: Page-Based 39-bit Virtual-Memory System" |
    /// | LoongArch | bits 57, 56, not defined for an entry | volume 1, 5.4 |
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct SoftwareBits: u8 {
        /// The lower of the two.
        const SOFTW1 = 1 << 0;
        /// The higher of the two.
        const SOFTW2 = 1 << 1;
    }
}

impl fmt::Display for SoftwareBits {
    /// The names of the bits that are set: `SOFTW1 | SOFTW2`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
    }
}

/// All that a leaf says besides its frame and its size: what Linux has in `pgprot_t`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Attributes {
    /// Rights, memory type and scope, which the hardware reads.
    pub flags: MappingFlags,
    /// Two bits that it ignores.
    pub software: SoftwareBits,
}

impl MappingFlags {
    /// The flags that grant access: a leaf with none of them is inaccessible, and the hardware
    /// does not follow it.
    pub const RIGHTS: Self = Self::READ.union(Self::WRITE).union(Self::EXECUTE);
    /// The flags that select a memory type; with neither, memory is Normal write-back, shareable
    /// among all cores.
    pub const MEMORY_TYPE: Self = Self::DEVICE.union(Self::UNCACHED);
    /// The number of sets of flags: [`MappingFlags::bits`] of every set is below it, so that a
    /// format can have a table of all.
    pub const SETS: usize = 1 << 9;
    /// Flags beside which `EXECUTE` is refused: code that can be written, and memory whose
    /// speculative fetches have side effects.
    const NOT_TO_EXECUTE: Self = Self::WRITE.union(Self::MEMORY_TYPE);

    /// Whether W^X forbids the set unless [`MappingFlags::EXECUTE_ANYWAY`] is in it: it executes,
    /// and can be written or is not write-back.
    #[must_use]
    pub const fn breaks_wx(self) -> bool {
        self.contains(Self::EXECUTE) && self.intersects(Self::NOT_TO_EXECUTE)
    }
}

impl MappingFlags {
    /// `r`, `w` and `x`, or `-` for a right that is not given: `['r', 'w', '-']` is data. A capital
    /// `X` is an exception to W^X.
    #[must_use]
    pub const fn right_letters(self) -> [char; 3] {
        let execute = if self.contains(Self::EXECUTE_ANYWAY) {
            'X'
        } else {
            'x'
        };
        [
            if self.contains(Self::READ) { 'r' } else { '-' },
            if self.contains(Self::WRITE) { 'w' } else { '-' },
            if self.contains(Self::EXECUTE) {
                execute
            } else {
                '-'
            },
        ]
    }

    /// The memory type in Arm's words, at most six letters: `wb` (write-back), `nc`
    /// (non-cacheable), `nGnRE` or `nGnRnE` (device).
    #[must_use]
    pub const fn memory_type(self) -> &'static str {
        match self.intersection(Self::MEMORY_TYPE) {
            Self::DEVICE => "nGnRE",
            Self::UNCACHED => "nc",
            Self::MEMORY_TYPE => "nGnRnE",
            _ => "wb",
        }
    }
}

/// The rights of kernel and user code to one page, where they differ: two sets of
/// [`MappingFlags::RIGHTS`]. Prints as `kernel rw-, user r--`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rights {
    /// The rights of the kernel (EL1, ring 0, S-mode), a subset of [`MappingFlags::RIGHTS`] and
    /// nothing else.
    pub kernel: MappingFlags,
    /// The rights of user code (EL0, ring 3, U-mode), a subset of [`MappingFlags::RIGHTS`] and
    /// nothing else.
    pub user: MappingFlags,
}

impl fmt::Display for Rights {
    /// `kernel rwx, user --x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [read, write, execute] = self.kernel.right_letters();
        write!(f, "kernel {read}{write}{execute}, ")?;
        let [read, write, execute] = self.user.right_letters();
        write!(f, "user {read}{write}{execute}")
    }
}

impl fmt::Display for MappingFlags {
    /// `rwx k nGnRE  ga`, fifteen columns: rights, user or kernel, memory type, global, accessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [read, write, execute] = self.right_letters();
        let letter = |flag, letter| if self.contains(flag) { letter } else { '-' };
        write!(
            f,
            "{read}{write}{execute} {} {:<6} {}{}",
            if self.contains(Self::USER) { 'u' } else { 'k' },
            self.memory_type(),
            letter(Self::GLOBAL, 'g'),
            letter(Self::ACCESSED, 'a'),
        )
    }
}

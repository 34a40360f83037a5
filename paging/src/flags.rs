//! [`MappingFlags`]: rights, memory type and scope of a mapping, whatever the format.
#![forbid(unsafe_code)]

use core::fmt;

bitflags::bitflags! {
    /// Rights, memory type and scope of a mapping, independent of the format.
    ///
    /// A set without `READ`, `WRITE` and `EXECUTE` makes a retained entry. What a format cannot
    /// express is refused, never changed in silence.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct MappingFlags: usize {
        /// Loads are allowed.
        const READ = 1 << 0;
        /// Stores are allowed.
        const WRITE = 1 << 1;
        /// Instruction fetches are allowed: for the kernel, or, with `USER`, for user code.
        const EXECUTE = 1 << 2;
        /// User code has the rights too.
        const USER = 1 << 3;
        /// Device memory: no gathering, no reordering, early write acknowledgement. With
        /// `UNCACHED`: no early acknowledgement either.
        const DEVICE = 1 << 4;
        /// Normal memory that is not cached.
        const UNCACHED = 1 << 5;
        /// Holds in every address space; kernel mappings only.
        const GLOBAL = 1 << 7;
        /// May be used without an access-flag fault.
        const ACCESSED = 1 << 6;
        /// Names the exception to W^X: `EXECUTE` together with `WRITE`, or of memory that is not
        /// write-back. Such a set is refused without it, and every other set with it.
        const EXECUTE_ANYWAY = 1 << 8;
    }
}

impl MappingFlags {
    /// The flags that grant access.
    pub const RIGHTS: Self = Self::READ.union(Self::WRITE).union(Self::EXECUTE);
    /// The flags that select a memory type.
    pub const MEMORY_TYPE: Self = Self::DEVICE.union(Self::UNCACHED);
    /// How many sets of flags there are: [`MappingFlags::bits`] is below.
    pub const SETS: usize = 1 << 9;
    /// What makes execution dangerous.
    const NOT_TO_EXECUTE: Self = Self::WRITE.union(Self::MEMORY_TYPE);

    /// Whether the set is one that W^X forbids but for [`MappingFlags::EXECUTE_ANYWAY`].
    #[must_use]
    pub const fn breaks_wx(self) -> bool {
        self.contains(Self::EXECUTE) && self.intersects(Self::NOT_TO_EXECUTE)
    }
}

impl MappingFlags {
    /// `r`, `w` and `x`, or `-` for a right that is not given. A capital `X` is an exception to W^X.
    #[must_use]
    pub const fn right_letters(self) -> [char; 3] {
        let execute = match self.contains(Self::EXECUTE_ANYWAY) {
            true => 'X',
            false => 'x',
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

    /// The memory type: write-back, non-cacheable, or Arm's name of the device type.
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

/// What the kernel and what user code may do with a page: two sets of [`MappingFlags::RIGHTS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rights {
    /// The kernel.
    pub kernel: MappingFlags,
    /// User code.
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

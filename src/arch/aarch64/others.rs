//! The other cores, which the room `kernel` knows: it defines these symbols.

unsafe extern "C" {
    /// The other cores stand still when this returns, until [`kernel_let_others_go`].
    pub(super) safe fn kernel_hold_others();
    /// They go on.
    pub(super) safe fn kernel_let_others_go();
    /// What a core does while it waits for a lock: it hears what must not wait for the lock. Returns how
    /// long a lock may be held, in nanoseconds.
    pub(super) safe fn kernel_hear() -> u64;
}

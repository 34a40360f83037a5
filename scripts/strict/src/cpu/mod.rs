//! One Cortex-A53: its registers, its exceptions, its accesses, and the loop that executes.
//!
//! | module | contents |
//! |---|---|
//! | `syndrome` | exceptions as values |
//! | `code_page` | the page that instructions come from |
//! | `core` | the core's state, and the loop |
//! | `exception` | taking an exception, returning from one, interrupts |
//! | `fetch` | instruction fetches |
//! | `access` | loads and stores by virtual address |
//! | `buffered` | stores that drain |
//! | `timers` | the generic timer |

pub(crate) mod access;
mod buffered;
mod code_page;
mod core;
mod exception;
mod fetch;
pub(crate) mod syndrome;
pub(crate) mod timers;

pub(crate) use self::core::{Core, Executed, Interruption, Pstate, Waiting};

//! One Cortex-A53: its registers, its exceptions, its accesses, and the loop that executes.
//!
//! | module | contents |
//! |---|---|
//! | `syndrome` | exceptions as values |
//! | `code_page` | the page that instructions come from |
//! | `core` | the core's state, and the loop |
//! | `exception` | taking an exception, returning from one, interrupts |
//! | `fetch` | instruction fetches |
//! | `translation` | walks from the core's registers, and translations that it may still use |
//! | `access` | loads and stores by virtual address |
//! | `device` | loads and stores of devices |
//! | `buffered` | stores that drain |
//! | `timers` | the generic timer |

pub(crate) mod access;
mod buffered;
mod code_page;
mod core;
mod device;
mod exception;
mod fetch;
pub(crate) mod syndrome;
pub(crate) mod timers;
mod translation;

pub(crate) use self::core::{Core, Executed, Interruption, Pstate, Waiting};

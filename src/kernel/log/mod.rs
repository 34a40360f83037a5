//! The boot log: lines with the time since `_start`, kept, and handed to whoever shows them.
//!
//! The log knows no console. Whoever can show lines adds a [`Sink`]: the console does once it is
//! set up, and so may a framebuffer. Lines that were logged before are kept, and shown by `replay`.
//!
//! Pure: the [`Sinks`].

mod sinks;

#[cfg(target_os = "none")]
mod ring;

#[cfg(target_os = "none")]
pub use ring::{add_sink, line, replay};
pub use sinks::{Level, MOST, Sink, Sinks, TooManySinks};

/// Logs a line: `log!("name", "format", arguments)`.
#[macro_export]
macro_rules! log {
    ($topic:literal, $($text:tt)+) => {
        $crate::kernel::log::line(
            $crate::kernel::log::Level::Info,
            format_args!("{:<7} {}", $topic, format_args!($($text)+)),
        )
    };
}

/// Logs a line about what is not as it should be: `warning!("name", "format", arguments)`.
#[macro_export]
macro_rules! warning {
    ($topic:literal, $($text:tt)+) => {
        $crate::kernel::log::line(
            $crate::kernel::log::Level::Warning,
            format_args!("{:<7} warning: {}", $topic, format_args!($($text)+)),
        )
    };
}

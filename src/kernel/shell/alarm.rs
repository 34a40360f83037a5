//! `alarm`: waits for an interrupt of the system timer, by the sample driver.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Write};

use super::arguments::number_from;
use super::error::CommandError;
use super::progress::Progress;
use crate::kernel::clock;
use crate::kernel::console;
use crate::kernel::machine::alarm::Alarm;

/// The longest, in milliseconds: the timer's counter comes round after 71 minutes.
const MOST_MS: u64 = 60 * 60 * 1000;
/// An alarm that is so late does not come.
const LATE_NS: u64 = 2_000_000_000;

/// The paragraphs that `help alarm` shows below the usage.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "  MILLISECONDS is from 1 to {MOST_MS}. The interrupt is taken for the alarm"
    )?;
    writeln!(
        out,
        "  and given up behind it: `irq` shows how often it came."
    )
}

/// `alarm MILLISECONDS`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let delay_ms = number_from(1, MOST_MS, word)?;
    let delay_us = u32::try_from(delay_ms * 1000).unwrap_or(u32::MAX);
    let mut progress = Progress::new("alarm", delay_ms, "ms");
    let start_ns = clock::now_ns();
    let give_up_ns = start_ns + delay_ms * 1_000_000 + LATE_NS;
    let alarm = Alarm::begin(delay_us)?;
    loop {
        progress.wait(give_up_ns, || {
            alarm.rang_ns().is_some() || console::is_interrupted()
        })?;
        if let Some(rang_ns) = alarm.rang_ns() {
            let after_us = rang_ns.saturating_sub(start_ns) / 1000;
            writeln!(out, "rang after {after_us} us")?;
            return Ok(());
        }
        let now_ns = clock::now_ns();
        if now_ns >= give_up_ns {
            return Err(NoInterrupt.into());
        }
        progress.at(now_ns.saturating_sub(start_ns) / 1_000_000, out)?;
    }
}

/// The timer's interrupt does not come.
#[derive(Debug)]
struct NoInterrupt;

impl fmt::Display for NoInterrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("alarm: not what it should do")
    }
}

impl Error for NoInterrupt {}

//! Who shows the lines of the log, in which order, and which lines.
#![forbid(unsafe_code)]

use core::fmt;

/// How much a line matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// What happened.
    Info,
    /// What is not as it should be; the kernel goes on.
    Warning,
}

/// Who shows lines as they are logged.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Shows a text of whole lines. It may wait, and take locks; it must not log.
    pub write: fn(fmt::Arguments<'_>),
    /// Lines of a lower level are left out.
    pub least: Level,
}

/// Every place for a sink is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooManySinks;

impl fmt::Display for TooManySinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log has {MOST} sinks already")
    }
}

impl core::error::Error for TooManySinks {}

/// Sinks at most.
pub const MOST: usize = 4;

/// The sinks, in the order in which they were added.
#[derive(Clone, Copy, Debug)]
pub struct Sinks([Option<Sink>; MOST]);

impl Sinks {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self([None; MOST])
    }

    /// Adds one behind the others.
    ///
    /// # Errors
    /// [`TooManySinks`].
    pub fn add(&mut self, sink: Sink) -> Result<(), TooManySinks> {
        let place = self.0.iter_mut().find(|place| place.is_none());
        *place.ok_or(TooManySinks)? = Some(sink);
        Ok(())
    }

    /// Those that show lines of `level`.
    pub fn of(&self, level: Level) -> impl Iterator<Item = &Sink> {
        let sinks = self.0.iter().flatten();
        sinks.filter(move |sink| level >= sink.least)
    }
}

impl Default for Sinks {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::fmt;
    use std::sync::Mutex;
    use std::vec::Vec;

    use super::{Level, MOST, Sink, Sinks, TooManySinks};

    static SHOWN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    fn show<const NAME: u8>(_: fmt::Arguments<'_>) {
        SHOWN.lock().expect("one test at a time").push(NAME);
    }

    #[test]
    fn each_sink_shows_the_lines_of_its_level_in_the_order_of_adding() {
        let mut sinks = Sinks::default();
        let all = Sink {
            write: show::<b'a'>,
            least: Level::Info,
        };
        let warnings = Sink {
            write: show::<b'w'>,
            least: Level::Warning,
        };
        for sink in [warnings, all, warnings] {
            assert_eq!(sinks.add(sink), Ok(()));
        }
        for (level, shown) in [(Level::Info, &b"a"[..]), (Level::Warning, b"waw")] {
            sinks
                .of(level)
                .for_each(|sink| (sink.write)(format_args!("")));
            let said = core::mem::take(&mut *SHOWN.lock().expect("one test at a time"));
            assert_eq!(said, shown, "{level:?}");
        }
        for _ in 3..MOST {
            assert_eq!(sinks.add(all), Ok(()));
        }
        assert_eq!(sinks.add(all), Err(TooManySinks));
        assert_eq!(sinks.of(Level::Warning).count(), MOST, "those before stay");
    }
}

//! The sinks of the log: each line goes to every sink, in the order in which they were added, if
//! its level is not below the sink's least one.
#![forbid(unsafe_code)]

use core::fmt;

/// How much a line matters. Levels are ordered: a sink shows those that are not below its least
/// one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// An event that is as it should be.
    Info,
    /// Something is not as it should be; the kernel goes on.
    Warning,
}

/// A place that shows lines as they are logged: on the core that logs, and with the log's lock
/// released.
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Shows a text of whole lines. It may wait, and take locks; it must not log.
    pub write: fn(fmt::Arguments<'_>),
    /// Lines of a lower level are left out.
    pub least: Level,
}

/// Every place for a sink is taken: there are [`MOST`], and none becomes free again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooManySinks;

impl fmt::Display for TooManySinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log has {MOST} sinks already")
    }
}

impl core::error::Error for TooManySinks {}

/// The largest number of sinks. A fixed one, since the log is there before the heap.
pub const MOST: usize = 4;

/// The sinks, in the order in which they were added. The log copies the list to call them without
/// its lock.
#[derive(Clone, Copy, Debug)]
pub struct Sinks([Option<Sink>; MOST]);

impl Sinks {
    /// An empty list: no line is shown.
    #[must_use]
    pub const fn new() -> Self {
        Self([None; MOST])
    }

    /// Adds one behind the others; nothing takes it away again.
    ///
    /// # Errors
    /// [`TooManySinks`] if there are [`MOST`].
    pub fn add(&mut self, sink: Sink) -> Result<(), TooManySinks> {
        let place = self.0.iter_mut().find(|place| place.is_none());
        *place.ok_or(TooManySinks)? = Some(sink);
        Ok(())
    }

    /// The sinks that show lines of `level`, in the order in which they were added: their least
    /// level is not above it.
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
    use core::cell::RefCell;
    use core::fmt;
    use std::string::{String, ToString};
    use std::thread_local;
    use std::vec::Vec;

    use super::{Level, MOST, Sink, Sinks, TooManySinks};

    thread_local! {
        /// Each sink's name, with what it was shown.
        static SHOWN: RefCell<Vec<(char, String)>> = const { RefCell::new(Vec::new()) };
    }

    fn show<const NAME: char>(text: fmt::Arguments<'_>) {
        SHOWN.with_borrow_mut(|shown| shown.push((NAME, text.to_string())));
    }

    const fn sink<const NAME: char>(least: Level) -> Sink {
        Sink {
            write: show::<NAME>,
            least,
        }
    }

    /// Hands a line to the sinks, as `log::line` does. Returns who showed it, in that order.
    fn log(sinks: &Sinks, level: Level, line: &str) -> String {
        for sink in sinks.of(level) {
            (sink.write)(format_args!("{line}"));
        }
        let shown = SHOWN.take();
        assert!(shown.iter().all(|(_, text)| text == line), "{shown:?}");
        shown.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn without_a_sink_a_line_is_shown_nowhere() {
        for level in [Level::Info, Level::Warning] {
            assert_eq!(log(&Sinks::new(), level, "started"), "");
        }
    }

    #[test]
    fn each_sink_shows_the_lines_of_its_level_in_the_order_of_adding() {
        let mut sinks = Sinks::default();
        for sink in [
            sink::<'w'>(Level::Warning),
            sink::<'a'>(Level::Info),
            sink::<'v'>(Level::Warning),
        ] {
            assert_eq!(sinks.add(sink), Ok(()));
        }
        assert_eq!(log(&sinks, Level::Info, "started"), "a");
        assert_eq!(log(&sinks, Level::Warning, "late"), "wav");
    }

    #[test]
    fn a_sink_that_is_added_late_shows_the_lines_from_then_on_behind_the_others() {
        let mut sinks = Sinks::new();
        assert_eq!(sinks.add(sink::<'a'>(Level::Info)), Ok(()));
        assert_eq!(log(&sinks, Level::Info, "one"), "a");
        let while_adding = sinks;
        assert_eq!(sinks.add(sink::<'b'>(Level::Info)), Ok(()));
        assert_eq!(log(&while_adding, Level::Info, "two"), "a");
        assert_eq!(log(&sinks, Level::Info, "three"), "ab");
    }

    #[test]
    fn a_sink_that_is_added_twice_shows_each_line_twice() {
        let mut sinks = Sinks::new();
        for _ in 0..2 {
            assert_eq!(sinks.add(sink::<'a'>(Level::Info)), Ok(()));
        }
        assert_eq!(log(&sinks, Level::Info, "one"), "aa");
    }

    #[test]
    fn one_sink_more_than_there_are_places_is_refused_and_those_before_stay() {
        let mut sinks = Sinks::new();
        for _ in 0..MOST {
            assert_eq!(sinks.add(sink::<'a'>(Level::Info)), Ok(()));
        }
        assert_eq!(sinks.add(sink::<'b'>(Level::Info)), Err(TooManySinks));
        assert_eq!(log(&sinks, Level::Warning, "late"), "a".repeat(MOST));
        assert_eq!(TooManySinks.to_string(), "the log has 4 sinks already");
    }
}

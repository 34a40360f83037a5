//! The cores that wrote the lines of a frame past the caches.

/// The number of lines of a frame.
pub(super) const LINES: usize = 64;

/// For each line of a frame the core that wrote it past the caches, if the line was not invalidated
/// since.
pub(super) struct Writers {
    /// The core's number plus one; 0 for none.
    of_lines: [u8; LINES],
    count: u32,
}

impl Writers {
    pub(super) fn none() -> Self {
        Self {
            of_lines: [0; LINES],
            count: 0,
        }
    }

    /// Whether no line has a writer.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A core has written the line past the caches.
    pub(super) fn add(&mut self, line: usize, core: usize) {
        self.forget(line);
        self.of_lines[line] = core as u8 + 1;
        self.count += 1;
    }

    /// Whether a core has written the line past the caches.
    pub(super) fn has(&self, line: usize, core: usize) -> bool {
        self.of_lines[line] == core as u8 + 1
    }

    /// The line was invalidated, or what was to be said about it was said.
    pub(super) fn forget(&mut self, line: usize) {
        let writer = std::mem::take(&mut self.of_lines[line]);
        self.count -= u32::from(writer != 0);
    }
}

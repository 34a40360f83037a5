//! A console script: what is typed, and what is waited for.

/// One step of a script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// These bytes are typed, with the line's end as the Enter key sends it.
    Type(Vec<u8>),
    /// The console must print this text before the next step.
    Wait(String),
}

/// A script: a line is a step.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Script {
    pub(super) actions: Vec<Action>,
}

impl Script {
    /// Reads a script. A line `?TEXT` waits for TEXT; every other line is typed as it stands, bytes
    /// that are no text too.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if whole.is_empty() {
            return Self::default();
        }
        let lines = whole.split(|byte| *byte == b'\n');
        let actions = lines.map(|line| match line.strip_prefix(b"?") {
            Some(text) => Action::Wait(String::from_utf8_lossy(text).into_owned()),
            None => Action::Type([line, b"\r"].concat()),
        });
        Self {
            actions: actions.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Script};

    #[test]
    fn lines_are_typed_and_texts_waited_for() {
        let script = Script::parse(b"?stilt> \nhelp\n\n");
        let expected = [
            Action::Wait("stilt> ".to_owned()),
            Action::Type(b"help\r".to_vec()),
            Action::Type(b"\r".to_vec()),
        ];
        assert_eq!(script.actions, expected);
        assert_eq!(Script::parse(b""), Script::default());
    }
}

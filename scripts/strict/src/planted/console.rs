//! The console's text without what differs between two good runs: times and counts.

/// Numbers before these words are measured.
const MEASURED: [&str; 7] = ["us", "ms", "ns", "looks", "judged", "instructions", "times"];

/// The lines of a console in alphabetical order, without their times, measured numbers as `#`: cores
/// print in one order or the other.
pub(super) fn comparable(console: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(console);
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort();
    lines
}

fn line(line: &str) -> String {
    let text = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => rest,
        _ => line,
    };
    let words: Vec<&str> = text.split(' ').collect();
    let masked = words.iter().enumerate().map(|(index, word)| {
        let unit = words
            .get(index + 1)
            .is_some_and(|next| MEASURED.contains(&next.trim_end_matches(',')));
        match unit && word.starts_with(|first: char| first.is_ascii_digit()) {
            true => "#",
            false => word,
        }
    });
    masked.collect::<Vec<&str>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::comparable;

    #[test]
    fn times_and_measured_numbers_are_masked_and_others_are_not() {
        let console =
            b"[    0.055775] cores   4 of 4 online after 211 us\r\n3 rounds in 3 ms, 0 stale";
        let expected = [
            " cores   4 of 4 online after # us",
            "3 rounds in # ms, 0 stale",
        ];
        assert_eq!(comparable(console), expected);
    }
}

//! Consoles made comparable: times and counts that depend on them are masked, nothing else.

/// The beginnings of lines whose numbers are times, or counts of what happened in a time.
const TIMED: [&str; 9] = [
    "cores   4 of 4 online after",
    "core 0: ",
    "core 1: ",
    "core 2: ",
    "core 3: ",
    "soak: core ",
    "3 rounds in ",
    "before: ",
    "after: ",
];

/// Lines of tables whose numbers are counts of interrupts.
const COUNTED: &str = "interrupts of core ";

/// Registers that hold the clock's last value, or a count of received bytes, at every fault.
const CLOCKS: [&str; 2] = ["x9", "x18"];

/// The console's lines as they are compared.
pub(crate) fn comparable(console: &str) -> Vec<String> {
    console.replace('\r', "").lines().map(line).collect()
}

fn line(line: &str) -> String {
    let text = match line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((time, text)) if time.trim().parse::<f64>().is_ok() => text,
        _ => line,
    };
    if TIMED.iter().any(|beginning| text.starts_with(beginning)) || text.starts_with(COUNTED) {
        return without_numbers(text);
    }
    if text.starts_with("  x") {
        return without_clocks(text);
    }
    text.to_owned()
}

fn without_numbers(text: &str) -> String {
    let mut masked = String::new();
    for part in text.split_inclusive(|letter: char| !letter.is_ascii_digit()) {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if rest.len() < part.len() {
            masked.push('#');
        }
        masked.push_str(rest);
    }
    masked
}

/// A line of a fault's registers: `  x9  0000000900000000 x10 ffff000000125ec0 ...`.
fn without_clocks(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let masked = words.iter().enumerate().map(|(index, word)| {
        let named = index > 0 && CLOCKS.contains(&words[index - 1]);
        if named { "#" } else { word }
    });
    masked.collect::<Vec<_>>().join(" ")
}

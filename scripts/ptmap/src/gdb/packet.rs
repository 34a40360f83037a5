//! Packets of the remote protocol (E.1): `$TEXT#SUM`, acknowledged by `+`, refused by `-`.

/// The packet of `text`, which must not contain the bytes `$`, `#`, `}` and `*`.
pub(super) fn framed(text: &str) -> Vec<u8> {
    let sum = text.bytes().fold(0_u8, u8::wrapping_add);
    format!("${text}#{sum:02x}").into_bytes()
}

/// A complete part of the other side's stream.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Arrival {
    /// The text of a packet whose checksum is right.
    Packet(String),
    /// A packet whose checksum is wrong.
    Damaged,
    /// `-`: the other side asks for the last packet again.
    Refusal,
}

/// Splits a stream that arrives in parts of any length into packets.
#[derive(Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// Appends bytes that have arrived.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The number of bytes that are no whole packet yet.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// The next whole packet or refusal. Acknowledgements and bytes between packets are passed
    /// over.
    pub(super) fn next(&mut self) -> Option<Arrival> {
        let start = self.bytes.iter().position(|byte| b"$-%".contains(byte));
        let Some(start) = start else {
            self.bytes.clear();
            return None;
        };
        self.bytes.drain(..start);
        if self.bytes[0] == b'-' {
            self.bytes.drain(..1);
            return Some(Arrival::Refusal);
        }
        let end = self.bytes.iter().position(|byte| *byte == b'#')?;
        let sum = self.bytes.get(end + 1..end + 3)?;
        let sum = std::str::from_utf8(sum).ok();
        let sum = sum.and_then(|sum| u8::from_str_radix(sum, 16).ok());
        let notification = self.bytes[0] == b'%';
        let body = self.bytes[1..end].to_vec();
        self.bytes.drain(..end + 3);
        if notification {
            return self.next();
        }
        let counted = body.iter().copied().fold(0_u8, u8::wrapping_add);
        match sum == Some(counted) {
            true => Some(Arrival::Packet(unfolded(&body))),
            false => Some(Arrival::Damaged),
        }
    }
}

/// The text of a packet: `}` escapes the byte behind it (exclusive or 0x20), and `*` repeats the
/// one before it (E.2).
fn unfolded(body: &[u8]) -> String {
    let mut text: Vec<u8> = Vec::with_capacity(body.len());
    let mut bytes = body.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'}' => text.extend(bytes.next().map(|hidden| hidden ^ 0x20)),
            b'*' => {
                let count = bytes.next().map_or(0, |count| count.saturating_sub(29));
                let last = text.last().copied();
                text.extend(last.into_iter().cycle().take(usize::from(count)));
            }
            _ => text.push(byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The value of `name` in a list `NAME=VALUE;NAME+;..`.
pub(super) fn feature<'list>(list: &'list str, name: &str) -> Option<&'list str> {
    let mut pairs = list.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

/// Whether `text` consists of hexadecimal digits.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The bytes of a hexadecimal text, two digits each; none if it is malformed.
pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !is_hex(hex) || !hex.len().is_multiple_of(2) {
        return None;
    }
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The value of a register of up to eight bytes, sent in memory order: little endian.
pub(super) fn register_value(hex: &str) -> Option<u64> {
    let found = bytes(hex).filter(|found| (1..=8).contains(&found.len()))?;
    let mut value = [0; 8];
    value[..found.len()].copy_from_slice(&found);
    Some(u64::from_le_bytes(value))
}

//! Damaged copies.

use fastrand::Rng;

/// Texts that parsers stumble over.
const TOKENS: [&[u8]; 20] = [
    b"\0",
    b"\r\n",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "\u{202e}\u{10ffff}".as_bytes(),
    b"${{",
    b"}}",
    b"[[[[[[[[",
    b"{\"a\":",
    b"&a [*a, *a]",
    b"!!binary ",
    b"<<: *a",
    b"../../",
    b"-9223372036854775808",
    b"1e999",
    b"0x7fffffffffffffff",
    b"\"\\ud800\"",
    b"__proto__",
    b"'\"`",
    b"/*",
];

/// One of the inputs, damaged in a few places; sometimes two of them joined.
#[must_use]
pub fn damaged(corpus: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = random.choice(corpus).cloned().unwrap_or_default();
    if random.u8(..) < 32 {
        let other = random.choice(corpus).cloned().unwrap_or_default();
        bytes.truncate(random.usize(..=bytes.len()));
        bytes.extend_from_slice(&other[random.usize(..=other.len())..]);
    }
    for _ in 0..random.usize(1..=6) {
        damage(&mut bytes, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut Rng) {
    let start = random.usize(..=bytes.len());
    let end = random.usize(start..=bytes.len().min(start + 64));
    match random.u8(..7) {
        0 => bytes.truncate(start),
        1 => drop(bytes.drain(start..end)),
        2 => {
            let again = bytes[start..end].repeat(random.usize(1..=8));
            drop(bytes.splice(start..start, again));
        }
        3 => drop(bytes.splice(start..start, TOKENS[random.usize(..TOKENS.len())].iter().copied())),
        4 => drop(bytes.splice(start..end, TOKENS[random.usize(..TOKENS.len())].iter().copied())),
        5 => bytes[start..end].iter_mut().for_each(|byte| *byte = random.u8(..)),
        _ => {
            if let Some(byte) = bytes.get_mut(start) {
                *byte ^= 1 << random.u8(..8);
            }
        }
    }
}

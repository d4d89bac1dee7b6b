//! Bytes as text: the binding lends the buffers of the engine as `unsafe` only.

/// The bytes that hexadecimal text spells; anything else in it counts as zero.
pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => 0,
    };
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect()
}

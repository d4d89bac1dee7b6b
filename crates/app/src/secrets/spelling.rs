//! How a text can spell characters, letters of base64, and bytes in hexadecimal. Each function says where in the text the
//! spelling ends that begins at `at`, if there is one.

/// What a backslash and this letter stand for in JSON.
pub(super) const fn meant(letter: char) -> Option<char> {
    match letter {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '"' | '\\' | '/' => Some(letter),
        _ => None,
    }
}

/// These characters as they are, in JSON however often, percent-encoded however often, or with their escapes replaced.
/// In forms of addresses a space is a plus.
pub(super) fn written(text: &[u8], mut at: usize, letters: &[char], takes_plus: bool) -> Option<usize> {
    let mut index = 0;
    while let Some(letter) = letters.get(index) {
        // `%25` is this character, or stands for itself, and so is each further `25`.
        if *letter == '%' && text.get(at) == Some(&b'%') {
            let digits = text.get(at + 1..)?.chunks_exact(2).take_while(|digits| *digits == b"25").count();
            let rest = letters.get(index + 1..)?;
            let ends = (1..=digits).rev().map(|count| written(text, at + 1 + 2 * count, rest, takes_plus));
            if let Some(end) = ends.flatten().next() {
                return Some(end);
            }
        }
        let escaped = if *letter == '\\' { letters.get(index + 1).copied().and_then(meant) } else { None };
        if let Some(end) = escaped.and_then(|letter| one(text, at, letter, false)) {
            (at, index) = (end, index + 2);
        } else {
            (at, index) = (one(text, at, *letter, takes_plus)?, index + 1);
        }
    }
    Some(at)
}

/// One character.
fn one(text: &[u8], at: usize, letter: char, takes_plus: bool) -> Option<usize> {
    let rest = text.get(at..)?;
    let mut bytes = [0; 4];
    let raw = letter.encode_utf8(&mut bytes).as_bytes();
    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    let after = rest.get(slashes..)?;
    match letter {
        '\\' if slashes > 0 => return Some(at + slashes),
        '"' | '/' if after.starts_with(raw) => return Some(at + slashes + 1),
        '\n' if rest.starts_with(b"\r\n") => return Some(at + 2),
        ' ' if takes_plus && rest.starts_with(b"+") => return Some(at + 1),
        _ if rest.starts_with(raw) => return Some(at + raw.len()),
        _ if letter.is_ascii_alphanumeric() => return None,
        _ => {}
    }
    if slashes > 0 {
        let short = match letter {
            '\n' => Some(b'n'),
            '\r' => Some(b'r'),
            '\t' => Some(b't'),
            _ => None,
        };
        if short.is_some() && after.first().copied() == short {
            return Some(at + slashes + 1);
        }
        return units(text, at, letter);
    }
    // `%0D%0A`
    let start = if letter == '\n' { percent(text, at, b'\r').unwrap_or(at) } else { at };
    raw.iter().try_fold(start, |at, byte| percent(text, at, *byte))
}

/// A character as JSON can write every one: `\u00e9`.
fn units(text: &[u8], at: usize, letter: char) -> Option<usize> {
    letter.encode_utf16(&mut [0; 2]).iter().try_fold(at, |at, unit| {
        let slashes = text.get(at..)?.iter().take_while(|byte| **byte == b'\\').count();
        let at = at + slashes;
        let [high, low] = unit.to_be_bytes();
        let is_escape = slashes > 0 && text.get(at) == Some(&b'u');
        if is_escape { byte(text, byte(text, at + 1, high)?, low) } else { None }
    })
}

/// A byte as `%2f`, or as `%252f`, which is what becomes of that.
fn percent(text: &[u8], at: usize, value: u8) -> Option<usize> {
    let mut at = if text.get(at) == Some(&b'%') { at + 1 } else { return None };
    while text.get(at..)?.starts_with(b"25") && byte(text, at, value).is_none() {
        at += 2;
    }
    byte(text, at, value)
}

/// A byte as two hexadecimal digits of either case.
fn byte(text: &[u8], at: usize, value: u8) -> Option<usize> {
    let digits = text.get(at..at + 2)?;
    let is_there =
        [value >> 4, value & 15].iter().zip(digits).all(|(half, found)| digit(*half) == found.to_ascii_lowercase());
    is_there.then_some(at + 2)
}

/// The lower-case hexadecimal digit of a number below 16.
pub(super) const fn digit(number: u8) -> u8 {
    match number {
        0..10 => b'0' + number,
        _ => b'a' + (number - 10),
    }
}

/// These bytes as digits, with what is written between them: `6f6b`, `6f 6b`, `6f:6b`, `\x6f\x6b`.
pub(super) fn hexadecimal(text: &[u8], at: usize, bytes: &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first()?;
    rest.iter().try_fold(byte(text, at, *first)?, |at, value| {
        let slashes = text.get(at..)?.iter().take_while(|byte| **byte == b'\\').count();
        let between = match text.get(at + slashes)? {
            b' ' | b':' | b'-' if slashes == 0 => 1,
            b'x' if slashes > 0 => slashes + 1,
            _ => 0,
        };
        byte(text, at + between, *value)
    })
}

/// These letters of base64, in either alphabet, also where it is part of an address or wrapped at some width.
pub(super) fn base64(text: &[u8], at: usize, letters: &[u8]) -> Option<usize> {
    let (first, rest) = letters.split_first()?;
    rest.iter().try_fold(base64_letter(text, at, *first)?, |at, letter| {
        base64_letter(text, at, *letter).or_else(|| base64_letter(text, line_breaks(text, at)?, *letter))
    })
}

fn base64_letter(text: &[u8], at: usize, letter: u8) -> Option<usize> {
    let found = *text.get(at)?;
    match (letter, found) {
        (b'+', b'-') | (b'/', b'_') => Some(at + 1),
        _ if letter == found => Some(at + 1),
        (b'+' | b'/', b'%') => percent(text, at, letter),
        (b'/', b'\\') => one(text, at, '/', false),
        _ => None,
    }
}

/// One line break or more.
fn line_breaks(text: &[u8], at: usize) -> Option<usize> {
    let one_more = |at| one(text, at, '\n', false).or_else(|| one(text, at, '\r', false));
    let mut end = one_more(at)?;
    while let Some(more) = one_more(end) {
        end = more;
    }
    Some(end)
}

/// What fills base64 up at its end.
pub(super) fn padding(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"=") { Some(1) } else { percent(text, 0, b'=') }
}

/// True for a letter of base64, of either alphabet.
pub(super) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

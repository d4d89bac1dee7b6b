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

/// How often percent-encoding is undone: what was encoded more often is not recognised.
const MOST_ENCODINGS: usize = 16;

/// How many escaped backslashes are read as one run.
const MOST_ESCAPED_BACKSLASHES: usize = 256;

/// A part of a value that a text may spell in several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Piece {
    /// Any character but a backslash.
    Letter(char),
    /// A run of backslashes. JSON doubles them and what reads JSON halves them, so their number does not count.
    Backslashes {
        /// True if there is only one.
        is_single: bool,
        /// What the last one and the next piece stand for where code replaces the escapes of the value.
        escaped: Option<char>,
    },
}

/// The pieces of a value.
pub(super) fn pieces(value: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = value.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            pieces.push(Piece::Letter(letter));
            continue;
        }
        let mut is_single = true;
        while letters.next_if_eq(&'\\').is_some() {
            is_single = false;
        }
        pieces.push(Piece::Backslashes { is_single, escaped: letters.peek().copied().and_then(meant) });
    }
    pieces
}

/// How far a reading of the text has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: usize,
    /// True if backslashes end here: they may be those of the value and the beginning of an escape at the same time.
    is_after_backslashes: bool,
}

impl Place {
    const fn new(at: usize) -> Self {
        Self { at, is_after_backslashes: false }
    }

    /// True if what stands here can only be a character as it is.
    fn is_plain(self, text: &[u8]) -> bool {
        !self.is_after_backslashes && !matches!(text.get(self.at), Some(b'\\' | b'%' | b'\r' | b'\n' | b'+' | b'&'))
    }
}

/// These pieces as they are, in JSON however often, in the escapes of JavaScript, percent-encoded up to
/// [`MOST_ENCODINGS`] times, in the entities of XML, or with the escapes of the value replaced. Of a value that `is_long`, a space
/// is a plus as in forms of addresses, and lines may be broken between any two pieces, as programs do that fold text. Gives the end
/// of the longest spelling.
///
/// All readings advance together, and those that meet go on as one: the cost is bounded by the lengths of text and value.
pub(super) fn written(text: &[u8], at: usize, pieces: &[Piece], is_long: bool) -> Option<usize> {
    let mut now = vec![Place::new(at)];
    // Of readings for which one spelling stands for this piece and the one before.
    let mut ahead: Vec<Place> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if is_long && index > 0 && *piece != Piece::Letter('\n') {
            let breaks = now.iter().filter(|place| matches!(text.get(place.at), Some(b'\n' | b'\r' | b'\\' | b'%')));
            let broken: Vec<Place> = breaks.filter_map(|place| one(text, place.at, '\n')).map(Place::new).collect();
            now.extend(broken);
        }
        if let (Piece::Letter(letter), [place]) = (piece, now.as_mut_slice())
            && ahead.is_empty()
            && place.is_plain(text)
        {
            let mut bytes = [0; 4];
            let raw = letter.encode_utf8(&mut bytes).as_bytes();
            if !text.get(place.at..)?.starts_with(raw) {
                return None;
            }
            place.at += raw.len();
            continue;
        }
        let (mut next, mut after_next) = (std::mem::take(&mut ahead), Vec::new());
        for place in &now {
            match piece {
                Piece::Letter(letter) => spellings(text, *place, *letter, is_long, &mut next),
                Piece::Backslashes { is_single, escaped } => {
                    let first = next.len();
                    backslashes(text, place.at, &mut next);
                    let Some(escaped) = *escaped else { continue };
                    let runs = next.get(first..).unwrap_or_default();
                    let before = if *is_single { std::slice::from_ref(place) } else { runs };
                    for place in before {
                        spellings(text, *place, escaped, false, &mut after_next);
                    }
                }
            }
        }
        if next.len() > 1 {
            next.sort_unstable();
            next.dedup();
        }
        if next.is_empty() && after_next.is_empty() {
            return None;
        }
        (now, ahead) = (next, after_next);
    }
    now.into_iter().map(|place| place.at).max()
}

/// A character as an entity of XML or HTML: `&amp;`, `&#38;` or `&#x26;`.
fn entity(text: &[u8], at: usize, letter: char) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(b"&")?;
    let length = rest.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let meant = match name.strip_prefix('#') {
        Some(number) => {
            let digits = number.strip_prefix(['x', 'X']);
            let radix = if digits.is_some() { 16 } else { 10 };
            char::from_u32(u32::from_str_radix(digits.unwrap_or(number), radix).ok()?)?
        }
        None => match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        },
    };
    (meant == letter).then_some(at + 1 + length + 1)
}

/// The ends of a run of backslashes: as they are, percent-encoded or escaped. What looks like the escape of one may be the
/// value itself, so those that stand there as they are may be the whole run.
fn backslashes(text: &[u8], at: usize, ends: &mut Vec<Place>) {
    let raw = at + slashes(text, at);
    let mut end = at;
    for _ in 0..MOST_ESCAPED_BACKSLASHES {
        let after = end + slashes(text, end);
        let next = if after > end {
            escape(text, after, '\\').unwrap_or(after)
        } else if let Some(next) = percent(text, end, b'\\').or_else(|| percent_units(text, end, '\\')) {
            next
        } else {
            break;
        };
        end = next;
    }
    for end in [raw, end] {
        if end > at {
            ends.push(Place { at: end, is_after_backslashes: true });
        }
    }
}

/// How many backslashes stand here.
fn slashes(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b'\\').count()
}

/// The end of the longest spelling of one character.
fn one(text: &[u8], at: usize, letter: char) -> Option<usize> {
    let mut ends = Vec::new();
    spellings(text, Place::new(at), letter, false, &mut ends);
    ends.into_iter().map(|place| place.at).max()
}

/// Adds the ends of all spellings of one character that is no backslash.
fn spellings(text: &[u8], place: Place, letter: char, takes_plus: bool, ends: &mut Vec<Place>) {
    let at = place.at;
    let Some(rest) = text.get(at..) else { return };
    let mut bytes = [0; 4];
    let raw = letter.encode_utf8(&mut bytes).as_bytes();
    if rest.starts_with(raw) {
        ends.push(Place::new(at + raw.len()));
    }
    let slashes = slashes(text, at);
    if slashes > 0 || place.is_after_backslashes {
        let after = at + slashes;
        let is_quoted = slashes > 0 && matches!(letter, '"' | '/') && text.get(after) == raw.first();
        let end = if is_quoted { Some(after + 1) } else { escape(text, after, letter) };
        ends.extend(end.map(Place::new));
    }
    match (letter, rest.first()) {
        ('%', Some(b'%')) => {
            ends.extend(percent_units(text, at, '%').map(Place::new));
            // `%25` is this character, or stands for itself, and so is each further `25`.
            let encodings = rest[1..].chunks_exact(2).take_while(|digits| *digits == b"25").take(MOST_ENCODINGS);
            ends.extend(encodings.enumerate().map(|(count, _)| Place::new(at + 3 + 2 * count)));
        }
        (_, Some(b'%')) => ends.extend(percent_encoded(text, at, letter).map(Place::new)),
        ('\n', Some(b'\r')) if rest.starts_with(b"\r\n") => ends.push(Place::new(at + 2)),
        (' ', Some(b'+')) if takes_plus => ends.push(Place::new(at + 1)),
        (_, Some(b'&')) => ends.extend(entity(text, at, letter).map(Place::new)),
        _ => {}
    }
}

/// A character behind the backslashes that escape it: `n`, `u00e9`, `u{e9}` or `xe9`.
fn escape(text: &[u8], at: usize, letter: char) -> Option<usize> {
    let found = *text.get(at)?;
    match (letter, found) {
        ('\n', b'n') | ('\t', b't') | ('\r', b'r') => return Some(at + 1),
        ('\n', b'r') => {
            let slashes = slashes(text, at + 1);
            let end = at + 1 + slashes;
            return (slashes > 0 && text.get(end) == Some(&b'n')).then_some(end + 1);
        }
        (_, b'x') => return byte(text, at + 1, u8::try_from(letter).ok()?),
        (_, b'u') => {}
        _ => return None,
    }
    if text.get(at + 1) == Some(&b'{') {
        let digits = text.get(at + 2..)?.iter().take(7).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let end = at + 2 + digits;
        let number = u32::from_str_radix(std::str::from_utf8(text.get(at + 2..end)?).ok()?, 16).ok()?;
        return (text.get(end) == Some(&b'}') && number == u32::from(letter)).then_some(end + 1);
    }
    let mut units = [0; 2];
    let (first, rest) = letter.encode_utf16(&mut units).split_first()?;
    rest.iter().try_fold(unit(text, at + 1, *first)?, |at, rest| {
        let slashes = slashes(text, at);
        let is_escape = slashes > 0 && text.get(at + slashes) == Some(&b'u');
        if is_escape { unit(text, at + slashes + 1, *rest) } else { None }
    })
}

/// A unit of UTF-16 as four hexadecimal digits.
fn unit(text: &[u8], at: usize, unit: u16) -> Option<usize> {
    let [high, low] = unit.to_be_bytes();
    byte(text, byte(text, at, high)?, low)
}

/// A character, percent-encoded: by its bytes, or as `escape` of JavaScript does it.
fn percent_encoded(text: &[u8], at: usize, letter: char) -> Option<usize> {
    let mut bytes = [0; 4];
    let raw = letter.encode_utf8(&mut bytes).as_bytes();
    // `%0D%0A`
    let start = if letter == '\n' { percent(text, at, b'\r').unwrap_or(at) } else { at };
    let by_bytes = raw.iter().try_fold(start, |at, byte| percent(text, at, *byte));
    by_bytes.or_else(|| percent(text, at, u8::try_from(letter).ok()?)).or_else(|| percent_units(text, at, letter))
}

/// A character as `%u20AC`.
fn percent_units(text: &[u8], at: usize, letter: char) -> Option<usize> {
    letter.encode_utf16(&mut [0; 2]).iter().try_fold(at, |at, value| {
        let mut at = if text.get(at) == Some(&b'%') { at + 1 } else { return None };
        while text.get(at..)?.starts_with(b"25") {
            at += 2;
        }
        if text.get(at) == Some(&b'u') { unit(text, at + 1, *value) } else { None }
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
        (b'/', b'\\') => one(text, at, '/'),
        _ => None,
    }
}

/// One line break or more.
fn line_breaks(text: &[u8], at: usize) -> Option<usize> {
    let one_more = |at| one(text, at, '\n').or_else(|| one(text, at, '\r'));
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

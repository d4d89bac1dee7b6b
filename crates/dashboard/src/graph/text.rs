//! How much room a text takes in a drawing.

/// About how wide a text is, in pixels: in the widest of the usual fonts, so that nothing is cut off by others.
pub(super) fn width(text: &str) -> i64 {
    text.chars().map(letter_width).sum()
}

fn letter_width(letter: char) -> i64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 5,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '-' | '/' => 6,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 13,
        'A'..='Z' => 10,
        '\0'..='\u{10ff}' => 9,
        _ => 15,
    }
}

/// The text with a box in place of each letter that nobody can see, or that would turn others round.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(|letter| if is_hidden(letter) { '\u{25a1}' } else { letter }).collect()
}

/// The text on one line of this width: what does not fit is cut.
pub(super) fn fitting(text: &str, room: i64) -> String {
    let mut written = String::with_capacity(text.len());
    let mut left = room;
    let is_whole = width(text) <= room;
    let reserved = if is_whole { 0 } else { letter_width('m') };
    for letter in visible(text).chars() {
        left -= letter_width(letter);
        if !is_whole && left < reserved {
            written.push('…');
            break;
        }
        written.push(letter);
    }
    written
}

fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_nothing_is_turned_round() {
        assert_eq!(fitting("collect", 100), "collect");
        let cut = fitting(&"x".repeat(200), 100);
        assert!(cut.ends_with('…') && width(&cut) <= 109, "{cut}");
        assert_eq!(fitting("a\u{202e}b\nc", 100), "a□b□c");
        assert!(width("漢字") > width("ab"));
    }
}

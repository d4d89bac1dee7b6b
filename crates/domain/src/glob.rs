//! Patterns for directories: `*` and `?` inside a segment, `{a,b}` alternatives, `**` for any number of segments.
//!
//! One matcher for two questions: which directories a configured pattern names, and whether a root that is not
//! there would be one of them (`design/origins.md`).

/// How many patterns the alternatives of one may make.
const MAXIMUM_ALTERNATIVES: usize = 256;

/// A pattern, its alternatives written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    alternatives: Vec<String>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum GlobError {
    /// A brace without its partner.
    #[error("{0:?} has an unmatched brace")]
    Unbalanced(String),
    /// The alternatives multiply beyond measure.
    #[error("{0:?} expands to more than {MAXIMUM_ALTERNATIVES} patterns")]
    TooMany(String),
}

impl Glob {
    /// Reads a pattern. Text without `*`, `?` and braces is one that matches itself.
    ///
    /// # Errors
    /// [`GlobError`] if braces do not match or stand for too many patterns.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let mut alternatives = Vec::new();
        let mut pending = vec![text.to_owned()];
        while let Some(pattern) = pending.pop() {
            match first_braces(&pattern).map_err(|Unbalanced| GlobError::Unbalanced(text.to_owned()))? {
                None => alternatives.push(pattern),
                Some((before, choices, after)) => {
                    pending.extend(choices.iter().map(|choice| format!("{before}{choice}{after}")));
                }
            }
            if alternatives.len() + pending.len() > MAXIMUM_ALTERNATIVES {
                return Err(GlobError::TooMany(text.to_owned()));
            }
        }
        alternatives.sort();
        alternatives.dedup();
        Ok(Self { text: text.to_owned(), alternatives })
    }

    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The patterns that the alternatives stand for, sorted; they have no braces.
    #[must_use]
    pub fn alternatives(&self) -> &[String] {
        &self.alternatives
    }

    /// True if `path` is one of those that the pattern names. `**` also names nothing at all.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|pattern| {
            let pattern: Vec<&str> = pattern.split('/').collect();
            matches_sequence(&pattern, &path, |segment| *segment == "**", |segment, name| matches_name(segment, name))
        })
    }
}

/// True if a segment of a pattern holds `*` or `?`.
#[must_use]
pub fn is_pattern(segment: &str) -> bool {
    segment.contains(['*', '?'])
}

/// True if the segment `pattern`, without braces, matches `name`.
#[must_use]
pub fn matches_name(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches_sequence(&pattern, &name, |mark| *mark == '*', |mark, letter| *mark == '?' || mark == letter)
}

/// Matches with one point to return to, so that no input takes more than the product of both lengths.
fn matches_sequence<T>(
    pattern: &[T],
    text: &[T],
    is_any: impl Fn(&T) -> bool,
    is_one: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while place < text.len() {
        if pattern.get(at).is_some_and(&is_any) {
            retry = Some((at, place));
            at += 1;
        } else if pattern.get(at).is_some_and(|mark| is_one(mark, &text[place])) {
            at += 1;
            place += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            at = star + 1;
            place = from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_any)
}

type Braces<'a> = (&'a str, Vec<&'a str>, &'a str);

struct Unbalanced;

/// What stands before, in and after the first braces; `None` if there are none.
fn first_braces(pattern: &str) -> Result<Option<Braces<'_>>, Unbalanced> {
    let Some(open) = pattern.find('{') else {
        return if pattern.contains('}') { Err(Unbalanced) } else { Ok(None) };
    };
    if pattern[..open].contains('}') {
        return Err(Unbalanced);
    }
    let mut depth = 0_usize;
    let mut start = open + 1;
    let mut choices = Vec::new();
    for (index, byte) in pattern.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => {
                choices.push(&pattern[start..index]);
                start = index + 1;
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&pattern[start..index]);
                    return Ok(Some((&pattern[..open], choices, &pattern[index + 1..])));
                }
            }
            _ => {}
        }
    }
    Err(Unbalanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Glob::parse(pattern).expect("a pattern").matches(path)
    }

    #[test]
    fn segments_braces_and_any_depth() {
        assert!(matches("../exts/*", "../exts/aws"));
        assert!(!matches("../exts/*", "../exts/aws/s3"));
        assert!(!matches("../exts/*", "../exts-old/aws"));
        assert!(matches("a?c/{x,y*}", "abc/yes"));
        assert!(!matches("a?c/{x,y*}", "ac/yes"));
        assert!(matches("{a,b{c,d}}", "bd"));
        assert!(matches("a/**", "a") && matches("a/**", "a/b/c") && matches("a/**/c", "a/c"));
        assert!(!matches("a/**/c", "a/b"));
        assert!(matches("plain/path", "plain/path"));
        assert_eq!(Glob::parse("{b,a}").expect("a pattern").alternatives(), ["a", "b"]);
    }

    #[test]
    fn hostile_patterns_end() {
        assert_eq!(Glob::parse("a{b"), Err(GlobError::Unbalanced("a{b".to_owned())));
        assert_eq!(Glob::parse("a}b{"), Err(GlobError::Unbalanced("a}b{".to_owned())));
        let many = "{a,b}".repeat(20);
        assert_eq!(Glob::parse(&many), Err(GlobError::TooMany(many.clone())));
        let stars = "*a".repeat(50);
        assert!(!matches(&stars, &"a".repeat(40).repeat(40).replace('a', "ab")));
    }
}

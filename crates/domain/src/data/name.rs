//! What items of data may be called.

/// How long the name of an item may be, in bytes: it is no content, and every record and list repeats it.
pub const NAME_LIMIT_BYTES: usize = 512;

/// How long all tags of an item may be together, in bytes.
pub const TAGS_LIMIT_BYTES: usize = 8 << 10;

/// Why a text is no name of an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or nothing but white space.
    #[error("the name must not be empty")]
    Empty,
    /// It would stand for the latest version.
    #[error("`{0}` is no name: it stands for the latest version")]
    Reserved(String),
    /// It could lead to other places.
    #[error("`{name}` is no name: it contains {what}")]
    Forbidden {
        /// The text.
        name: String,
        /// What it must not contain.
        what: &'static str,
    },
    /// Too long.
    #[error("the name has {bytes} bytes, and {NAME_LIMIT_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// The tags of an item are longer than they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tags have {bytes} bytes together, and {TAGS_LIMIT_BYTES} are allowed")]
pub struct TagsTooLong {
    /// The length of all names and values.
    pub bytes: usize,
}

/// Checks the name that an item is to be stored under.
///
/// # Errors
/// [`NameError`]
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_LIMIT_BYTES {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    if name.eq_ignore_ascii_case("latest") {
        return Err(NameError::Reserved(name.to_owned()));
    }
    for (part, what) in [("..", "`..`"), ("/", "`/`"), ("\\", "`\\`"), ("\0", "NUL")] {
        if name.contains(part) {
            return Err(NameError::Forbidden { name: name.replace('\0', "\u{fffd}"), what });
        }
    }
    Ok(())
}

/// Checks the tags that an item is to be stored with.
///
/// # Errors
/// [`TagsTooLong`]
pub fn check_tags(tags: &[(String, String)]) -> Result<(), TagsTooLong> {
    let bytes = tags.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > TAGS_LIMIT_BYTES { Err(TagsTooLong { bytes }) } else { Ok(()) }
}

/// The name of a variant of an item: `result` and `prod`, `eu` are `result-prod-eu`. Without values it is the name itself.
///
/// # Errors
/// A value that could not be told from another one, or could lead to other places, in words.
pub fn varied(name: &str, values: &[String]) -> Result<String, String> {
    let mut varied = name.to_owned();
    for value in values {
        let what = match value.as_str() {
            value if value.trim().is_empty() => "is empty",
            "." | ".." => "is a directory",
            value if value.contains(['/', '\\']) => "contains a slash",
            _ => {
                varied.push('-');
                varied.push_str(value);
                continue;
            }
        };
        return Err(format!("`{value}` cannot be a part of the name of an item: it {what}"));
    }
    Ok(varied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_mean_something_else_are_refused() {
        for name in ["", " ", "latest", "Latest", "a..b", "a/b", "a\\b", "a\0b"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["main", "host-a", "größe 1", ".hidden", "latest-1", &"n".repeat(NAME_LIMIT_BYTES)] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        assert_eq!(check_name(&"n".repeat(513)), Err(NameError::TooLong { bytes: 513 }));
    }

    #[test]
    fn n10_values_are_appended_to_the_name() {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(varied("result", &values(&["prod", "eu"])).as_deref(), Ok("result-prod-eu"));
        assert_eq!(varied("result", &[]).as_deref(), Ok("result"));
        for wrong in ["a/b", "a\\b", "", " ", ".", ".."] {
            assert!(varied("result", &values(&["x", wrong])).is_err(), "{wrong:?}");
        }
    }
}

//! Values as YAML that people read and go on with.

use crate::json::Json;

/// Words that YAML readers take for something else than text.
const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

/// The value as a block, with a line feed at its end.
#[must_use]
pub fn block(value: &Json) -> String {
    let mut text = String::new();
    match value {
        Json::Object(members) if !members.is_empty() => write_members(&mut text, members, 0),
        Json::Array(items) if !items.is_empty() => write_items(&mut text, items, 0),
        flat => {
            text.push_str(&scalar(flat));
            text.push('\n');
        }
    }
    text
}

fn write_members(text: &mut String, members: &[(String, Json)], depth: usize) {
    for (name, value) in members {
        indent(text, depth);
        text.push_str(&scalar(&Json::from(name.as_str())));
        text.push(':');
        write_value(text, value, depth + 1);
    }
}

fn write_items(text: &mut String, items: &[Json], depth: usize) {
    for item in items {
        indent(text, depth);
        text.push('-');
        write_value(text, item, depth + 1);
    }
}

/// What follows a name or a dash.
fn write_value(text: &mut String, value: &Json, depth: usize) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            text.push('\n');
            write_members(text, members, depth);
        }
        Json::Array(items) if !items.is_empty() => {
            text.push('\n');
            write_items(text, items, depth);
        }
        flat => {
            text.push(' ');
            text.push_str(&scalar(flat));
            text.push('\n');
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A text without quotes where no reader can take it for anything else; everything else as JSON, which is YAML.
fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_people_write() {
        let value = Json::object([
            ("type", Json::from("@t/echo")),
            ("name", Json::from("a-b")),
            ("on", Json::from("yes")),
            ("version", Json::from(1)),
            ("empty", Json::Object(Vec::new())),
            ("list", Json::Array(vec![Json::from("1"), Json::object([("k", Json::Null)])])),
            ("text", Json::from("${{ vault.get(\"v\", K) }}\nend")),
        ]);
        assert_eq!(
            block(&value),
            "type: \"@t/echo\"\nname: a-b\n\"on\": \"yes\"\nversion: 1\nempty: {}\nlist:\n  - \"1\"\n  -\n    k: null\ntext: \"${{ vault.get(\\\"v\\\", K) }}\\nend\"\n"
        );
        assert_eq!(block(&Json::Object(Vec::new())), "{}\n");
    }
}

//! Reads just as much of Rust as it takes to see what a file names: imports, modules, paths.

use std::ops::Range;

/// One `use`: where it stands, its tree, and whether it only passes items on.
pub(super) struct Import {
    pub(super) range: Range<usize>,
    pub(super) tree: String,
    pub(super) is_passed_on: bool,
}

/// Every `use` of a text, in its order.
pub(super) fn imports(text: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let (visibility, rest) = match trimmed.split_once("use ") {
            Some(("", _)) => ("", &trimmed["use ".len()..]),
            Some((before, rest)) if before.starts_with("pub") && !before.contains(['{', ';', '=']) => (before, rest),
            _ => {
                start += line.len();
                continue;
            }
        };
        let from = start + (line.len() - rest.len());
        if let Some(length) = text[from..].find(';')
            && imports.last().is_none_or(|last: &Import| last.range.end <= start)
        {
            let tree = text[from..from + length].split_whitespace().collect::<Vec<_>>().join(" ");
            imports.push(Import { range: start..from + length + 1, tree, is_passed_on: !visibility.is_empty() });
        }
        start += line.len();
    }
    imports
}

/// The leaves of a tree such as `a::{b, c::{self, d as e}}`: the path and the name that it gets.
pub(super) fn flatten(tree: &str, prefix: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let before = tree[..open].trim_end_matches("::");
        let length = prefix.len();
        prefix
            .extend(before.split("::").filter(|segment| !segment.is_empty()).map(|segment| segment.trim().to_owned()));
        for part in parts(tree[open + 1..].trim_end().trim_end_matches('}')) {
            flatten(part, prefix, leaves);
        }
        prefix.truncate(length);
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut segments = prefix.clone();
    segments.extend(path.split("::").map(|segment| segment.trim().to_owned()).filter(|segment| !segment.is_empty()));
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self" || last == "*") {
        let last = segments.pop();
        if last.as_deref() == Some("*") {
            leaves.push((segments, "*".to_owned()));
            return;
        }
    }
    if let Some(name) = alias.map(str::to_owned).or_else(|| segments.last().cloned()) {
        leaves.push((segments, name));
    }
}

/// Splits at the commas that are in no braces. A surplus brace at the end belongs to the caller.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The modules that a text declares.
pub(super) fn declared(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let names = lines.filter_map(|line| {
        let (before, name) = line.strip_suffix(';')?.rsplit_once("mod ")?;
        let is_declaration = before.is_empty() || before.starts_with("pub");
        (is_declaration && name.chars().all(is_word)).then(|| name.to_owned())
    });
    names.collect()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every path of at least two segments that the code writes out.
pub(super) fn paths(code: &str) -> impl Iterator<Item = Vec<String>> {
    let pieces = code.split(|character: char| !is_word(character) && character != ':');
    pieces.filter(|piece| piece.contains("::")).map(|piece| {
        let segments = piece.split("::").map(|segment| segment.trim_matches(':').to_owned());
        segments.take_while(|segment| !segment.is_empty()).collect()
    })
}

/// The text without comments, the content of strings, and the tests at its end.
pub(super) fn stripped(text: &str) -> String {
    let code: Vec<&str> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
    let mut result = String::with_capacity(text.len());
    for line in code {
        let mut in_string = false;
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if in_string => {
                    characters.next();
                }
                '"' => in_string = !in_string,
                // The quote as a character.
                '\'' if !in_string && characters.peek() == Some(&'"') => {
                    characters.next();
                }
                '/' if !in_string && characters.peek() == Some(&'/') => break,
                _ if in_string => {}
                _ => result.push(character),
            }
        }
        result.push('\n');
    }
    result
}

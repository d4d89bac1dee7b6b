//! What a predicate says by plain equalities, so that a store need not give out everything.
//!
//! Only a conjunction is looked at, and of that only what is `name == "text"` word for word; what is not understood is left
//! to the predicate itself, which is evaluated for whatever the store gives.

use mangrove_domain::ports::DataField;

/// The equalities that every record must fulfil for which the predicate holds.
pub(super) fn of(predicate: &str) -> Vec<(DataField, String)> {
    conjuncts(predicate).unwrap_or_default().into_iter().filter_map(equality).collect()
}

/// The parts of a conjunction; `None` for anything else.
fn conjuncts(predicate: &str) -> Option<Vec<&str>> {
    let bytes = predicate.as_bytes();
    let (mut parts, mut begin, mut at, mut depth) = (Vec::new(), 0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                let end = predicate.get(at + 1..)?.find(char::from(byte))?;
                // Escapes and texts over several lines are for the parser.
                if predicate.get(at + 1..at + 1 + end)?.contains('\\') || end == 0 && bytes.get(at + 2) == Some(&byte) {
                    return None;
                }
                at += end + 1;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b'&' if depth == 0 && bytes.get(at + 1) == Some(&b'&') => {
                parts.push(predicate.get(begin..at)?);
                at += 1;
                begin = at + 1;
            }
            b'|' | b'?' if depth == 0 => return None,
            b'/' if bytes.get(at + 1) == Some(&b'/') => return None,
            _ => {}
        }
        at += 1;
    }
    parts.push(predicate.get(begin..)?);
    Some(parts)
}

fn equality(part: &str) -> Option<(DataField, String)> {
    let (name, text) = part.split_once("==")?;
    let text = text.trim();
    let quote = text.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let value = text.strip_prefix(quote)?.strip_suffix(quote)?;
    if value.contains(['"', '\'', '\\', '\n']) {
        return None;
    }
    let field = match name.trim() {
        "modelName" => DataField::ModelName,
        "modelId" => DataField::ModelId,
        "modelType" => DataField::ModelType,
        "name" => DataField::Name,
        "specName" => DataField::SpecName,
        "workflowRunId" => DataField::WorkflowRun,
        "stepName" => DataField::Step,
        tag => {
            let key = tag.strip_prefix("tags[\"")?.strip_suffix("\"]")?;
            if key.contains(['"', '\\']) {
                return None;
            }
            DataField::Tag(key.to_owned())
        }
    };
    Some((field, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_hold_is_taken() {
        let told = |predicate: &str| -> Vec<String> {
            of(predicate).into_iter().map(|(field, value)| format!("{field:?}={value}")).collect()
        };
        assert_eq!(told(r#"modelName == "scan""#), ["ModelName=scan"]);
        assert_eq!(
            told(r#"specName == 'row' && workflowRunId == "r" && attributes.x > 1"#),
            ["SpecName=row", "WorkflowRun=r"]
        );
        assert_eq!(told(r#"tags["a-b"] == "dev""#), [r#"Tag("a-b")=dev"#]);
        assert_eq!(told(r#"name == "a && b""#), ["Name=a && b"]);
        for none in [
            r#"modelName == "a" || name == "b""#,
            r#"!(modelName == "a")"#,
            r#"modelName == "a" ? true : false"#,
            r#"modelName == "a\"b""#,
            r#"modelName == "a" + "b""#,
            r#"modelName != "a""#,
            r#"modelName == """a""""#,
            "modelName == \"a\" // && name == \"b\"",
            r#"attributes.name == "a""#,
            r"modelName == other",
            "modelName == \"a",
        ] {
            assert_eq!(told(none), [""; 0], "{none}");
        }
    }
}

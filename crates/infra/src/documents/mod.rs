//! YAML and JSON documents with positions (port `Documents`).
//!
//! The file's name chooses the grammar: `.json` is JSON (RFC 8259), `.jsonc` is JSON with comments and trailing
//! commas, `deno.json`, `tsconfig.json` and `package.json` are read as the latter too because their own tools do so
//! or forgive it; everything else is YAML 1.2. Both bound size and depth, so no input can exhaust the stack.

mod json;
mod yaml;

use mangrove_domain::{
    document::{Document, NodeValue},
    json::Number,
    ports::{DocumentError, Documents},
    position::Position,
};

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How deep lists and mappings may be nested.
pub const MAX_DEPTH: usize = 128;
/// How many nodes the aliases of a YAML document may copy in total ("billion laughs").
pub const MAX_COPIED_NODES: usize = 100_000;

/// Reads YAML, JSON and JSON with comments.
#[derive(Clone, Copy, Debug, Default)]
pub struct YamlDocuments;

impl Documents for YamlDocuments {
    fn parse(&self, name: &str, text: &str) -> Result<Document, DocumentError> {
        if text.len() > MAX_BYTES {
            let message = format!("expected at most {MAX_BYTES} bytes, found {}", text.len());
            return Err(error(name, 1, 1, message));
        }
        let root = match grammar(name) {
            Grammar::Yaml => yaml::parse(name, text)?,
            Grammar::Json => json::parse(name, text, json::Dialect::Strict)?,
            Grammar::JsonWithComments => json::parse(name, text, json::Dialect::WithComments)?,
        };
        Ok(Document { name: name.to_owned(), root })
    }
}

enum Grammar {
    Yaml,
    Json,
    JsonWithComments,
}

fn grammar(name: &str) -> Grammar {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    let forgiving = base.ends_with(".jsonc")
        || base == "deno.json"
        || (base.starts_with("tsconfig") || base.starts_with("jsconfig")) && base.ends_with(".json");
    if forgiving {
        Grammar::JsonWithComments
    } else if base.ends_with(".json") {
        Grammar::Json
    } else {
        Grammar::Yaml
    }
}

fn error(name: &str, line: u32, column: u32, message: impl Into<String>) -> DocumentError {
    DocumentError { position: Position { file: name.to_owned(), line, column }, message: message.into() }
}

/// The text of a number that is written in another way than its own text.
fn written(value: &NodeValue, text: &str) -> Option<String> {
    let NodeValue::Number(number) = value else { return None };
    (number.to_string() != text).then(|| text.to_owned())
}

/// The number that decimal digits spell; `None` where it is not finite.
fn decimal(text: &str) -> Option<Number> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Number::Integer(integer));
    }
    text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Number::Float)
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{form::scalar_text, json::Json};

    use super::*;

    fn json_of(name: &str, text: &str) -> Json {
        YamlDocuments.parse(name, text).map(|document| document.root.to_json()).expect("a document")
    }

    fn error_of(name: &str, text: &str) -> String {
        YamlDocuments.parse(name, text).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn keeps_the_contract() {
        mangrove_testkit::contract::documents(&YamlDocuments);
    }

    #[test]
    fn the_name_chooses_the_grammar() {
        let commented = "// a comment\n{\"a\": [1, 2,], /* more */}\n";
        assert_eq!(json_of("deno.jsonc", commented).to_string(), r#"{"a":[1,2]}"#);
        assert_eq!(json_of("x/deno.json", commented).to_string(), r#"{"a":[1,2]}"#);
        assert_eq!(json_of("tsconfig.build.json", commented).to_string(), r#"{"a":[1,2]}"#);
        assert_eq!(
            error_of("lock.json", commented),
            "lock.json:1:1: expected a value, found a comment, which only .jsonc files may have"
        );
        assert_eq!(error_of("lock.json", "{\"a\": 1,}"), "lock.json:1:9: expected a key in double quotes, found `}`");
        assert_eq!(error_of("lock.json", "{a: 1}"), "lock.json:1:2: expected a key in double quotes, found `a`");
    }

    #[test]
    fn yaml_scalars_follow_the_core_schema() {
        let text = "a: 0x1F\nb: 0o17\nc: 1e3\nd: yes\ne: '1'\nf: ~\ng:\nh: !!str 1\ni: 123456789012345678901\nj: 012\nk: 2026.01.02.1\n";
        assert_eq!(
            json_of("a.yaml", text).to_string(),
            r#"{"a":31,"b":15,"c":1000,"d":"yes","e":"1","f":null,"g":null,"h":"1","i":123456789012345680000,"j":12,"k":"2026.01.02.1"}"#
        );
        assert_eq!(error_of("a.yaml", "a: .inf"), "a.yaml:1:4: expected a finite number, found `.inf`");
        assert_eq!(
            error_of("a.yaml", "a: !secret x"),
            "a.yaml:1:12: unknown tag `!secret`: only the tags of YAML's core schema are read"
        );
    }

    #[test]
    fn a_number_keeps_its_text_where_a_text_is_wanted() {
        let text = "[012345678901, 1.20, 3.10, 0x1F, 1e3, +5, 007.0, 5, 1.5, -0.25, 2026.10, 12345678901234567890]";
        let numbers = YamlDocuments.parse("a.yaml", text).expect("a document").root;
        let texts: Vec<String> = numbers.as_list().into_iter().flatten().filter_map(scalar_text).collect();
        assert_eq!(format!("[{}]", texts.join(", ")), text);
        assert_eq!(
            numbers.to_json().to_string(),
            "[12345678901,1.2,3.1,31,1000,5,7,5,1.5,-0.25,2026.1,12345678901234567000]"
        );
        let json = YamlDocuments.parse("a.json", "{\"version\": 1.20}").expect("a document").root;
        assert_eq!(json.get("version").and_then(scalar_text).as_deref(), Some("1.20"));
        let copied = YamlDocuments.parse("a.yaml", "a: &a 1.10\nb: *a").expect("a document").root;
        assert_eq!(copied.get("b").and_then(scalar_text).as_deref(), Some("1.10"));
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved_within_a_bound() {
        let text = "base: &base {x: 1, y: 2}\nother:\n  <<: *base\n  y: 3\nthird: *base\n";
        assert_eq!(
            json_of("a.yaml", text).to_string(),
            r#"{"base":{"x":1,"y":2},"other":{"y":3,"x":1},"third":{"x":1,"y":2}}"#
        );
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = level - 1;
            let alias = format!("*a{previous}");
            let items = [alias.as_str(); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(error_of("a.yaml", &laughs).contains("aliases copy more than 100000 nodes"));
        assert!(error_of("a.yaml", "a: &a [*a]").contains("alias"));
    }

    #[test]
    fn json_escapes_and_numbers() {
        let text = r#"{"a": "\u00e9\n\ud83d\ude00", "b": -0.5e1, "c": 9007199254740993}"#;
        assert_eq!(json_of("a.json", text).to_string(), "{\"a\":\"é\\n😀\",\"b\":-5,\"c\":9007199254740993}");
        assert_eq!(error_of("a.json", "{\"a\": 01}"), "a.json:1:7: `01` is not a JSON number");
        assert_eq!(error_of("a.json", "{\"a\": 1e999}"), "a.json:1:7: `1e999` is not a JSON number");
        assert_eq!(error_of("a.json", "{\"a\": nul}"), "a.json:1:7: expected a value, found `nul`");
        assert_eq!(error_of("a.json", "{\"a\": \"x\ny\"}"), "a.json:1:7: the string is not closed on its line");
        assert_eq!(error_of("a.json", "[1] 2"), "a.json:1:5: expected the end of the file, found `2`");
        assert_eq!(error_of("a.json", ""), "a.json:1:1: expected a value, found the end of the file");
        assert_eq!(error_of("a.jsonc", "[1 /* x"), "a.jsonc:1:4: the comment is not closed");
    }
}

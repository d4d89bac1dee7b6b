//! A form for the inputs of a workflow, made from their JSON Schema.
//!
//! A browser sends texts. What they stand for is decided here as little as possible: numbers go on as texts, and become
//! numbers where those of the command line do. The form itself refuses only what is no JSON where JSON has to be.

use std::collections::BTreeMap;

use mangrove_app::workflow::inputs::Mistake;
use mangrove_documents::json;
use mangrove_domain::json::Json;

use crate::content::indented;

/// What stands before the name of an input in the name of its field, so that no input can be taken for another part of
/// the form.
const PREFIX: &str = "input.";

/// The name of the field for inputs that the schema does not name.
const FURTHER: &str = "further";

/// A form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) fields: Vec<Field>,
    /// The field for inputs that the schema does not name, if it allows such.
    pub(crate) further: Option<Field>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its place among the fields, from 1; 0 for the field of further inputs.
    number: usize,
    /// The name of the input; empty for the field of further ones.
    pub(crate) input: String,
    /// Its name in the form.
    pub(crate) control: String,
    /// What it is called on the page.
    pub(crate) label: String,
    /// What it is for, as the schema says; may be empty.
    pub(crate) description: String,
    /// What has to be known to fill it in; may be empty.
    pub(crate) explanation: String,
    pub(crate) kind: FieldKind,
    pub(crate) is_required: bool,
    /// What stands in it: what was entered, else the default.
    pub(crate) value: String,
    /// Why it was refused.
    pub(crate) mistakes: Vec<String>,
    /// True if the schema has a default.
    has_default: bool,
}

/// What a field is filled in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// A line of text.
    Text,
    /// Text of several lines.
    LongText,
    /// A number, entered as text; true for whole ones.
    Number(bool),
    /// Yes or no.
    Check,
    /// One of several values.
    Choice(Vec<Choice>),
    /// JSON; true if another text may stand for itself.
    Json(bool),
}

/// A value that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// What the form sends: the value as JSON; empty for none.
    pub(crate) sent: String,
    pub(crate) label: String,
}

/// What came back from a form: texts by the names of fields.
pub(crate) type Entered = BTreeMap<String, String>;

impl Form {
    /// The empty form of this schema.
    pub(crate) fn new(schema: &Json) -> Self {
        let properties = schema.get("properties").and_then(Json::as_object).unwrap_or_default();
        let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
        let is_required = |name: &str| required.iter().any(|required| required.as_str() == Some(name));
        let fields = properties.iter().enumerate();
        let fields = fields.map(|(number, (name, schema))| Field::new(number + 1, name, schema, is_required(name)));
        let allows_others = match schema.get("additionalProperties") {
            Some(Json::Bool(allowed)) => *allowed,
            Some(_) | None => true,
        };
        Self { fields: fields.collect(), further: allows_others.then(|| Field::further(properties.is_empty())) }
    }

    /// The same form with what was entered.
    pub(crate) fn filled(mut self, entered: &Entered) -> Self {
        for field in self.fields.iter_mut().chain(&mut self.further) {
            field.value = match (&field.kind, entered.get(&field.control)) {
                (_, Some(text)) => text.replace("\r\n", "\n"),
                // A browser does not send what is not checked.
                (FieldKind::Check, None) => "false".to_owned(),
                (_, None) => String::new(),
            };
        }
        self
    }

    /// The inputs that the filled form stands for. What cannot stand for a value is a mistake of its field, and then there
    /// is none.
    pub(crate) fn inputs(&mut self) -> Option<Json> {
        let mut members: Vec<(String, Json)> = Vec::new();
        if let Some(further) = &mut self.further {
            match further.parsed() {
                Ok(None) => {}
                Ok(Some(Json::Object(further))) => members.extend(further),
                Ok(Some(other)) => {
                    let found = other.type_name();
                    further
                        .mistakes
                        .push(format!("expected a JSON object such as {{\"name\": \"value\"}}, found {found}"));
                }
                Err(mistake) => further.mistakes.push(mistake),
            }
        }
        for field in &mut self.fields {
            match field.parsed() {
                Ok(None) => {}
                Ok(Some(value)) => members.push((field.input.clone(), value)),
                Err(mistake) => field.mistakes.push(mistake),
            }
        }
        let is_right = self.fields.iter().chain(&self.further).all(|field| field.mistakes.is_empty());
        is_right.then(|| Json::object(members))
    }

    /// Puts each mistake beside the field that it is about, and gives those that are about none.
    pub(crate) fn refuse(&mut self, wrong: Vec<Mistake>) -> Vec<String> {
        let mut others = Vec::new();
        for Mistake { violation, hint } in wrong {
            let with_hint = |text: String| hint.as_ref().map_or_else(|| text.clone(), |hint| format!("{text}; {hint}"));
            // The longest name: one input may be called `a`, another `a.b`.
            let about = self.fields.iter_mut().filter(|field| violation.is_within(&field.input));
            match about.max_by_key(|field| field.input.len()) {
                Some(field) if violation.path == field.input => {
                    field.mistakes.push(with_hint(violation.message.clone()));
                }
                Some(field) => {
                    let below = violation.path[field.input.len()..].trim_start_matches('.');
                    field.mistakes.push(with_hint(format!("{below}: {}", violation.message)));
                }
                None => match &mut self.further {
                    Some(further) => further.mistakes.push(with_hint(violation.to_string())),
                    None => others.push(with_hint(violation.to_string())),
                },
            }
        }
        others
    }

    /// How many fields have a mistake.
    pub(crate) fn mistakes(&self) -> usize {
        self.fields.iter().chain(&self.further).filter(|field| !field.mistakes.is_empty()).count()
    }
}

impl Field {
    fn new(number: usize, name: &str, schema: &Json, is_required: bool) -> Self {
        let text = |key: &str| schema.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let default = schema.get("default");
        let kind = kind(schema, is_required, default);
        let mut value = match (&kind, default) {
            (_, None) => String::new(),
            (FieldKind::Choice(_), Some(default)) => default.to_string(),
            (FieldKind::Json(is_free), Some(Json::String(text))) if *is_free && !is_json(text) => text.clone(),
            (FieldKind::Json(_), Some(default)) => indented(default),
            (_, Some(Json::String(text))) => text.clone(),
            (_, Some(default)) => default.to_string(),
        };
        if kind == FieldKind::Check && value.is_empty() {
            "false".clone_into(&mut value);
        }
        let title = text("title");
        Self {
            number,
            input: name.to_owned(),
            control: format!("{PREFIX}{name}"),
            label: if title.is_empty() { name.to_owned() } else { format!("{title} ({name})") },
            description: text("description"),
            explanation: explanation(schema, &kind, default),
            kind,
            is_required,
            value,
            mistakes: Vec::new(),
            has_default: default.is_some(),
        }
    }

    fn further(is_only: bool) -> Self {
        Self {
            number: 0,
            input: String::new(),
            control: FURTHER.to_owned(),
            label: if is_only { "Inputs" } else { "Further inputs" }.to_owned(),
            description: String::new(),
            explanation: "A JSON object such as {\"name\": \"value\"}; empty for none.".to_owned(),
            kind: FieldKind::Json(false),
            is_required: false,
            value: String::new(),
            mistakes: Vec::new(),
            has_default: false,
        }
    }

    /// The value that its text stands for; `None` if it stands for nothing.
    fn parsed(&self) -> Result<Option<Json>, String> {
        let text = self.value.as_str();
        let parse = || serde_json::from_str::<serde_json::Value>(text).map(|value| json::from_value(&value));
        match &self.kind {
            FieldKind::Text | FieldKind::LongText => {
                // A default that was deleted is an empty text; a field that was empty all along is nothing.
                Ok((!text.is_empty() || self.has_default).then(|| Json::from(text)))
            }
            FieldKind::Number(_) => Ok((!text.trim().is_empty()).then(|| Json::from(text))),
            FieldKind::Check => Ok(Some(Json::Bool(text == "true"))),
            FieldKind::Choice(_) if text.is_empty() => Ok(None),
            FieldKind::Choice(choices) => {
                let is_known = choices.iter().any(|choice| choice.sent == text);
                if is_known { parse().map(Some).map_err(|_| unknown_choice()) } else { Err(unknown_choice()) }
            }
            FieldKind::Json(_) if text.trim().is_empty() => Ok(None),
            FieldKind::Json(is_free) => match parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) if *is_free => Ok(Some(Json::from(text))),
                Err(error) => Err(format!("is no JSON: {error}")),
            },
        }
    }

    /// The name of its element on the page.
    pub(crate) fn id(&self) -> String {
        format!("field-{}", self.number)
    }

    /// True if something is said about it.
    pub(crate) fn has_notes(&self) -> bool {
        !self.mistakes.is_empty() || !self.description.is_empty() || !self.explanation.is_empty()
    }

    /// How many lines its element has.
    pub(crate) fn rows(&self) -> usize {
        self.value.lines().count().clamp(2, 12)
    }

    /// Which keys a telephone shows.
    pub(crate) const fn input_mode(&self) -> &'static str {
        match self.kind {
            FieldKind::Number(true) => "numeric",
            FieldKind::Number(false) => "decimal",
            _ => "text",
        }
    }

    /// True if this choice is the one that was entered.
    pub(crate) fn has(&self, choice: &Choice) -> bool {
        self.value == choice.sent
    }
}

fn unknown_choice() -> String {
    "is none of the values that can be chosen".to_owned()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

fn kind(schema: &Json, is_required: bool, default: Option<&Json>) -> FieldKind {
    if let Some(values) = listed(schema) {
        let mut choices: Vec<Choice> = values
            .iter()
            .map(|value| {
                let label = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                Choice { sent: value.to_string(), label: label.unwrap_or_else(|| value.to_string()) }
            })
            .collect();
        // Something is chosen for whoever chooses nothing, unless that is all right or a default is there.
        if !default.is_some_and(|default| values.contains(default)) {
            choices.insert(0, Choice { sent: String::new(), label: "not given".to_owned() });
        }
        return FieldKind::Choice(choices);
    }
    let types = types(schema);
    match types.as_slice() {
        [only] if only == "boolean" && (is_required || default.is_some()) => FieldKind::Check,
        [only] if only == "boolean" => {
            let choice = |sent: &str, label: &str| Choice { sent: sent.to_owned(), label: label.to_owned() };
            FieldKind::Choice(vec![choice("", "not given"), choice("true", "yes"), choice("false", "no")])
        }
        [only] if only == "integer" => FieldKind::Number(true),
        [only] if only == "number" => FieldKind::Number(false),
        [only] if only == "string" => {
            let is_long = default.and_then(Json::as_str).is_some_and(|text| text.contains('\n'));
            if is_long { FieldKind::LongText } else { FieldKind::Text }
        }
        [] => FieldKind::Json(true),
        several => FieldKind::Json(several.iter().any(|name| name == "string")),
    }
}

/// The values of a schema that lists them.
fn listed(schema: &Json) -> Option<Vec<Json>> {
    let listed = schema.get("enum").and_then(Json::as_array).filter(|values| !values.is_empty());
    listed.map(<[Json]>::to_vec).or_else(|| schema.get("const").map(|only| vec![only.clone()]))
}

/// The types that a schema expects, without `null`; empty if it does not say.
fn types(schema: &Json) -> Vec<String> {
    let mut types: Vec<String> = match schema.get("type") {
        Some(Json::String(name)) => vec![name.clone()],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if types.is_empty() {
        let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array()).unwrap_or_default();
        for alternative in alternatives {
            match alternative.get("type").and_then(Json::as_str) {
                Some(name) => types.push(name.to_owned()),
                // It does not say: anything may stand there.
                None => return Vec::new(),
            }
        }
    }
    types.retain(|name| name != "null");
    types.dedup();
    types
}

fn explanation(schema: &Json, kind: &FieldKind, default: Option<&Json>) -> String {
    let mut parts = match kind {
        FieldKind::Number(true) => vec!["A whole number".to_owned()],
        FieldKind::Number(false) => vec!["A number".to_owned()],
        FieldKind::Json(is_free) => {
            let what = match types(schema).as_slice() {
                [only] if only == "array" => "A JSON list such as [1, 2]",
                [only] if only == "object" => "A JSON object such as {\"key\": \"value\"}",
                _ if *is_free => "JSON; what is no JSON is taken as text",
                _ => "JSON",
            };
            vec![what.to_owned()]
        }
        FieldKind::Text | FieldKind::LongText | FieldKind::Check | FieldKind::Choice(_) => Vec::new(),
    };
    let limits = [
        ("minimum", "at least "),
        ("exclusiveMinimum", "more than "),
        ("maximum", "at most "),
        ("exclusiveMaximum", "less than "),
        ("minLength", "letters at least: "),
        ("maxLength", "letters at most: "),
        ("pattern", "fits the pattern "),
        ("format", "has the format "),
    ];
    for (key, words) in limits {
        if let Some(limit) = schema.get(key) {
            parts.push(format!("{words}{}", limit.as_str().map_or_else(|| limit.to_string(), str::to_owned)));
        }
    }
    if let (FieldKind::Number(_) | FieldKind::Json(_), Some(default)) = (kind, default) {
        parts.push(format!("empty for {default}"));
    }
    let text = parts.join("; ");
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::description::Violation;

    use super::*;

    fn schema(text: &str) -> Json {
        json::from_value(&serde_json::from_str(text).expect("JSON"))
    }

    fn form(text: &str) -> Form {
        Form::new(&schema(text))
    }

    const ALL: &str = r#"{
        "type": "object",
        "required": ["name", "count"],
        "properties": {
            "name": {"type": "string", "title": "Name", "description": "Who"},
            "greeting": {"type": "string", "default": "hello"},
            "count": {"type": "integer", "minimum": 1},
            "ratio": {"type": ["number", "null"], "default": 0.5},
            "loud": {"type": "boolean", "default": true},
            "maybe": {"type": "boolean"},
            "zone": {"enum": ["a", 2, null]},
            "size": {"enum": ["s", "l"], "default": "l"},
            "list": {"type": "array", "default": [1]},
            "free": {}
        },
        "additionalProperties": false
    }"#;

    fn entered(pairs: &[(&str, &str)]) -> Entered {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn inputs(text: &str, pairs: &[(&str, &str)]) -> String {
        let mut form = form(text).filled(&entered(pairs));
        form.inputs().map_or_else(|| format!("{:?}", form.mistaken()), |inputs| inputs.to_string())
    }

    impl Form {
        /// The fields with mistakes.
        fn mistaken(&self) -> Vec<(&str, &[String])> {
            let wrong = self.fields.iter().chain(&self.further).filter(|field| !field.mistakes.is_empty());
            wrong.map(|field| (field.control.as_str(), field.mistakes.as_slice())).collect()
        }
    }

    #[test]
    fn a_field_is_what_its_schema_says() {
        let form = form(ALL);
        assert_eq!(form.further, None);
        let shown: Vec<String> = form
            .fields
            .iter()
            .map(|field| {
                let kind = match &field.kind {
                    FieldKind::Choice(choices) => {
                        let sent: Vec<&str> = choices.iter().map(|choice| choice.sent.as_str()).collect();
                        format!("Choice({})", sent.join("|"))
                    }
                    other => format!("{other:?}"),
                };
                format!("{} {kind} {:?} {}", field.label, field.value, field.explanation)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "Name (name) Text \"\" ",
                "greeting Text \"hello\" ",
                "count Number(true) \"\" A whole number; at least 1.",
                "ratio Number(false) \"0.5\" A number; empty for 0.5.",
                "loud Check \"true\" ",
                "maybe Choice(|true|false) \"\" ",
                "zone Choice(|\"a\"|2|null) \"\" ",
                "size Choice(\"s\"|\"l\") \"\\\"l\\\"\" ",
                "list Json(false) \"[\\n  1\\n]\" A JSON list such as [1, 2]; empty for [1].",
                "free Json(true) \"\" JSON; what is no JSON is taken as text.",
            ]
        );
        assert!(form.fields[0].is_required && !form.fields[1].is_required);
    }

    #[test]
    fn what_is_entered_becomes_inputs_and_what_is_empty_is_not_given() {
        let all = [
            ("input.name", "Ada"),
            ("input.greeting", ""),
            ("input.count", " 3 "),
            ("input.maybe", "false"),
            ("input.zone", "null"),
            ("input.size", "\"s\""),
            ("input.list", "[1,\r\n2]"),
            ("input.free", "{a"),
            ("key", "k"),
        ];
        assert_eq!(
            inputs(ALL, &all),
            r#"{"name":"Ada","greeting":"","count":" 3 ","loud":false,"maybe":false,"zone":null,"size":"s","list":[1,2],"free":"{a"}"#
        );
        assert_eq!(inputs(ALL, &[]), r#"{"greeting":"","loud":false}"#);
        let wrong = inputs(ALL, &[("input.list", "[1"), ("input.zone", "\"b\"")]);
        assert!(wrong.contains("input.list") && wrong.contains("is no JSON"), "{wrong}");
        assert!(wrong.contains("input.zone") && wrong.contains("none of the values"), "{wrong}");
    }

    #[test]
    fn a_schema_that_takes_others_has_a_field_for_them() {
        let open = r#"{"type": "object"}"#;
        assert_eq!(inputs(open, &[("further", r#"{"a": [1]}"#)]), r#"{"a":[1]}"#);
        assert_eq!(inputs(open, &[("further", " ")]), "{}");
        assert!(inputs(open, &[("further", "[1]")]).contains("expected a JSON object"));
        let one = r#"{"properties": {"a": {"type": "string"}}, "additionalProperties": true}"#;
        assert_eq!(inputs(one, &[("further", r#"{"a": "x", "b": 1}"#), ("input.a", "y")]), r#"{"a":"y","b":1}"#);
    }

    #[test]
    fn a_name_is_only_ever_the_name_of_an_input() {
        let odd =
            r#"{"properties": {"key": {"type": "string"}, "further": {"type": "string"}, "": {"type": "string"}}}"#;
        let all = [("input.key", "1"), ("input.further", "2"), ("input.", "3"), ("key", "nonce"), ("further", "{}")];
        assert_eq!(inputs(odd, &all), r#"{"key":"1","further":"2","":"3"}"#);
    }

    #[test]
    fn mistakes_stand_beside_their_fields_with_what_was_entered() {
        let mut form = form(ALL).filled(&entered(&[("input.count", "many"), ("input.list", "[\"x\"]")]));
        assert!(form.inputs().is_some());
        let wrong = |path: &str, message: &str, hint: Option<&str>| Mistake {
            violation: Violation { path: path.to_owned(), message: message.to_owned() },
            hint: hint.map(str::to_owned),
        };
        let others = form.refuse(vec![
            wrong("count", "expected integer", None),
            wrong("list[0]", "expected integer", None),
            wrong("nam", "is not known", Some("did you mean `name`?")),
        ]);
        assert_eq!(others, ["nam: is not known; did you mean `name`?"]);
        let count = &form.fields[2];
        assert_eq!((count.value.as_str(), count.mistakes.as_slice()), ("many", &["expected integer".to_owned()][..]));
        assert_eq!(form.fields[8].mistakes, ["[0]: expected integer"]);
        assert_eq!(form.mistakes(), 2);
    }
}

//! `${{ … }}` expressions: CEL (port `Expressions`).
//!
//! CEL has no loops but its comprehensions, so time is bounded by how large collections are and how deep
//! comprehensions are nested. Both are checked before anything is evaluated, as are length and nesting of the text,
//! so that no expression exhausts the stack or the clock.

mod references;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cel::{
    Context, ExecutionError, Program, Value,
    common::ast::{Expr, IdedExpr},
    objects::{Key, Map},
};
use mangrove_domain::{
    json::{Json, Number},
    nearest,
    ports::{ExpressionError, Expressions},
};

/// The longest expression, in bytes.
pub const MAX_BYTES: usize = 4096;
/// How deep brackets may be nested.
pub const MAX_NESTING: usize = 32;
/// How many operators, dots and commas an expression may have.
pub const MAX_OPERATORS: usize = 256;
/// How many rounds nested comprehensions may take: the largest collection to the power of their depth.
pub const MAX_ROUNDS: u64 = 1_000_000;

/// Evaluates CEL.
///
/// The members of an object that an expression yields are sorted by key: CEL's maps have no order.
#[derive(Clone, Copy, Debug, Default)]
pub struct CelExpressions;

impl Expressions for CelExpressions {
    fn references(&self, expression: &str) -> Result<Vec<Vec<String>>, ExpressionError> {
        compile(expression).map(|program| references::of(program.expression()))
    }

    fn evaluate(&self, expression: &str, variables: &Json) -> Result<Json, ExpressionError> {
        let failed = |message: String| ExpressionError { expression: expression.to_owned(), message };
        let program = compile(expression)?;
        let members = variables.as_object().unwrap_or_default();
        let depth = comprehension_depth(program.expression());
        let largest = largest_collection(variables).max(MAX_OPERATORS as u64);
        if depth > 1 && largest.checked_pow(depth).is_none_or(|rounds| rounds > MAX_ROUNDS) {
            return Err(failed(format!("{depth} nested comprehensions over {largest} elements take too long")));
        }
        // The interpreter has panicked on unusual values before; an expression must never end the process.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut context = Context::default();
            for (name, value) in members {
                context.add_variable_from_value(name.as_str(), to_cel(value));
            }
            program.execute(&context)
        }));
        match outcome {
            Ok(Ok(value)) => from_cel(&value).map_err(failed),
            Ok(Err(error)) => Err(failed(explain(&error, members))),
            Err(_) => Err(failed("the interpreter cannot evaluate this".to_owned())),
        }
    }
}

fn compile(expression: &str) -> Result<Program, ExpressionError> {
    let failed = |message: String| ExpressionError { expression: expression.to_owned(), message };
    check_size(expression).map_err(failed)?;
    match catch_unwind(|| Program::compile(expression)) {
        Ok(Ok(program)) => Ok(program),
        Ok(Err(errors)) => {
            let messages: Vec<String> = errors.errors.iter().map(|error| error.msg.clone()).collect();
            Err(failed(format!("not a CEL expression: {}", messages.join("; "))))
        }
        Err(_) => Err(failed("not a CEL expression".to_owned())),
    }
}

/// Bounds what the parser and the interpreter recurse over, before they see it.
fn check_size(expression: &str) -> Result<(), String> {
    if expression.trim().is_empty() {
        return Err("expected an expression, found nothing".to_owned());
    }
    if expression.len() > MAX_BYTES {
        return Err(format!("longer than {MAX_BYTES} bytes"));
    }
    let (mut nesting, mut operators, mut quote, mut escaped) = (0_usize, 0_usize, None, false);
    for character in expression.chars() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => nesting += 1,
            (None, ')' | ']' | '}') => nesting = nesting.saturating_sub(1),
            (None, '.' | ',' | '?' | ':' | '+' | '-' | '*' | '/' | '%' | '!' | '<' | '>' | '=' | '&' | '|') => {
                operators += 1;
            }
            (Some(_) | None, _) => {}
        }
        if nesting > MAX_NESTING {
            return Err(format!("brackets are nested deeper than {MAX_NESTING} levels"));
        }
        if operators > MAX_OPERATORS {
            return Err(format!("more than {MAX_OPERATORS} operators"));
        }
    }
    Ok(())
}

fn comprehension_depth(expression: &IdedExpr) -> u32 {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(comprehension_depth).max().unwrap_or(0);
    match &expression.expr {
        Expr::Comprehension(inner) => {
            let body = [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result];
            let inside = deepest(&mut body.into_iter()) + 1;
            inside.max(comprehension_depth(&inner.iter_range))
        }
        Expr::Call(call) => deepest(&mut call.args.iter().chain(call.target.as_deref())),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Select(select) => comprehension_depth(&select.operand),
        Expr::Map(map) => map.entries.iter().map(|entry| entry_depth(&entry.expr)).max().unwrap_or(0),
        Expr::Struct(structure) => structure.entries.iter().map(|entry| entry_depth(&entry.expr)).max().unwrap_or(0),
        _ => 0,
    }
}

fn entry_depth(entry: &cel::common::ast::EntryExpr) -> u32 {
    match entry {
        cel::common::ast::EntryExpr::MapEntry(entry) => {
            comprehension_depth(&entry.key).max(comprehension_depth(&entry.value))
        }
        cel::common::ast::EntryExpr::StructField(field) => comprehension_depth(&field.value),
    }
}

fn largest_collection(value: &Json) -> u64 {
    let (length, below) = match value {
        Json::Array(items) => (items.len(), items.iter().map(largest_collection).max()),
        Json::Object(members) => (members.len(), members.iter().map(|(_, value)| largest_collection(value)).max()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => (0, None),
    };
    u64::try_from(length).unwrap_or(u64::MAX).max(below.unwrap_or(0))
}

fn explain(error: &ExecutionError, variables: &[(String, Json)]) -> String {
    match error {
        ExecutionError::UndeclaredReference(name) => {
            let known = variables.iter().map(|(name, _)| name.as_str());
            match nearest::hint(name, known.clone()) {
                Some(hint) => format!("unknown name `{name}`; {hint}"),
                None => format!("unknown name `{name}`; known are {}", known.collect::<Vec<_>>().join(", ")),
            }
        }
        ExecutionError::NoSuchKey(name) => format!("there is no member `{name}`"),
        other => other.to_string(),
    }
}

fn to_cel(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(Number::Integer(value)) => Value::Int(*value),
        Json::Number(Number::Float(value)) => Value::Float(*value),
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Json::Object(members) => {
            let members: HashMap<Key, Value> =
                members.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value))).collect();
            Value::Map(Map { map: Arc::new(members) })
        }
    }
}

fn from_cel(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::UInt(value) => match i64::try_from(*value) {
            Ok(value) => Json::from(value),
            Err(_) => return Err(format!("{value} is larger than 64 bits with a sign can hold")),
        },
        Value::Float(value) if value.is_finite() => Json::Number(Number::Float(*value)),
        Value::Float(_) => return Err("the result is not a finite number".to_owned()),
        Value::String(text) => Json::from(text.as_str()),
        Value::List(items) => Json::Array(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let mut members = map
                .map
                .iter()
                .map(|(key, value)| Ok((key.to_string(), from_cel(value)?)))
                .collect::<Result<Vec<_>, String>>()?;
            members.sort_by(|left, right| left.0.cmp(&right.0));
            Json::Object(members)
        }
        Value::Timestamp(instant) => Json::from(instant.to_rfc3339()),
        other => return Err(format!("the result is a {}, which no document can hold", other.type_of())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(expression: &str) -> String {
        let variables = Json::object([
            ("inputs", Json::object([("count", Json::from(2)), ("name", Json::from("a"))])),
            ("self", Json::object([("item", Json::Array(vec![Json::from(1), Json::from(2)]))])),
        ]);
        CelExpressions.evaluate(expression, &variables).map_or_else(|error| error.message, |value| value.to_string())
    }

    #[test]
    fn keeps_the_contract() {
        mangrove_testkit::contract::expressions(&CelExpressions);
    }

    #[test]
    fn values_keep_their_type() {
        assert_eq!(value_of("inputs.count + 1"), "3");
        assert_eq!(value_of("inputs"), r#"{"count":2,"name":"a"}"#);
        assert_eq!(value_of("self.item.map(x, x * 2)"), "[2,4]");
        assert_eq!(value_of("inputs.name == 'a' ? 'yes' : 'no'"), r#""yes""#);
        assert_eq!(value_of("has(inputs.other)"), "false");
        assert_eq!(value_of("timestamp('2026-01-02T03:04:05Z')"), r#""2026-01-02T03:04:05+00:00""#);
    }

    #[test]
    fn errors_name_what_is_unknown() {
        assert_eq!(value_of("input.count"), "unknown name `input`; did you mean `inputs`?");
        assert_eq!(value_of("inputs.cuont"), "there is no member `cuont`");
        assert_eq!(value_of("zzzzzzzzz"), "unknown name `zzzzzzzzz`; known are inputs, self");
        assert_eq!(value_of(" "), "expected an expression, found nothing");
    }

    #[test]
    fn no_expression_exhausts_stack_or_clock() {
        let nested = format!("{}1{}", "(".repeat(MAX_NESTING), ")".repeat(MAX_NESTING));
        assert_eq!(value_of(&nested), "1");
        let lists = format!("{}1{}.size()", "[".repeat(MAX_NESTING), "]".repeat(MAX_NESTING));
        assert_eq!(value_of(&lists), "1");
        assert!(value_of(&format!("({nested})")).contains("nested deeper"));
        assert!(value_of(&"!".repeat(300)).contains("more than 256 operators"));
        assert_eq!(value_of(&format!("{}true", "!".repeat(200))), "true");
        assert_eq!(value_of(&format!("1{}", "+1".repeat(250))), "251");
        assert_eq!(value_of(&format!("true{}", "&&true".repeat(100))), "true");
        assert!(value_of(&format!("inputs{}", ".a".repeat(250))).contains("no member"));
        assert!(value_of(&"a".repeat(5000)).contains("longer than"));
        let deep = "self.item.map(a, self.item.map(b, self.item.map(c, self.item.map(d, d))))";
        assert!(value_of(deep).contains("nested comprehensions"), "{}", value_of(deep));
        let many = "a".repeat(MAX_BYTES);
        assert!(value_of(&many).contains("unknown name"));
    }
}

//! `${{ … }}` expressions: CEL (port `Expressions`), in the dialect that people have written theirs for
//! (`design/workflows.md`).
//!
//! CEL has no loops but its comprehensions, so time is bounded by how large collections are and how deep
//! comprehensions are nested. Length and nesting of the text are checked before anything is evaluated, rounds while it is,
//! so that no expression exhausts the stack or the clock.

mod arithmetic;
#[expect(clippy::needless_pass_by_value, reason = "functions of the interpreter are given their arguments")]
mod bytes;
mod conversions;
mod dialect;
mod functions;
#[expect(clippy::needless_pass_by_value, reason = "functions of the interpreter are given their arguments")]
mod literals;
mod messages;
mod references;
mod stack;
#[expect(clippy::needless_pass_by_value, reason = "functions of the interpreter are given their arguments")]
mod texts;
mod tree;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use cel::{Context, Env, IdedExpr, Value};
use mangrove_domain::{
    json::Json,
    ports::{ExpressionError, ExpressionErrorKind, ExpressionFunctions, Expressions, ParsedExpression, Variables},
    workflow::rewrites,
};

use functions::{Asked, FUNCTIONS, Functions, ROUNDS, Rounds};
use values::Numbers;

/// The longest expression, in bytes.
pub const MAX_BYTES: usize = 65_536;
/// How deep brackets may be nested.
pub const MAX_NESTING: usize = 100;
/// How many operators and dots an expression may have.
pub const MAX_OPERATORS: usize = 20_000;
/// How deep an expression may be nested.
pub const MAX_DEPTH: usize = 250;
/// What is nested no deeper is read and evaluated on the stack of whoever asks.
const SHALLOW: usize = 32;

/// How many expressions are remembered, and how long their texts may be: a step evaluates the same few again and again, and
/// reading one takes longer than evaluating it.
const REMEMBERED: (usize, usize) = (1000, 2000);

/// The functions and macros, once for the process.
static ENVIRONMENT: LazyLock<Result<Arc<Env>, String>> =
    LazyLock::new(|| dialect::environment().map_err(|error| error.to_string()));

/// What was read, by its text.
static READ: LazyLock<Mutex<HashMap<String, Arc<Parsed>>>> = LazyLock::new(Mutex::default);

/// Reads CEL.
#[derive(Clone, Copy, Debug, Default)]
pub struct CelExpressions;

impl Expressions for CelExpressions {
    fn parse(&self, expression: &str) -> Result<Arc<dyn ParsedExpression>, ExpressionError> {
        let invalid = |message: String| ExpressionError {
            expression: expression.to_owned(),
            message,
            kind: ExpressionErrorKind::Invalid,
        };
        if let Some(read) = remembered().get(expression) {
            return Ok(Arc::clone(read) as _);
        }
        let extent = Extent::of(expression).map_err(invalid)?;
        let read = || catch_unwind(|| read(expression));
        let outcome = if extent.is_shallow() { Some(read()) } else { stack::deep(read) };
        let parsed = match outcome {
            Some(Ok(parsed)) => parsed.map_err(invalid)?,
            Some(Err(_)) | None => return Err(invalid("not a CEL expression".to_owned())),
        };
        let parsed = Arc::new(parsed);
        let (texts, bytes) = REMEMBERED;
        if expression.len() <= bytes {
            let mut remembered = remembered();
            if remembered.len() >= texts {
                remembered.clear();
            }
            remembered.insert(expression.to_owned(), Arc::clone(&parsed));
        }
        Ok(parsed)
    }
}

fn remembered() -> MutexGuard<'static, HashMap<String, Arc<Parsed>>> {
    READ.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An expression that was read.
struct Parsed {
    text: String,
    environment: Arc<Env>,
    tree: IdedExpr,
    depth: usize,
    references: Vec<Vec<String>>,
    asked_for: Vec<Vec<String>>,
    /// Which members of each variable are read; all of them if it is `None`.
    reads: BTreeMap<String, Option<BTreeSet<String>>>,
    functions: Vec<String>,
    counts_rounds: bool,
}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Parsed").field(&self.text).finish()
    }
}

impl ParsedExpression for Parsed {
    fn references(&self) -> &[Vec<String>] {
        &self.references
    }

    fn asked_for(&self) -> &[Vec<String>] {
        &self.asked_for
    }

    fn functions(&self) -> &[String] {
        &self.functions
    }

    fn evaluate(&self, variables: Variables<'_>, functions: &dyn ExpressionFunctions) -> Result<Json, ExpressionError> {
        let asked = Asked::new(functions);
        // The interpreter has panicked on unusual values before; an expression must never end the process.
        let run = || catch_unwind(AssertUnwindSafe(|| self.run(variables, &asked)));
        let outcome = if self.depth <= SHALLOW { Some(run()) } else { stack::deep(run) };
        let failed = |message: String, kind: ExpressionErrorKind| ExpressionError {
            expression: self.text.clone(),
            message,
            kind,
        };
        match outcome {
            Some(Ok(Ok(value))) => Ok(value),
            Some(Ok(Err(message))) => Err(match asked.waiting() {
                Some(call) => failed(format!("waits for `{}`", call.name), ExpressionErrorKind::Waiting(call)),
                None => failed(message, ExpressionErrorKind::Failed),
            }),
            Some(Err(_)) | None => {
                Err(failed("the interpreter cannot evaluate this".to_owned(), ExpressionErrorKind::Failed))
            }
        }
    }
}

impl Parsed {
    fn run(&self, variables: Variables<'_>, asked: &Asked<'_>) -> Result<Json, String> {
        let members = variables.values.as_object().unwrap_or_default();
        let all_integers: Vec<&[String]> = variables.integers.iter().map(Vec::as_slice).collect();
        let mut context = Context::with_env(Arc::clone(&self.environment));
        for (name, value) in members {
            let integers = values::below(&all_integers, name);
            match (self.reads.get(name), value) {
                (None, _) => {}
                (Some(Some(read)), Json::Object(all)) => {
                    let read = all.iter().filter(|(member, _)| read.contains(member));
                    context.add_variable_as_val(name.as_str(), Box::new(values::from_members(read, &integers)));
                }
                (Some(_), value) => context.add_variable_as_val(name.as_str(), values::from_json(value, &integers)),
            }
        }
        if !self.functions.is_empty() {
            context.add_variable_as_val(FUNCTIONS, Box::new(Functions(asked)));
        }
        if self.counts_rounds {
            context.add_variable_as_val(ROUNDS, Box::new(Rounds(asked)));
        }
        match Value::resolve_val(&self.tree, &context) {
            Ok(value) => values::to_json(value.as_ref(), Numbers::Plain),
            Err(error) => {
                let names = members.iter().map(|(name, _)| name.as_str());
                Err(messages::explain(&error, &self.tree, names))
            }
        }
    }
}

fn read(expression: &str) -> Result<Parsed, String> {
    let environment = ENVIRONMENT.as_ref().map(Arc::clone).map_err(String::clone)?;
    let rewritten = rewrites::dashed_models(expression);
    let parser = environment.parser().max_recursion_depth(1000);
    let parsed = parser.parse(&rewritten).map_err(|errors| {
        let messages: Vec<String> = errors.errors.iter().map(|error| error.msg.clone()).collect();
        format!("not a CEL expression: {}", messages.join("; "))
    })?;
    if tree::depth(&parsed) > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    let adapted = dialect::adapt(parsed);
    let references = references::of(&adapted.tree);
    let mut reads: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    for path in &references {
        let Some((name, members)) = path.split_first() else { continue };
        let read = reads.entry(name.clone()).or_insert_with(|| Some(BTreeSet::new()));
        match (members.first(), read.as_mut()) {
            (Some(member), Some(read)) => {
                read.insert(member.clone());
            }
            (None, _) => *read = None,
            (Some(_), None) => {}
        }
    }
    Ok(Parsed {
        text: expression.to_owned(),
        environment,
        asked_for: references::asked_for(&adapted.tree),
        depth: tree::depth(&adapted.tree),
        tree: adapted.tree,
        references,
        reads,
        functions: adapted.functions.into_iter().collect(),
        counts_rounds: adapted.counts_rounds,
    })
}

/// How far the text of an expression goes, before the parser sees it.
struct Extent {
    nesting: usize,
    operators: usize,
}

impl Extent {
    fn is_shallow(&self) -> bool {
        self.nesting <= SHALLOW && self.operators <= 4 * SHALLOW
    }

    fn of(expression: &str) -> Result<Self, String> {
        if expression.trim().is_empty() {
            return Err("expected an expression, found nothing".to_owned());
        }
        if expression.len() > MAX_BYTES {
            return Err(format!("longer than {MAX_BYTES} bytes"));
        }
        // Texts count like everything else: whether something is one, only the parser knows.
        let (mut nesting, mut deepest, mut operators) = (0_usize, 0, 0_usize);
        for character in expression.chars() {
            match character {
                '(' | '[' | '{' => nesting += 1,
                ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
                '.' | '?' | '+' | '-' | '*' | '/' | '%' | '!' | '<' | '>' | '=' | '&' | '|' => operators += 1,
                _ => {}
            }
            deepest = deepest.max(nesting);
        }
        if deepest > MAX_NESTING {
            return Err(format!("brackets are nested deeper than {MAX_NESTING} levels"));
        }
        if operators > MAX_OPERATORS {
            return Err(format!("more than {MAX_OPERATORS} operators"));
        }
        Ok(Self { nesting: deepest, operators })
    }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::ports::FunctionCall;

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
        assert_eq!(value_of("timestamp('2026-01-02T03:04:05Z')"), r#""2026-01-02T03:04:05.000Z""#);
    }

    #[test]
    fn errors_name_what_is_unknown() {
        assert_eq!(value_of("input.count"), "unknown name `input`; did you mean `inputs`?");
        assert_eq!(value_of("inputs.cuont"), "there is no member `cuont`");
        assert_eq!(value_of("inputs.count.x"), "double has no members");
        assert_eq!(value_of("inputs.name < 1"), "`<`: not between text and int");
        assert_eq!(value_of("inputs.name && true"), "`&&`: not between text and bool");
        assert_eq!(value_of("inputs.count ? 1 : 2"), "expected bool, found double");
        assert_eq!(value_of("self.item[7]"), "there is no element 7");
        assert_eq!(value_of("1 / 0"), "division by zero");
        assert_eq!(value_of("inputs.name.replace('a', 'b')"), "there is no function `replace`");
        assert_eq!(value_of("inputs.name + 1"), "`+`: not between text and int");
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
        assert!(value_of(&"!".repeat(20_100)).contains("more than 20000 operators"));
        assert_eq!(value_of(&format!("{}true", "!".repeat(200))), "true");
        assert_eq!(value_of(&format!("1{}", "+1".repeat(240))), "241");
        assert!(value_of(&format!("1{}", "+1".repeat(1900))).contains("nested deeper than 250 levels"));
        assert_eq!(value_of(&format!("true{}", "&&true".repeat(100))), "true");
        assert!(value_of(&format!("inputs{}", ".a".repeat(240))).contains("no member"));
        assert!(value_of(&"a".repeat(MAX_BYTES + 1)).contains("longer than"));
        assert_eq!(value_of(&format!("[{}1].size()", "1,".repeat(2000))), "2001");
        let many = "a".repeat(MAX_BYTES);
        assert!(value_of(&many).contains("unknown name"));
    }

    #[test]
    fn nested_comprehensions_take_a_bounded_number_of_rounds() {
        let numbers = |count: i64| Json::Array((0..count).map(Json::from).collect());
        let evaluate = |count: i64, expression: &str| {
            CelExpressions.evaluate(expression, &Json::object([("l", numbers(count)), ("s", numbers(2))]))
        };
        let squared = "size(l.map(a, l.filter(b, b == a)))";
        assert_eq!(evaluate(300, squared).map(|value| value.to_string()).as_deref(), Ok("300"));
        let refused = evaluate(2000, squared).expect_err("four million rounds");
        assert!(refused.message.contains("take too long"), "{refused}");
        let value = evaluate(5000, "size(l.map(a, s.map(b, b + a)))").map(|value| value.to_string());
        assert_eq!(value.as_deref(), Ok("5000"), "what is large and not nested is no reason");
    }

    #[test]
    fn texts_do_not_grow_without_bound() {
        let doubled = (0..40).rev().fold("x40".to_owned(), |body, index| {
            let next = index + 1;
            format!("cel.bind(x{next}, x{index} + x{index}, {body})")
        });
        let message = value_of(&format!("cel.bind(x0, 'abcdefgh', size({doubled}))"));
        assert!(message.contains("longer than"), "{message}");
    }

    #[test]
    fn functions_of_the_host_are_asked_for_and_waited_for() {
        struct Known(Vec<(FunctionCall, Json)>);
        impl ExpressionFunctions for Known {
            fn call(&self, call: &FunctionCall) -> Option<Result<Json, String>> {
                self.0.iter().find(|(known, _)| known == call).map(|(_, answer)| Ok(answer.clone()))
            }
        }
        let variables = Json::object([("inputs", Json::object([("n", Json::from(1))]))]);
        let text = "data.latest('m', 'n', [inputs.n]).attributes.x + data.version('m', 'n', 2).y";
        let parsed = CelExpressions.parse(text).expect("an expression");
        assert_eq!(parsed.functions(), ["data.latest", "data.version"]);
        assert_eq!(parsed.references(), [["inputs", "n"]]);
        let waiting = |known: Vec<(FunctionCall, Json)>| match parsed.evaluate((&variables).into(), &Known(known)) {
            Err(ExpressionError { kind: ExpressionErrorKind::Waiting(call), .. }) => call,
            other => panic!("it waits for nothing: {other:?}"),
        };
        let first = waiting(Vec::new());
        assert_eq!(first.name, "data.latest");
        let doubles = Json::Array(vec![Json::Number(mangrove_domain::json::Number::Float(1.0))]);
        assert_eq!(first.arguments, [Json::from("m"), Json::from("n"), doubles]);
        let record = Json::object([("attributes", Json::object([("x", Json::from(3))]))]);
        let second = waiting(vec![(first.clone(), record.clone())]);
        assert_eq!(second.arguments, [Json::from("m"), Json::from("n"), Json::from(2)]);
        let known = vec![(first, record), (second, Json::object([("y", Json::from(4))]))];
        assert_eq!(parsed.evaluate((&variables).into(), &Known(known)).expect("a value"), Json::from(7));

        let decided = CelExpressions.parse("inputs.n == 1 || data.latest('a', 'b') == null").expect("an expression");
        assert_eq!(
            decided.evaluate((&variables).into(), &Known(Vec::new())).expect("decided without"),
            Json::Bool(true)
        );
        let bound = CelExpressions.parse("[1].map(data, data.latest('a', 'b'))").expect("an expression");
        assert!(bound.functions().is_empty(), "`data` is its own");
        let refused = CelExpressions.evaluate("file.contents('m', 's')", &variables).expect_err("no functions here");
        assert!(refused.message.contains("cannot be used here"), "{refused}");
    }

    /// `tests/vectors/expressions.txt`.
    #[test]
    fn every_vector_of_the_dialect() {
        let inputs =
            mangrove_fs::json_text::parse(include_str!("../../../../tests/vectors/inputs.json")).expect("JSON");
        let env = Json::object([("HOME", Json::from("/r"))]);
        let variables = Json::object([("inputs", inputs), ("env", env)]);
        let mut wrong = Vec::new();
        for line in include_str!("../../../../tests/vectors/expressions.txt").lines() {
            let Some((number, rest)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else { continue };
            let (expression, expected) = rest.rsplit_once(" => ").expect(line);
            let found = CelExpressions.evaluate(expression.trim(), &variables);
            let found = match (&found, expected.strip_prefix("int ")) {
                (Err(error), _) if expected != "error" => error.message.clone(),
                (Err(_), _) => "error".to_owned(),
                (Ok(value), None) => value.to_string(),
                (Ok(value), Some(_)) => {
                    let kind = CelExpressions.evaluate(&format!("type({expression}) == int"), &variables);
                    if kind == Ok(Json::Bool(true)) { format!("int {value}") } else { format!("{value}, no int") }
                }
            };
            if found != expected {
                wrong.push(format!("{number} {expression} => {found}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

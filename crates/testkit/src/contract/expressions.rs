//! What every `Expressions` must do.

use mangrove_domain::{
    json::{Json, Number},
    ports::{ANY_ITEM, ExpressionErrorKind, ExpressionFunctions, Expressions, FunctionCall, NoFunctions, Variables},
};

/// Holds an adapter to the contract of [`Expressions`].
///
/// # Panics
/// If it breaks the contract.
pub fn expressions(port: &dyn Expressions) {
    let variables = Json::object([
        ("inputs", Json::object([("name", Json::from("web")), ("count", Json::from(2)), ("on", Json::Bool(true))])),
        ("env", Json::object([("HOME", Json::from("/root"))])),
    ]);
    let value = |text: &str| port.evaluate(text, &variables).expect(text);
    assert_eq!(value("inputs.name"), Json::from("web"));
    assert_eq!(value("inputs.count * 2 + 1"), Json::from(5));
    assert_eq!(value("inputs.on && inputs.count > 1"), Json::Bool(true));
    assert_eq!(value("'x-' + env.HOME"), Json::from("x-/root"));
    assert_eq!(value("[inputs.count, 3]"), Json::Array(vec![Json::from(2), Json::from(3)]));
    assert_eq!(value("inputs").get("count"), Some(&Json::from(2)));

    port.references("inputs.name + ").expect_err("half an expression is none");
    port.references("").expect_err("nothing is no expression");
    port.references("anything.at.all").expect("names are not checked before they are used");
    let unknown = port.evaluate("input.name", &variables).expect_err("an unknown name has no value");
    assert!(unknown.message.contains("input"), "{unknown}");
    port.evaluate("inputs.nothing", &variables).expect_err("an unknown member has no value");
    port.evaluate("1 / 0", &variables).expect_err("no value, and no panic");

    references(port, &variables);
    functions(port, &variables);
    integers(port);

    let nested = format!("{}1{}", "(".repeat(4000), ")".repeat(4000));
    port.references(&nested).expect_err("deep nesting is refused");
    port.references(&"-".repeat(100_000)).expect_err("endless text is refused");
}

/// What is declared as an integer is an int, wherever it lies; every other number is a double.
fn integers(port: &dyn Expressions) {
    let list = || Json::Array(vec![Json::from(7), Json::Number(Number::Float(7.5))]);
    let members = [("n", Json::from(3)), ("whole", Json::Number(Number::Float(3.0))), ("l", list()), ("k", list())];
    let values = Json::object([("inputs", Json::object(members.clone())), ("self", Json::object(members))]);
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let integers = [path(&["inputs", "n"]), path(&["inputs", "whole"]), path(&["inputs", "l", ANY_ITEM])];
    let value = |text: &str| {
        let variables = Variables { values: &values, integers: &integers };
        port.parse(text).and_then(|parsed| parsed.evaluate(variables, &NoFunctions)).expect(text)
    };
    let half = |number: f64| Json::Number(Number::Float(number));
    for (text, expected) in [
        ("inputs.n / 2", Json::from(1)),
        ("inputs.whole / 2", Json::from(1)),
        ("inputs.l[0] / 2", Json::from(3)),
        ("inputs['n'] % 2", Json::from(1)),
        ("[inputs].map(it, it.n / 2)[0]", Json::from(1)),
        ("inputs.n * 1.5", half(4.5)),
        ("inputs.n / 2.0", half(1.5)),
        ("inputs.n == 3.0 && inputs.n in [3.0] && 3 in [inputs.n]", Json::Bool(true)),
        ("inputs.l[1] / 2", half(3.75)),
        ("inputs.k[0] / 2", half(3.5)),
        ("self.n / 2", half(1.5)),
        ("inputs.n", Json::from(3)),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

/// Functions of whoever asks are asked for once their arguments are known, and answers are values like any other.
fn functions(port: &dyn Expressions, variables: &Json) {
    struct Latest(Option<Json>);
    impl ExpressionFunctions for Latest {
        fn call(&self, call: &FunctionCall) -> Option<Result<Json, String>> {
            assert_eq!(call.name, "data.latest");
            assert_eq!(call.arguments, [Json::from("web"), Json::Number(Number::Float(2.0)), Json::from(3)]);
            self.0.clone().map(Ok)
        }
    }
    let parsed = port.parse("data.latest(inputs.name, inputs.count, 3).size * 2").expect("an expression");
    assert_eq!(parsed.functions(), ["data.latest"]);
    let waiting = parsed.evaluate(variables.into(), &Latest(None)).expect_err("the answer is not known yet");
    assert!(matches!(waiting.kind, ExpressionErrorKind::Waiting(_)), "{waiting}");
    let answer = Json::object([("size", Json::from(4))]);
    assert_eq!(parsed.evaluate(variables.into(), &Latest(Some(answer))).expect("a value"), Json::from(8));
    let refused = port.evaluate("data.latest('a', 'b')", variables).expect_err("there are no functions");
    assert_eq!(refused.kind, ExpressionErrorKind::Failed);
    let invalid = port.parse("data.latest(").expect_err("half an expression");
    assert_eq!(invalid.kind, ExpressionErrorKind::Invalid);
}

/// What an expression is said to read is what it reads: secrets are masked by it.
fn references(port: &dyn Expressions, variables: &Json) {
    let found =
        |text: &str| -> Vec<String> { port.references(text).expect(text).iter().map(|path| path.join(".")).collect() };
    let nothing: [&str; 0] = [];
    assert_eq!(found("inputs.zone.id + 'inputs.no'"), ["inputs.zone.id"]);
    assert_eq!(found("inputs.b + inputs.a + inputs.b"), ["inputs.a", "inputs.b"], "sorted, each once");
    assert_eq!(found("true && null == 1u"), nothing);

    // Space and comments are nothing.
    assert_eq!(found(" env\n .\t HOME "), ["env.HOME"]);
    assert_eq!(found("env [ 'HOME' ]"), ["env.HOME"]);
    assert_eq!(found("vault . get ( 'a', 'b' )"), ["vault"]);
    assert_eq!(found("data.latest(inputs.m, 'n').attributes"), ["inputs.m"], "a function is no variable");
    assert_eq!(found("1 // env.HOME"), nothing);
    assert_eq!(found("env // .OTHER\n.HOME"), ["env.HOME"]);

    // Text is text, whatever it looks like, and quotes in quotes do not end it.
    for text in ["'env.HOME'", r#""vault.get('a', 'b')""#, r#"r'\' + "env.HOME""#, "'''a'env.HOME'b'''", "b'env.HOME'"]
    {
        assert_eq!(found(text), nothing, "{text}");
    }
    assert_eq!(found(r"'\'' + env.HOME + '\''"), ["env.HOME"]);
    assert_eq!(found(r"r'\' + env.HOME"), ["env.HOME"]);

    // A member by a constant name is that member; by anything else it may be each.
    assert_eq!(found(r#"env["A-B"].size() + size(env.C)"#), ["env.A-B", "env.C"]);
    assert_eq!(found("env['HO' + 'ME']"), ["env"]);
    assert_eq!(found("env[inputs.name]"), ["env", "inputs.name"]);
    assert_eq!(found("{'a': env}.a.HOME"), ["env"]);
    assert_eq!(found("[env][0].HOME"), ["env"]);
    assert_eq!(found("(true ? env : inputs).HOME"), ["env", "inputs"]);
    assert_eq!(found("has(env.HOME) || 'HOME' in env"), ["env", "env.HOME"]);
    assert_eq!(found(".env.HOME"), ["env.HOME"]);

    // What it asks for may be absent.
    let asked = |text: &str| -> Vec<String> {
        port.parse(text).expect(text).asked_for().iter().map(|path| path.join(".")).collect()
    };
    assert_eq!(asked("inputs.a + inputs.?b.c.orValue(inputs.d)"), ["inputs.b"]);
    assert_eq!(asked(r#"[has(inputs.a.b)].map(x, inputs[?"c"])"#), ["inputs.a.b", "inputs.c"]);

    // What an expression binds is its own, where it is bound.
    assert_eq!(found("inputs.list.map(x, x.name)"), ["inputs.list"]);
    assert_eq!(found("[1].map(env, env) + [env.HOME]"), ["env.HOME"]);
    assert_eq!(found("env.LIST.map(env, env)"), ["env.LIST"]);
    assert_eq!(found("['HOME'].map(name, env[name])"), ["env"]);
    let nested = "inputs.a.filter(x, inputs.b.exists(y, x == y && env.HOME == x))";
    assert_eq!(found(nested), ["env.HOME", "inputs.a", "inputs.b"]);

    // Whatever has a value has the same one if nothing is given but what it was said to read.
    for text in [
        "env.HOME",
        ".env.HOME",
        "env['HOME']",
        "env['HO' + 'ME']",
        "[1].map(env, .env.HOME)",
        "['HOME'].map(name, env[name])",
        "{'a': env}.a.HOME",
        "inputs.on ? env.HOME : inputs.name",
        "has(env.HOME) && 'HOME' in env",
    ] {
        let with_everything = port.evaluate(text, variables).expect(text);
        let read = port.references(text).expect(text);
        assert_eq!(port.evaluate(text, &only(variables, &read)).expect(text), with_everything, "{text}");
    }
}

/// The variables, with the members of `env` that these paths name and no others.
fn only(variables: &Json, references: &[Vec<String>]) -> Json {
    let is_read = |member: &str| {
        let of_env = references.iter().filter(|path| path[0] == "env");
        of_env.map(|path| path.get(1)).any(|name| name.is_none_or(|name| name == member))
    };
    let kept = |(name, value): &(String, Json)| match (name.as_str(), value) {
        ("env", Json::Object(members)) => {
            let members = members.iter().filter(|(member, _)| is_read(member)).cloned();
            (name.clone(), Json::Object(members.collect()))
        }
        _ => (name.clone(), value.clone()),
    };
    Json::Object(variables.as_object().unwrap_or_default().iter().map(kept).collect())
}

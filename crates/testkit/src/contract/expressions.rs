//! What every `Expressions` must do.

use mangrove_domain::{json::Json, ports::Expressions};

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

    port.check("inputs.name + ").expect_err("half an expression is none");
    port.check("").expect_err("nothing is no expression");
    port.check("anything.at.all").expect("names are not checked before they are used");
    let unknown = port.evaluate("input.name", &variables).expect_err("an unknown name has no value");
    assert!(unknown.message.contains("input"), "{unknown}");
    port.evaluate("inputs.nothing", &variables).expect_err("an unknown member has no value");
    port.evaluate("1 / 0", &variables).expect_err("no value, and no panic");

    let nested = format!("{}1{}", "(".repeat(4000), ")".repeat(4000));
    port.check(&nested).expect_err("deep nesting is refused");
    port.check(&"-".repeat(100_000)).expect_err("endless text is refused");
}

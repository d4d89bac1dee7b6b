//! Expressions that a method evaluates itself: `createCelEnvironment` of the context.

use mangrove_domain::json::Json;

use super::host::{Host, text};

impl Host {
    /// Reads an expression, or evaluates it with the variables that the method gives and no other name.
    pub(super) fn expression(&self, function: &str, arguments: &[Json]) -> Result<Json, String> {
        let of = "createCelEnvironment()";
        let expression = text(of, "expression", arguments.first().unwrap_or(&Json::Null))?;
        let expressions = self.caller.expressions();
        match function {
            "parse" => expressions.parse(expression).map(|_| Json::Null),
            "evaluate" => expressions.evaluate(expression, arguments.get(1).unwrap_or(&Json::Null)),
            other => return Err(format!("ctx.{of}.{other} is not supported in this version")),
        }
        .map_err(|error| error.to_string())
    }
}

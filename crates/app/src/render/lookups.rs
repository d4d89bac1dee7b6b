//! What expressions ask for that takes time to find.

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    ports::{ExpressionFunctions, FunctionCall},
};

/// Answers what expressions ask for beyond the names of their scope.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// The answer to a call of one of [`EXPRESSION_FUNCTIONS`](mangrove_domain::ports::EXPRESSION_FUNCTIONS), or why there
    /// is none.
    async fn answer(&self, call: &FunctionCall) -> Result<Json, String>;

    /// The variable `path[0]`, with at least the member that the rest of `path` names, as far as it exists. `None` if there
    /// is no such variable. An expression that reads several members of one asks for each, and sees them together.
    ///
    /// # Errors
    /// Why it cannot be told.
    async fn variable(&self, path: &[String]) -> Result<Option<Json>, String>;
}

/// Finds nothing: for places where there is nothing to find.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookups;

#[async_trait]
impl Lookups for NoLookups {
    async fn answer(&self, call: &FunctionCall) -> Result<Json, String> {
        Err(format!("`{}` cannot be used here", call.name))
    }

    async fn variable(&self, _path: &[String]) -> Result<Option<Json>, String> {
        Ok(None)
    }
}

/// The answers that one evaluation has got so far.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(FunctionCall, Result<Json, String>)>);

impl Answers {
    pub(super) fn add(&mut self, call: FunctionCall, answer: Result<Json, String>) {
        self.0.push((call, answer));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl ExpressionFunctions for Answers {
    fn call(&self, call: &FunctionCall) -> Option<Result<Json, String>> {
        self.0.iter().find(|(asked, _)| asked == call).map(|(_, answer)| answer.clone())
    }
}

/// One value with the members of both, those of mappings in both put together.
pub(super) fn together(left: Json, right: Json) -> Json {
    match (left, right) {
        (Json::Object(mut members), Json::Object(further)) => {
            for (name, value) in further {
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, slot)) => *slot = together(std::mem::take(slot), value),
                    None => members.push((name, value)),
                }
            }
            Json::Object(members)
        }
        (_, right) => right,
    }
}

//! Queries: an expression that chooses records, and one that says what is told of each.

use std::sync::Arc;

use mangrove_domain::{
    json::Json,
    ports::{DataSearch, ExpressionError, Expressions, NoFunctions, ParsedExpression},
};

use super::equalities;

/// The names that a predicate may use.
pub const QUERY_NAMES: [&str; 25] = [
    "id",
    "name",
    "version",
    "isLatest",
    "createdAt",
    "attributes",
    "tags",
    "modelName",
    "modelId",
    "modelType",
    "specName",
    "dataType",
    "contentType",
    "lifetime",
    "ownerType",
    "streaming",
    "size",
    "content",
    "ownerRef",
    "workflowRunId",
    "workflowName",
    "jobName",
    "stepName",
    "source",
    "ns",
];

/// A query that cannot be asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The text is no expression.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// It uses a name that no record has.
    #[error("unknown field `{name}`; a query may use {}", QUERY_NAMES.join(", "))]
    UnknownField {
        /// The name.
        name: String,
    },
    /// It asks for more than one record has.
    #[error("`{name}` cannot be used in a query: it sees one record at a time")]
    Function {
        /// The function.
        name: String,
    },
}

/// A query that was read.
#[derive(Debug)]
pub(super) struct Query {
    predicate: Arc<dyn ParsedExpression>,
    select: Option<Arc<dyn ParsedExpression>>,
    /// What is asked of the store.
    pub(super) search: DataSearch,
    /// The contents are needed for what is told of the chosen records.
    pub(super) tells_content: bool,
}

impl Query {
    pub(super) fn read(
        expressions: &dyn Expressions,
        predicate: &str,
        select: Option<&str>,
    ) -> Result<Self, QueryError> {
        let equal = equalities::of(predicate);
        let predicate = parse(expressions, predicate)?;
        let select = select.map(|select| parse(expressions, select)).transpose()?;
        let reads = |expression: &Arc<dyn ParsedExpression>, names: &[&str]| {
            expression.references().iter().filter_map(|path| path.first()).any(|root| names.contains(&root.as_str()))
        };
        let content = ["attributes", "content"];
        Ok(Self {
            search: DataSearch {
                wants_every_version: reads(&predicate, &["version", "isLatest"]),
                wants_content: reads(&predicate, &content),
                equal,
            },
            tells_content: select.as_ref().is_none_or(|select| reads(select, &content)),
            predicate,
            select,
        })
    }

    /// True if the predicate holds for a record. One on which it fails does not fit.
    pub(super) fn fits(&self, record: &Json) -> bool {
        self.predicate.evaluate(record.into(), &NoFunctions) == Ok(Json::Bool(true))
    }

    /// What is told of a record: itself, or what was asked for; `null` if that fails.
    pub(super) fn told(&self, record: Json) -> Json {
        match &self.select {
            None => record,
            Some(select) => select.evaluate((&with_namespace(record)).into(), &NoFunctions).unwrap_or_default(),
        }
    }
}

/// A record as queries see it: its namespace is called `ns` there.
pub(super) fn with_namespace(record: Json) -> Json {
    let Json::Object(mut members) = record else { return record };
    members.push(("ns".to_owned(), Json::from("")));
    Json::Object(members)
}

fn parse(expressions: &dyn Expressions, text: &str) -> Result<Arc<dyn ParsedExpression>, QueryError> {
    let parsed = expressions.parse(text)?;
    if let Some(name) = parsed.functions().first() {
        return Err(QueryError::Function { name: name.clone() });
    }
    let mut roots = parsed.references().iter().filter_map(|path| path.first());
    match roots.find(|root| !QUERY_NAMES.contains(&root.as_str())) {
        Some(name) => Err(QueryError::UnknownField { name: name.clone() }),
        None => Ok(parsed),
    }
}

//! Where a class stands: what may be put before it, and what it is called from there.

use oxc_ast::ast::{Class, ClassType};
use oxc_span::Span;

use super::whole;

/// Where a class stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Where the statement begins, if it begins before the class.
    start: Option<u32>,
    pub(super) export: Export,
    /// The name that an anonymous class takes from what it is assigned to.
    pub(super) given_name: Option<String>,
}

/// Whether the class is declared with `export`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Export {
    #[default]
    No,
    Named,
    Default,
}

impl Place {
    pub(super) fn exported(statement: Span, class: &Class<'_>, is_default: bool) -> Self {
        let export = if is_default { Export::Default } else { Export::Named };
        Self { start: Some(statement.start.min(whole(class).start)), export, given_name: None }
    }

    pub(super) fn named(name: &str) -> Self {
        Self { given_name: Some(name.to_owned()), ..Self::default() }
    }

    /// What stands around an anonymous class so that it has its name wherever it stands.
    pub(super) fn naming(&self, class: &Class<'_>) -> (String, String) {
        match self.given_name.as_ref().filter(|_| class.id.is_none()) {
            Some(name) => {
                let name = serde_json::Value::from(name.as_str());
                (format!("{{ [{name}]: "), format!(" }}[{name}]"))
            }
            None => (String::new(), String::new()),
        }
    }

    /// Where the statement or the expression begins.
    pub(super) fn start(&self, class: &Class<'_>) -> u32 {
        self.start.unwrap_or(whole(class).start)
    }
}

/// True if the class is part of an expression.
pub(super) fn is_expression(class: &Class<'_>) -> bool {
    class.r#type == ClassType::ClassExpression
}

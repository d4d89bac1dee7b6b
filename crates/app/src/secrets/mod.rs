//! The environment as expressions see it, and the mask over what came out of it.
//!
//! Expressions get only the variables that they name. Each value that was given out is masked as `***` in
//! everything that is logged, recorded or reported afterwards, also in the forms that code makes of it (`forms`). Values
//! shorter than three characters are not: masking every `1` would make output unreadable and hide nothing.

mod forms;
#[cfg(test)]
mod properties;
mod spelling;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mangrove_domain::{json::Json, permission::Grant, run::RunProblem};

use forms::Finder;

/// What stands where a secret stood.
pub const MASK: &str = "***";
/// The shortest value that is masked, in characters.
const SHORTEST: usize = 3;

/// Environment variables, and which of their values were given out.
#[derive(Debug, Default)]
pub struct Environment {
    variables: Vec<(String, String)>,
    /// What finds each of them, by value.
    given: Mutex<BTreeMap<String, Finder>>,
}

impl Environment {
    /// These variables, none of them given out yet.
    #[must_use]
    pub fn new(variables: Vec<(String, String)>) -> Self {
        Self { variables, given: Mutex::default() }
    }

    /// The object `env` for an expression with these references. From now on its values are masked.
    /// An expression that uses `env` other than by the name of a variable gets all of them.
    #[must_use]
    pub fn give(&self, references: &[Vec<String>]) -> Json {
        let mut wanted = BTreeSet::new();
        let mut everything = false;
        for path in references.iter().filter(|path| path.first().is_some_and(|root| root == "env")) {
            match path.get(1) {
                Some(name) => {
                    wanted.insert(name.as_str());
                }
                None => everything = true,
            }
        }
        let given = self.variables.iter().filter(|(name, _)| everything || wanted.contains(name.as_str()));
        Json::object(given.map(|(name, value)| {
            self.mask_from_now_on(value);
            (name.as_str(), Json::from(value.as_str()))
        }))
    }

    /// The variables that a grant opens to code, as far as they are set. From now on the values of those that it names
    /// are masked; those of a grant of everything are not: masking each of them would make output unreadable.
    #[must_use]
    pub fn granted(&self, grant: Option<&Grant>) -> BTreeMap<String, String> {
        let Some(grant) = grant else { return BTreeMap::new() };
        let granted: BTreeMap<String, String> =
            self.variables.iter().filter(|(name, _)| grant.names(name)).cloned().collect();
        if let Grant::Only(_) = grant {
            for value in granted.values() {
                self.mask_from_now_on(value);
            }
        }
        granted
    }

    fn mask_from_now_on(&self, value: &str) {
        if value.chars().count() >= SHORTEST && !self.given().contains_key(value) {
            let finder = Finder::new(value);
            self.given().insert(value.to_owned(), finder);
        }
    }

    fn given(&self) -> MutexGuard<'_, BTreeMap<String, Finder>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text with every given value masked, the longest first.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let given = self.given();
        let mut finders: Vec<(&String, &Finder)> = given.iter().collect();
        finders.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        finders.into_iter().fold(text.to_owned(), |text, (_, finder)| finder.replace(text, MASK))
    }

    /// The value with every text in it masked, keys too.
    #[must_use]
    pub fn mask_json(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.mask(text)),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.mask_json(item)).collect()),
            Json::Object(members) => {
                Json::object(members.iter().map(|(key, value)| (self.mask(key), self.mask_json(value))))
            }
            Json::Number(_) => match self.mask(&value.to_string()) {
                text if text.contains(MASK) => Json::String(text),
                _ => value.clone(),
            },
            Json::Null | Json::Bool(_) => value.clone(),
        }
    }

    /// The problem with its message masked.
    #[must_use]
    pub fn mask_problem(&self, problem: RunProblem) -> RunProblem {
        RunProblem { message: self.mask(&problem.message), ..problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let pairs = [("TOKEN", "s3cret"), ("LONG", "s3cret-and-more"), ("SHORT", "ab"), ("OTHER", "unused")];
        Environment::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    fn path(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn only_what_was_named_is_given_and_masked() {
        let environment = environment();
        let given = environment.give(&[path(&["env", "TOKEN"]), path(&["inputs", "OTHER"])]);
        assert_eq!(given.to_string(), r#"{"TOKEN":"s3cret"}"#);
        assert_eq!(environment.mask("Bearer s3cret, unused"), "Bearer ***, unused");
        let _ = environment.give(&[path(&["env"])]);
        assert_eq!(environment.mask("s3cret-and-more s3cret ab unused"), "*** *** ab ***");
        let value = Json::object([("a s3cret", Json::Array(vec![Json::from("xs3cretx"), Json::from(3)]))]);
        assert_eq!(environment.mask_json(&value).to_string(), r#"{"a ***":["x***x",3]}"#);
    }

    #[test]
    fn granted_variables_are_those_that_the_grant_names_and_are_masked() {
        let environment = environment();
        assert!(environment.granted(None).is_empty());
        let only = Grant::Only(vec!["TOKEN".to_owned(), "ABSENT".to_owned()]);
        let granted = environment.granted(Some(&only));
        assert_eq!(granted.into_iter().collect::<Vec<_>>(), [("TOKEN".to_owned(), "s3cret".to_owned())]);
        assert_eq!(environment.mask("s3cret unused"), "*** unused");
        assert_eq!(environment.granted(Some(&Grant::All)).len(), 4);
        assert_eq!(environment.mask("s3cret unused"), "*** unused");
    }
}

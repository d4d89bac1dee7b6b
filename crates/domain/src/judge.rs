//! What loaders have in common: walking a shape and collecting every violation with its path.
//!
//! Here and not beside the built-in loaders, because a loader in a crate of its own uses nothing but this crate.

use crate::{
    description::{Description, Violation},
    json::Json,
    shape::{Shape, Site},
    type_name::{TypeName, TypeNameError},
};

/// A place in a shape that may be empty.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    shape: Option<&'a Shape>,
    path: String,
}

impl<'a> Field<'a> {
    /// The export itself.
    #[must_use]
    pub const fn root(shape: &'a Shape) -> Self {
        Self { shape: Some(shape), path: String::new() }
    }

    /// The member `key` of an object.
    #[must_use]
    pub fn member(&self, key: &str) -> Field<'a> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Field { shape: self.shape.and_then(|shape| shape.get(key)), path }
    }

    /// What is there; an `undefined` member counts as absent.
    #[must_use]
    pub const fn shape(&self) -> Option<&'a Shape> {
        self.shape
    }

    /// True if something is there.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.shape.is_some()
    }
}

/// Collects violations. Each check gives the value if it holds and notes a violation if not.
#[derive(Debug, Default)]
pub struct Judge {
    violations: Vec<Violation>,
}

impl Judge {
    /// Judges an export that must be an object, as [`Loader::describe`](crate::ports::Loader::describe) asks for it.
    ///
    /// `rules` looks at the object and gives its description, or `None` where something that it needs for that was
    /// rejected. Requirements and remarks of the site are put before its own.
    ///
    /// # Errors
    /// Every violation, never an empty list.
    pub fn export(
        shape: &Shape,
        site: &Site,
        rules: impl FnOnce(&mut Self, &Field<'_>) -> Option<Description>,
    ) -> Result<Description, Vec<Violation>> {
        let mut judge = Self::default();
        let root = Field::root(shape);
        let described = match judge.record(&root) {
            Some(_) => rules(&mut judge, &root),
            None => None,
        };
        if described.is_none() && judge.violations.is_empty() {
            judge.reject(&root, "the loader neither describes nor rejects it");
        }
        match described {
            Some(described) if judge.violations.is_empty() => Ok(Description {
                requirements: [&*site.requirements, &*described.requirements].concat(),
                notes: [&*site.notes, &*described.notes].concat(),
                ..described
            }),
            _ => Err(judge.violations),
        }
    }

    /// Judges an export that describes itself and makes the thing when its `function` is called: `type` with two strict
    /// segments, `name`, `description`, and a `configSchema` that may be missing.
    ///
    /// # Errors
    /// Every violation, never an empty list.
    pub fn factory(shape: &Shape, site: &Site, function: &str) -> Result<Description, Vec<Violation>> {
        Self::export(shape, site, |judge, root| {
            let type_name = judge.type_name(&root.member("type"), TypeName::strict);
            let mut details = judge.texts(root, &["name", "description"]);
            judge.function(&root.member(function));
            details.extend(judge.config_schema(root));
            Some(Description { details: Json::object(details), ..Description::new(type_name?) })
        })
    }

    /// Notes a violation at a field.
    pub fn reject(&mut self, field: &Field<'_>, message: impl Into<String>) {
        self.violations.push(Violation { path: field.path.clone(), message: message.into() });
    }

    fn expected<T>(&mut self, field: &Field<'_>, what: &str) -> Option<T> {
        let found = match field.shape {
            None => "nothing".to_owned(),
            Some(Shape::Threw { message }) => format!("a getter that throws ({message})"),
            Some(shape) => shape.type_name().to_owned(),
        };
        self.reject(field, format!("expected {what}, found {found}"));
        None
    }

    /// A string.
    pub fn string<'a>(&mut self, field: &Field<'a>) -> Option<&'a str> {
        match field.shape {
            Some(Shape::String(text)) => Some(text),
            _ => self.expected(field, "a string"),
        }
    }

    /// The members of these names, each a string that must be there, as details of a description.
    pub fn texts(&mut self, field: &Field<'_>, names: &[&'static str]) -> Vec<(&'static str, Json)> {
        names.iter().filter_map(|name| Some((*name, Json::from(self.string(&field.member(name))?)))).collect()
    }

    /// The member `configSchema`, which may be missing, as a detail of a description.
    pub fn config_schema(&mut self, field: &Field<'_>) -> Option<(&'static str, Json)> {
        let schema = self.optional(&field.member("configSchema"), Self::schema)?;
        Some(("configSchema", schema.clone()))
    }

    /// The text of a type, normalised by the rule of its kind.
    pub fn type_name(
        &mut self,
        field: &Field<'_>,
        normalise: fn(&str) -> Result<TypeName, TypeNameError>,
    ) -> Option<TypeName> {
        let text = self.string(field)?;
        normalise(text).map_err(|error| self.reject(field, error.to_string())).ok()
    }

    /// A member that may be absent: `None` if it is, or if `check` objects to it.
    pub fn optional<'a, T>(
        &mut self,
        field: &Field<'a>,
        check: impl FnOnce(&mut Self, &Field<'a>) -> Option<T>,
    ) -> Option<T> {
        if field.is_present() { check(self, field) } else { None }
    }

    /// A string that is one of `choices`.
    pub fn choice<'a>(&mut self, field: &Field<'a>, choices: &[&str]) -> Option<&'a str> {
        let text = self.string(field)?;
        if choices.contains(&text) {
            return Some(text);
        }
        self.reject(field, format!("expected one of {}, found {text:?}", choices.join(", ")));
        None
    }

    /// A function.
    pub fn function(&mut self, field: &Field<'_>) -> Option<()> {
        match field.shape {
            Some(Shape::Function) => Some(()),
            _ => self.expected(field, "a function"),
        }
    }

    /// A boolean.
    pub fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        match field.shape {
            Some(Shape::Bool(value)) => Some(*value),
            _ => self.expected(field, "a boolean"),
        }
    }

    /// A schema; gives its JSON Schema.
    pub fn schema<'a>(&mut self, field: &Field<'a>) -> Option<&'a Json> {
        match field.shape {
            Some(Shape::Schema { json_schema }) => Some(json_schema),
            _ => self.expected(field, "a schema"),
        }
    }

    /// An object used as a record; gives its members that are not `undefined`.
    pub fn record<'a>(&mut self, field: &Field<'a>) -> Option<Vec<(&'a str, Field<'a>)>> {
        match field.shape {
            Some(Shape::Object(members)) => Some(
                members
                    .iter()
                    .filter(|(_, value)| !matches!(value, Shape::Undefined))
                    .map(|(key, _)| (key.as_str(), field.member(key)))
                    .collect(),
            ),
            _ => self.expected(field, "an object"),
        }
    }

    /// An array; gives its items.
    pub fn list<'a>(&mut self, field: &Field<'a>) -> Option<Vec<Field<'a>>> {
        match field.shape {
            Some(Shape::Array(items)) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Field {
                        shape: Some(item).filter(|item| !matches!(item, Shape::Undefined)),
                        path: format!("{}[{index}]", field.path),
                    })
                    .collect(),
            ),
            _ => self.expected(field, "a list"),
        }
    }

    /// A list of strings.
    pub fn strings(&mut self, field: &Field<'_>) -> Option<Vec<String>> {
        let items = self.list(field)?;
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            texts.push(self.string(item)?.to_owned());
        }
        Some(texts)
    }

    /// A record of strings, such as tags.
    pub fn string_record(&mut self, field: &Field<'_>) -> Option<Json> {
        let members = self.record(field)?;
        let mut texts = Vec::with_capacity(members.len());
        for (key, member) in &members {
            texts.push((*key, Json::from(self.string(member)?)));
        }
        Some(Json::object(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{RelativePath, RootId, SourceId};

    fn site() -> Site {
        let path = RelativePath::parse("probes/a.ts").expect("a path");
        Site {
            source: SourceId { root: RootId::local(), path },
            export_name: "probe".to_owned(),
            requirements: vec!["deno".to_owned()],
            notes: vec!["of the inspector".to_owned()],
        }
    }

    #[test]
    fn what_the_inspector_found_comes_before_what_the_rules_add() {
        let described = Judge::export(&Shape::Object(Vec::new()), &site(), |_, _| {
            let notes = vec!["of the rules".to_owned()];
            Some(Description { notes, ..Description::new(TypeName::stored("@acme/a")) })
        });
        let described = described.expect("nothing was rejected");
        assert_eq!(described.requirements, ["deno"]);
        assert_eq!(described.notes, ["of the inspector", "of the rules"]);
    }

    #[test]
    fn rules_that_give_nothing_are_never_an_empty_list_of_violations() {
        let violations = Judge::export(&Shape::Object(Vec::new()), &site(), |_, _| None).expect_err("no description");
        assert_eq!(violations.len(), 1);
        let violations = Judge::export(&Shape::Null, &site(), |_, _| unreachable!("no object")).expect_err("no object");
        assert_eq!(violations[0].message, "expected an object, found null");
    }
}

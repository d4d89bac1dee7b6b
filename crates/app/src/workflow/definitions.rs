//! Which definition a name means.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use mangrove_domain::{
    advice::{Advice, UserAction},
    definition::{Definition, Place, check_new_name},
    nearest,
    problem::{Code, Problem},
};

/// Takes out what has the identifier of one from a place that comes before: copies that an older layout left behind.
pub(super) fn without_older_copies(mut definitions: Vec<Arc<Definition>>) -> Vec<Arc<Definition>> {
    definitions.sort_by_key(|definition| definition.place);
    let mut first: HashMap<String, Place> = HashMap::new();
    definitions.retain(|definition| {
        let place = first.entry(definition.id.clone()).or_insert(definition.place);
        *place == definition.place
    });
    definitions
}

/// The definition of this name, else of this identifier.
pub(super) fn find<'a>(all: &'a [Arc<Definition>], name: &str) -> Result<&'a Arc<Definition>, Problem> {
    let by_name = first_place(all, |known| known.name.value == name);
    let is_by_name = !by_name.is_empty();
    let found = if is_by_name { by_name } else { first_place(all, |known| known.id == name) };
    match found.as_slice() {
        [] => Err(unknown(all, name)),
        [one] => Ok(one),
        several => {
            let (what, field) = if is_by_name { ("name", "name") } else { ("identifier", "id") };
            let message = format!("the {what} `{name}` belongs to {}: which one is meant is not clear", files(several));
            let hint = format!("give one of them another `{field}`");
            Err(Problem::error(Code::AMBIGUOUS_NAME, name.to_owned(), message).advise(hint))
        }
    }
}

/// Those that fit, of the place that comes first.
fn first_place(all: &[Arc<Definition>], fits: impl Fn(&Definition) -> bool) -> Vec<&Arc<Definition>> {
    let fitting: Vec<&Arc<Definition>> = all.iter().filter(|known| fits(known.as_ref())).collect();
    let Some(place) = fitting.iter().map(|known| known.place).min() else { return Vec::new() };
    fitting.into_iter().filter(|known| known.place == place).collect()
}

fn files(definitions: &[&Arc<Definition>]) -> String {
    let mut files: Vec<&str> = definitions.iter().map(|known| known.file.as_str()).collect();
    files.sort_unstable();
    let (last, first) = files.split_last().unwrap_or((&"", &[]));
    format!("{} and {last}", first.join(", "))
}

fn unknown(all: &[Arc<Definition>], name: &str) -> Problem {
    let hint = nearest::hint(name, all.iter().map(|known| known.name.value.as_str()));
    let making = || match check_new_name(name) {
        Ok(()) => Advice::new(UserAction::CreateDefinition { name: name.to_owned() }).and(" makes it"),
        // A new one may not have the name; a file that somebody writes or brings may.
        Err(_) => Advice::new(format!("a YAML file in models/ with `name: {name}`, a `type` and an `id` defines it")),
    };
    let advice = hint.map_or_else(making, Advice::from);
    Problem::error(Code::UNKNOWN_NAME, name.to_owned(), format!("unknown definition `{name}`")).advise(advice)
}

/// Of each name and identifier, the definitions of the place that comes first.
pub(super) struct First<'a> {
    by_name: HashMap<&'a str, Vec<&'a Arc<Definition>>>,
    by_id: HashMap<&'a str, Vec<&'a Arc<Definition>>>,
}

impl<'a> First<'a> {
    pub(super) fn of(all: &'a [Arc<Definition>]) -> Self {
        let by = |word: fn(&Definition) -> &str| {
            let mut first: HashMap<&'a str, Vec<&'a Arc<Definition>>> = HashMap::new();
            for definition in all {
                let with = first.entry(word(definition)).or_default();
                match with.first().map(|known| known.place.cmp(&definition.place)) {
                    Some(Ordering::Less) => {}
                    Some(Ordering::Greater) => *with = vec![definition],
                    Some(Ordering::Equal) | None => with.push(definition),
                }
            }
            first
        };
        Self { by_name: by(|known| &known.name.value), by_id: by(|known| &known.id) }
    }

    /// True if its name means this one.
    pub(super) fn is_alone_by_name(&self, definition: &Arc<Definition>) -> bool {
        let with = self.by_name.get(definition.name.value.as_str()).map(Vec::as_slice).unwrap_or_default();
        matches!(with, [one] if Arc::ptr_eq(one, definition))
    }
}

/// What is to be told of those of one place that share a name or an identifier. It is no error before somebody asks for
/// them: the order of files differs between machines, so none of them is taken for the one that is meant.
pub(super) fn twins(all: &[Arc<Definition>]) -> Vec<Problem> {
    let first = First::of(all);
    let mut problems = Vec::new();
    for definition in all {
        let shared = |with: Option<&Vec<&Arc<Definition>>>| {
            let several = with.filter(|several| several.len() > 1)?;
            several.iter().any(|known| Arc::ptr_eq(known, definition)).then(|| files(several))
        };
        let (name, id) = (&definition.name.value, &definition.id);
        let (message, hint) = if let Some(files) = shared(first.by_name.get(name.as_str())) {
            (format!("the name `{name}` belongs to {files}: it cannot be used"), "name")
        } else if let Some(files) = shared(first.by_id.get(id.as_str())) {
            (format!("the identifier `{id}` belongs to {files}: they share their data"), "id")
        } else {
            continue;
        };
        problems.push(
            Problem::warning(Code::AMBIGUOUS_NAME, definition.file.clone(), message)
                .at(definition.name.position(&definition.file))
                .advise(format!("give one of them another `{hint}`")),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{form::Located, type_name::TypeName};

    use super::*;

    fn definition(file: &str, id: &str, name: &str, place: Place) -> Arc<Definition> {
        fn at<T>(value: T) -> Located<T> {
            Located { value, line: 1, column: 1 }
        }
        let new = Definition::new(file, id.to_owned(), at(name.to_owned()), at(TypeName::stored("@t/echo")));
        Arc::new(Definition { place, ..new })
    }

    #[test]
    fn a_name_comes_before_an_identifier_and_a_written_file_before_others() {
        let all = [
            definition("models/a.yaml", "1", "a", Place::Written),
            definition("models/b.yaml", "a", "b", Place::Written),
            definition(".swamp/definitions/a.yaml", "2", "a", Place::Older),
            definition("auto/c.yaml", "3", "c", Place::Automatic),
        ];
        for (name, file) in
            [("a", "models/a.yaml"), ("b", "models/b.yaml"), ("1", "models/a.yaml"), ("3", "auto/c.yaml")]
        {
            assert_eq!(find(&all, name).expect("one").file, file, "{name}");
        }
        assert_eq!(twins(&all), []);
    }

    #[test]
    fn one_identifier_is_one_definition_of_the_current_layout() {
        let all = without_older_copies(vec![
            definition(".swamp/definitions/a.yaml", "1", "old", Place::Older),
            definition("models/a.yaml", "1", "new", Place::Written),
            definition("before/b.yaml", "2", "b", Place::AutomaticBefore),
            definition("auto/b.yaml", "2", "b", Place::Automatic),
        ]);
        let files: Vec<&str> = all.iter().map(|known| known.file.as_str()).collect();
        assert_eq!(files, ["models/a.yaml", "auto/b.yaml"]);
    }

    #[test]
    fn twins_are_an_error_for_whoever_asks_for_them_only() {
        let all = [
            definition("models/a.yaml", "1", "a", Place::Written),
            definition("models/b.yaml", "2", "a", Place::Written),
            definition("models/c.yaml", "3", "c", Place::Written),
            definition("models/d.yaml", "3", "d", Place::Written),
        ];
        let message = find(&all, "a").expect_err("two").message;
        assert_eq!(message, "the name `a` belongs to models/a.yaml and models/b.yaml: which one is meant is not clear");
        assert_eq!(find(&all, "c").expect("one").file, "models/c.yaml");
        assert!(find(&all, "3").is_err());
        assert_eq!(twins(&all).len(), 4);
    }
}

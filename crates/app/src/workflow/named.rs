//! Workflows by their names and identifiers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mangrove_domain::{
    form::Located,
    nearest,
    problem::{Code, Problem},
    source::Origin,
    workflow::Workflow,
};

/// `broken` are the names of those whose files cannot be used.
fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    broken: impl Iterator<Item = &'a str> + Clone,
) -> Problem {
    let hint = nearest::hint(name, known.clone().chain(broken.clone())).unwrap_or_else(|| {
        let broken = broken.map(|name| format!("{name} (its file cannot be used)"));
        let first: Vec<String> = known.map(str::to_owned).chain(broken).take(10).collect();
        if first.is_empty() {
            format!("the repository has no {what}s")
        } else {
            format!("known {what}s: {}", first.join(", "))
        }
    });
    Problem::error(Code::UNKNOWN_NAME, name.to_owned(), format!("unknown {what} `{name}`")).advise(hint)
}

/// What has a name and an identifier of its own.
pub(super) trait Named {
    /// What people call such a thing.
    const WHAT: &'static str;
    fn file(&self) -> &str;
    fn id(&self) -> &str;
    fn name(&self) -> &Located<String>;
    fn origin(&self) -> Origin;
}

impl Named for Workflow {
    const WHAT: &'static str = "workflow";

    fn file(&self) -> &str {
        &self.file
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &Located<String> {
        &self.name
    }

    fn origin(&self) -> Origin {
        self.origin
    }
}

/// Who has which name and which identifier, by their places in a list.
#[derive(Debug, Default)]
pub(super) struct Words {
    names: HashMap<String, Vec<usize>>,
    ids: HashMap<String, Vec<usize>>,
}

impl Words {
    /// Those of this list.
    pub(super) fn of<T: Named>(all: &[Arc<T>]) -> Self {
        let mut words = Self::default();
        for (place, one) in all.iter().enumerate() {
            words.names.entry(one.name().value.clone()).or_default().push(place);
            words.ids.entry(one.id().to_owned()).or_default().push(place);
        }
        words
    }

    /// All of the list that share the name or the identifier of this one, itself among them, in their order.
    pub(super) fn alike<'a, T: Named>(&self, all: &'a [Arc<T>], one: &T) -> Vec<&'a Arc<T>> {
        let places = [self.names.get(&one.name().value), self.ids.get(one.id())];
        let mut places: Vec<usize> = places.into_iter().flatten().flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| all.get(place)).collect()
    }
}

/// The one of this name, else of this identifier; `words` are those of the list, `broken` the names of those whose files cannot be
/// used.
///
/// # Errors
/// There is none, or it is not clear which one is meant.
pub(super) fn find<'a, T: Named>(
    (all, words): (&'a [Arc<T>], &Words),
    name: &str,
    broken: impl Iterator<Item = &'a str> + Clone,
) -> Result<&'a Arc<T>, Problem> {
    // The first in the order of their origins.
    let first = |places: Option<&Vec<usize>>| {
        places.into_iter().flatten().filter_map(|place| all.get(*place)).min_by_key(|known| known.origin())
    };
    let Some(found) = first(words.names.get(name)).or_else(|| first(words.ids.get(name))) else {
        return Err(unknown(T::WHAT, name, all.iter().map(|known| known.name().value.as_str()), broken));
    };
    let alike = words.alike(all, found.as_ref());
    match shadowed(&alike, found).or_else(|| ambiguous(&alike, found)) {
        None => Ok(found),
        Some((message, hint)) => Err(Problem::error(Code::AMBIGUOUS_NAME, name.to_owned(), message).advise(hint)),
    }
}

/// A name or an identifier, with the origin of who has it.
pub(super) type Word<'a> = (Origin, &'a str);

/// The names and identifiers that more than one of an origin has.
pub(super) fn repeated<T: Named>(all: &[Arc<T>]) -> (HashSet<Word<'_>>, HashSet<Word<'_>>) {
    let (mut names, mut ids) = (HashSet::new(), HashSet::new());
    let (mut seen_names, mut seen_ids) = (HashSet::new(), HashSet::new());
    for one in all {
        let (name, id) = ((one.origin(), one.name().value.as_str()), (one.origin(), one.id()));
        if !seen_names.insert(name) {
            names.insert(name);
        }
        if !seen_ids.insert(id) {
            ids.insert(id);
        }
    }
    (names, ids)
}

pub(super) fn is_in<T: Named>((names, ids): &(HashSet<Word<'_>>, HashSet<Word<'_>>), one: &T) -> bool {
    names.contains(&(one.origin(), one.name().value.as_str())) || ids.contains(&(one.origin(), one.id()))
}

/// Those of an origin with the name or the identifier of one, but for itself, among those that are alike.
fn twins<'a, T: Named>(alike: &[&'a Arc<T>], one: &Arc<T>) -> Vec<&'a Arc<T>> {
    alike.iter().copied().filter(|known| !Arc::ptr_eq(known, one) && known.origin() == one.origin()).collect()
}

/// Among those that are alike, the first one whose origin comes before that of this one.
pub(super) fn first_before<'a, T: Named>(alike: &[&'a Arc<T>], one: &T) -> Option<&'a Arc<T>> {
    alike.iter().copied().filter(|known| known.origin() < one.origin()).min_by_key(|known| known.origin())
}

/// The sentence that another one comes before this one, and what to do; `None` if none does.
fn shadowed<T: Named>(alike: &[&Arc<T>], one: &Arc<T>) -> Option<(String, String)> {
    let winner = first_before(alike, one.as_ref())?;
    let (what, field) = if winner.name().value == one.name().value { ("name", "name") } else { ("identifier", "id") };
    let (file, other, name) = (one.file(), winner.file(), &winner.name().value);
    let message = format!("{file} shares its {what} with `{name}` in {other}, which takes precedence");
    Some((message, format!("use `{name}`, or give one of the two another `{field}`")))
}

/// The sentence that one shares its name or identifier with others, and what to do; `None` if it does not.
fn ambiguous<T: Named>(alike: &[&Arc<T>], one: &Arc<T>) -> Option<(String, String)> {
    let others = twins(alike, one);
    let has_name = others.iter().any(|other| other.name().value == one.name().value);
    let (name, id) = (format!("the name `{}`", one.name().value), format!("the identifier `{}`", one.id()));
    let has_id = others.iter().any(|other| other.id() == one.id());
    let (what, verb, field) = match (has_name, has_id) {
        (false, false) => return None,
        (true, false) => (name, "belongs", "name"),
        (false, true) => (id, "belongs", "id"),
        (true, true) => (format!("{name} and {id}"), "belong", "name and id"),
    };
    let mut files: Vec<&str> = others.iter().map(|other| other.file()).chain([one.file()]).collect();
    files.sort_unstable();
    let (last, first) = files.split_last()?;
    let message = format!("{what} {verb} to {} and {last}: neither can be used", first.join(", "));
    Some((message, format!("give one of them another `{}`", field.replace(" and ", "` and `"))))
}

/// A problem for each that shares its name or identifier.
pub(super) fn shared<T: Named>(all: &[Arc<T>], words: &Words) -> impl Iterator<Item = Problem> {
    let repeated = repeated(all);
    all.iter().filter(move |one| is_in(&repeated, one.as_ref())).filter_map(|one| {
        let (message, hint) = ambiguous(&words.alike(all, one.as_ref()), one)?;
        Some(
            Problem::error(Code::AMBIGUOUS_NAME, one.file().to_owned(), message)
                .at(one.name().position(one.file()))
                .advise(hint),
        )
    })
}

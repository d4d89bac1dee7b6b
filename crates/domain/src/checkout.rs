//! What nodes that share a catalog run from: each has sources of its own, which should be the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    advice::{Advice, UserAction},
    digest::Digest,
    problem::{Code, Problem},
    source::SourceId,
};

/// How many files are named of those that differ.
const NAMED_FILES: usize = 10;

/// The sources of one node, as it saw them last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The commit that the repository says it is at, in hexadecimal; `None` if it is under no version control that is known here.
    pub commit: Option<String>,
    /// Every file that sources are made of, with the digest of its content.
    pub files: BTreeMap<SourceId, Digest>,
}

impl Checkout {
    /// Names the files and their contents. The commit is no part of it: what runs are files.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = Vec::new();
        for (source, digest) in &self.files {
            text.extend_from_slice(source.root.as_str().as_bytes());
            text.push(0);
            text.extend_from_slice(source.path.as_str().as_bytes());
            text.push(0);
            text.extend_from_slice(digest.as_bytes());
        }
        Digest::of(&text)
    }

    /// The files that only one of the two has, or that have another content.
    #[must_use]
    pub fn differing<'c>(&'c self, other: &'c Self) -> BTreeSet<&'c SourceId> {
        let differs = |one: &Self, source: &SourceId, digest: &Digest| one.files.get(source) != Some(digest);
        let ours = self.files.iter().filter(|(source, digest)| differs(other, source, digest));
        let theirs = other.files.iter().filter(|(source, digest)| differs(self, source, digest));
        ours.chain(theirs).map(|(source, _)| source).collect()
    }

    fn named(&self) -> String {
        self.commit.as_ref().map_or_else(
            || "no commit that is known".to_owned(),
            |commit| format!("commit {}", commit.get(..12).unwrap_or(commit)),
        )
    }
}

/// The checkout of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCheckout {
    /// The name of its machine.
    pub host: String,
    /// What it runs from.
    pub checkout: Checkout,
}

impl NodeCheckout {
    /// What is wrong if this node runs from one checkout and that one from another; `None` if their files are the same.
    #[must_use]
    pub fn problem(&self, own: &Checkout) -> Option<Problem> {
        let differing = own.differing(&self.checkout);
        if differing.is_empty() {
            return None;
        }
        let named: Vec<String> = differing.iter().take(NAMED_FILES).map(ToString::to_string).collect();
        let rest = differing.len() - named.len();
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let message = format!(
            "this node has {} and {} has {}: they differ in {}{rest}; each writes its own rows of these over those of the other",
            own.named(),
            self.host,
            self.checkout.named(),
            named.join(", "),
        );
        let advice = Advice::new("bring all nodes to one commit; ")
            .and(UserAction::Explain(Code::CHECKOUTS_DIFFER))
            .and(" says more");
        Some(Problem::error(Code::CHECKOUTS_DIFFER, self.host.clone(), message).advise(advice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{RelativePath, RootId};

    fn checkout(commit: &str, files: &[(&str, &str)]) -> Checkout {
        let source = |path: &str| SourceId { root: RootId::local(), path: RelativePath::parse(path).expect("a path") };
        let files = files.iter().map(|(path, text)| (source(path), Digest::of(text.as_bytes()))).collect();
        Checkout { commit: Some(commit.to_owned()).filter(|commit| !commit.is_empty()), files }
    }

    #[test]
    fn both_commits_and_the_files_that_differ_are_named() {
        let own = checkout("0123456789abcdef", &[("a.ts", "1"), ("b.ts", "1"), ("c.ts", "1")]);
        let other = |checkout| NodeCheckout { host: "east".to_owned(), checkout };
        let same = checkout("fedcba9876543210", &[("a.ts", "1"), ("b.ts", "1"), ("c.ts", "1")]);
        assert_eq!(own.digest(), same.digest());
        assert_eq!(other(same).problem(&own), None, "what runs is the same");
        let differs = checkout("", &[("a.ts", "1"), ("b.ts", "2"), ("d.ts", "1")]);
        assert_ne!(own.digest(), differs.digest());
        let problem = other(differs).problem(&own).expect("a problem");
        assert_eq!(problem.code, Code::CHECKOUTS_DIFFER);
        for part in ["commit 0123456789ab ", "east has no commit", "b.ts, ", "c.ts, ", "d.ts;"] {
            assert!(problem.message.contains(part), "{part:?} is not in {problem:?}");
        }
        assert!(!problem.message.contains("a.ts"));
    }

    #[test]
    fn of_many_files_some_are_named() {
        let names: Vec<String> = (0..15).map(|number| format!("{number:02}.ts")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let other = NodeCheckout { host: "east".to_owned(), checkout: checkout("a", &files) };
        let problem = other.problem(&checkout("b", &[])).expect("a problem");
        assert!(problem.message.contains("09.ts and 5 more;"), "{problem:?}");
    }
}

//! Reports: which are made after a method or a workflow, and under which names they are kept.

use crate::{json::Json, selection::Selection};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReportScope {
    /// A call of a method, however it ended.
    Method,
    /// A model after a call that succeeded.
    Model,
    /// A run of a workflow.
    Workflow,
}

impl ReportScope {
    /// Every scope.
    pub const ALL: [ReportScope; 3] = [ReportScope::Method, ReportScope::Model, ReportScope::Workflow];

    /// As an author writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ReportScope::Method => "method",
            ReportScope::Model => "model",
            ReportScope::Workflow => "workflow",
        }
    }

    /// The scope of this spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ReportScope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// After what reports are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A call of a method, which may have failed.
    Method {
        /// True if it did.
        has_failed: bool,
    },
    /// A run of a workflow.
    Workflow,
}

impl Occasion {
    /// True if a report of this scope is made now.
    #[must_use]
    pub const fn suits(self, scope: ReportScope) -> bool {
        match self {
            Occasion::Method { has_failed: true } => matches!(scope, ReportScope::Method),
            Occasion::Method { has_failed: false } | Occasion::Workflow => self.may_suit(scope),
        }
    }

    /// True if a report of this scope could be made on such an occasion, had it ended otherwise.
    #[must_use]
    pub const fn may_suit(self, scope: ReportScope) -> bool {
        match self {
            Occasion::Method { .. } => matches!(scope, ReportScope::Method | ReportScope::Model),
            Occasion::Workflow => matches!(scope, ReportScope::Workflow),
        }
    }

    /// The scope that a report would have that is named here and that nobody has.
    #[must_use]
    pub const fn usual_scope(self) -> ReportScope {
        match self {
            Occasion::Method { .. } => ReportScope::Method,
            Occasion::Workflow => ReportScope::Workflow,
        }
    }
}

/// Which reports whoever runs something wants. Those that a file insists on cannot be skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportOptions {
    /// None at all.
    pub skip_all: bool,
    /// Not these.
    pub skip: Vec<String>,
    /// None with one of these labels.
    pub skip_labels: Vec<String>,
    /// Only these, and those with one of [`only_labels`](Self::only_labels); if both are empty, all.
    pub only: Vec<String>,
    /// See [`only`](Self::only).
    pub only_labels: Vec<String>,
}

/// A report that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// True if a file insists on it.
    pub is_required: bool,
}

/// The reports that may be made, each once: built-in ones, those that a type declares, those that a file insists on after these
/// methods. What the file leaves out is none.
pub fn candidates<'a>(
    built_in: impl IntoIterator<Item = &'a str>,
    declared: impl IntoIterator<Item = &'a str>,
    selection: &'a Selection,
    methods: &[&str],
) -> Vec<Candidate> {
    let required = selection.require.iter().map(|name| name.value.as_str());
    let required = required.filter(|name| selection.requires(name, methods));
    let mut candidates: Vec<Candidate> = Vec::new();
    for name in built_in.into_iter().chain(declared).chain(required) {
        if !selection.skips(name) && !candidates.iter().any(|known| known.name == name) {
            let is_required = selection.requires(name, methods);
            candidates.push(Candidate { name: name.to_owned(), is_required });
        }
    }
    candidates
}

impl ReportOptions {
    /// True if any report is left out.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }

    /// False if a report is not wanted, whatever its labels are.
    #[must_use]
    pub fn may_want(&self, candidate: &Candidate) -> bool {
        let is_skipped = self.skip_all || self.skip.contains(&candidate.name);
        (candidate.is_required || !is_skipped) && (!self.only_labels.is_empty() || self.keeps(candidate, &[]))
    }

    /// True if a report with these labels is wanted.
    #[must_use]
    pub fn wants(&self, candidate: &Candidate, labels: &[&str]) -> bool {
        let is_skipped = self.skip_labels.iter().any(|label| labels.contains(&label.as_str()));
        self.may_want(candidate) && (candidate.is_required || !is_skipped) && self.keeps(candidate, labels)
    }

    fn keeps(&self, candidate: &Candidate, labels: &[&str]) -> bool {
        let keeps_all = self.only.is_empty() && self.only_labels.is_empty();
        keeps_all
            || self.only.contains(&candidate.name)
            || self.only_labels.iter().any(|label| labels.contains(&label.as_str()))
    }
}

/// How long a report is kept.
pub const LIFETIME: &str = "30d";

/// How many versions of a report are kept.
pub const VERSIONS: i64 = 5;

/// The content type of the text of a report.
pub const MARKDOWN: &str = "text/markdown";

/// The value of the tag `type` of what reports store.
pub const DATA_TYPE: &str = "report";

/// The tag that names the report.
pub const NAME_TAG: &str = "reportName";

/// The tag that says what a report is about.
pub const SCOPE_TAG: &str = "reportScope";

/// The tag that tells the reports of repetitions of one step apart.
pub const SUFFIX_TAG: &str = "varySuffix";

/// How many characters of a repetition's element become part of a name, if it has no name of its own.
const SUFFIX_CHARACTERS: usize = 64;

/// The name under which the text of a report is stored.
#[must_use]
pub fn data_name(report: &str, suffix: Option<&str>) -> String {
    let plain = report.replace('@', "").replace('/', "-");
    match suffix {
        Some(suffix) => format!("report-{plain}-{suffix}"),
        None => format!("report-{plain}"),
    }
}

/// The name under which the JSON of a report is stored, by that of its text.
#[must_use]
pub fn json_name(data_name: &str) -> String {
    format!("{data_name}-json")
}

/// What tells the reports of the repetition for this element apart: its text, or what names it.
#[must_use]
pub fn suffix(element: &Json) -> String {
    let plain = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    let named = |key: &&str| element.get(key).and_then(plain);
    let text = plain(element)
        .or_else(|| ["key", "name", "id"].iter().find_map(named))
        .unwrap_or_else(|| element.to_string().chars().take(SUFFIX_CHARACTERS).collect());
    text.replace('\0', "").replace("..", "--").replace(['/', '\\'], "--")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{form::Located, json_text};

    fn names(names: &[&str]) -> Vec<Located<String>> {
        names.iter().map(|name| Located { value: (*name).to_owned(), line: 1, column: 1 }).collect()
    }

    fn selection(require: &[&str], skip: &[&str]) -> Selection {
        Selection { require: names(require), skip: names(skip), only_for: Vec::new() }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn n11_names_of_stored_reports() {
        let name = data_name("@swamp/method-summary", None);
        assert_eq!(
            (name.as_str(), json_name(&name).as_str()),
            ("report-swamp-method-summary", "report-swamp-method-summary-json")
        );
        let name = data_name("@swamp/method-summary", Some(&suffix(&Json::from("dev"))));
        assert_eq!(name, "report-swamp-method-summary-dev");
        assert_eq!(json_name(&name), "report-swamp-method-summary-dev-json");
    }

    #[test]
    fn a_repetition_is_told_by_what_names_its_element() {
        for (element, expected) in [
            (r#""dev""#, "dev"),
            ("2", "2"),
            ("true", "true"),
            (r#"{"key": "a", "name": "b"}"#, "a"),
            (r#"{"name": "b", "id": "c"}"#, "b"),
            (r#"{"id": 7}"#, "7"),
            (r#"{"x": 1}"#, r#"{"x":1}"#),
            ("[1, 2]", "[1,2]"),
            (r#""a/b\\c..d\u0000""#, "a--b--c--d"),
        ] {
            assert_eq!(suffix(&json_text::parse(element).expect("JSON")), expected, "{element}");
        }
        let long = Json::Array(vec![Json::from("x".repeat(100))]);
        assert_eq!(suffix(&long).chars().count(), SUFFIX_CHARACTERS);
    }

    #[test]
    fn built_in_reports_come_first_and_what_is_left_out_is_no_candidate() {
        let told = |selection: &Selection, method: &str| -> String {
            let found = candidates(["@s/sum"], ["@t/a", "@t/b"], selection, &[method]);
            let word = |it: Candidate| if it.is_required { format!("{}!", it.name) } else { it.name };
            found.into_iter().map(word).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(&selection(&[], &[]), "run"), "@s/sum @t/a @t/b");
        assert_eq!(told(&selection(&["@t/c", "@t/a"], &["@t/b"]), "run"), "@s/sum @t/a! @t/c!");
        assert_eq!(told(&selection(&["@t/b"], &["@t/b", "@s/sum"]), "run"), "@t/a", "what is left out wins");
        let limited = Selection { only_for: vec![("@t/c".to_owned(), texts(&["go"]))], ..selection(&["@t/c"], &[]) };
        assert_eq!(told(&limited, "run"), "@s/sum @t/a @t/b");
        assert_eq!(told(&limited, "go"), "@s/sum @t/a @t/b @t/c!");
        // An entry without methods holds for all, whatever another entry of its name says.
        let twice = Selection { require: names(&["@t/c", "@t/c"]), ..limited };
        assert_eq!(told(&twice, "run"), "@s/sum @t/a @t/b @t/c!");
    }

    #[test]
    fn what_is_required_cannot_be_skipped_from_outside() {
        let none = ReportOptions::default;
        let candidate = |name: &str, is_required: bool| Candidate { name: name.to_owned(), is_required };
        let wanted = |options: &ReportOptions| -> String {
            let all = [("a", false, &["x"][..]), ("b", false, &[]), ("c", true, &["x"]), ("d", true, &[])];
            let wants =
                |(name, required, labels): &(&str, bool, &[&str])| options.wants(&candidate(name, *required), labels);
            all.iter().filter(|it| wants(it)).map(|(name, ..)| *name).collect()
        };
        assert_eq!(wanted(&none()), "abcd");
        assert_eq!(wanted(&ReportOptions { skip_all: true, ..none() }), "cd");
        assert_eq!(wanted(&ReportOptions { skip: texts(&["a", "d"]), ..none() }), "bcd");
        assert_eq!(wanted(&ReportOptions { skip_labels: texts(&["x"]), ..none() }), "bcd");
        assert_eq!(wanted(&ReportOptions { only: texts(&["b"]), ..none() }), "b");
        assert_eq!(wanted(&ReportOptions { only_labels: texts(&["x"]), ..none() }), "ac");
        let both = ReportOptions { only: texts(&["b"]), only_labels: texts(&["x"]), ..none() };
        assert_eq!(wanted(&both), "abc");
    }

    #[test]
    fn a_report_suits_where_its_scope_does() {
        use ReportScope::{Method, Model, Workflow};
        let suits = |occasion: Occasion| ReportScope::ALL.map(|scope| occasion.suits(scope));
        assert_eq!([Method, Model, Workflow], ReportScope::ALL);
        assert_eq!(suits(Occasion::Method { has_failed: false }), [true, true, false]);
        assert_eq!(suits(Occasion::Method { has_failed: true }), [true, false, false]);
        assert_eq!(suits(Occasion::Workflow), [false, false, true]);
        assert!(Occasion::Method { has_failed: true }.may_suit(Model));
    }
}

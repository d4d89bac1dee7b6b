//! Code that looks for data and runs in the files of the program that its repository was made for. This program writes nothing
//! there, so such code finds what is old, or nothing, and says nothing of it; but for versions that it reads by their paths.

use crate::problem::{Code, Problem};

/// What lies in a directory of the other program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForeignState {
    /// `.swamp/data`
    Data,
    /// `.swamp/workflow-runs`
    WorkflowRuns,
    /// `.swamp/outputs`
    Outputs,
}

impl ForeignState {
    const ALL: [ForeignState; 3] = [ForeignState::Data, ForeignState::WorkflowRuns, ForeignState::Outputs];

    const fn directory(self) -> &'static str {
        match self {
            ForeignState::Data => "data",
            ForeignState::WorkflowRuns => "workflow-runs",
            ForeignState::Outputs => "outputs",
        }
    }

    /// What code names of it, by its text. A hint for people: a name that is put together while the code runs is not found, and
    /// one in a message is.
    #[must_use]
    pub fn named_in(code: &str) -> Option<Self> {
        let mut found: Option<Self> = None;
        // What else opens files is on the disk only.
        let reads_by_path = ["Deno.readTextFile", "Deno.readFile"].iter().any(|reads| code.contains(reads))
            && !["node:fs", "Deno.open"].iter().any(|opens| code.contains(opens));
        for (at, _) in code.match_indices(".swamp") {
            let before = code.get(..at).and_then(|before| before.chars().next_back());
            // `x.swamp` is a member of something.
            if before.is_some_and(|letter| letter.is_alphanumeric() || "_$)]".contains(letter)) {
                continue;
            }
            let after = code.get(at + ".swamp".len()..).unwrap_or_default();
            let rest = after.trim_start_matches(|letter: char| letter.is_whitespace() || "/\\\"'`,".contains(letter));
            let is_end =
                |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || "_-".contains(letter));
            let is_it = |state: &Self| rest.strip_prefix(state.directory()).is_some_and(is_end);
            let named = Self::ALL.into_iter().find(is_it).filter(|_| rest.len() < after.len());
            if named == Some(ForeignState::Data) && reads_by_path && is_path_of_version(rest) {
                continue;
            }
            // Data comes first: there is something to use in its place.
            found = found.into_iter().chain(named).min();
        }
        found
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn sentence(self) -> String {
        let directory = self.directory();
        let (kept, missing) = match self {
            ForeignState::Data => (
                "data",
                "of what Mangrove stores, only versions are there that `Deno.readTextFile` or `Deno.readFile` reads by their paths",
            ),
            ForeignState::WorkflowRuns | ForeignState::Outputs => ("runs", "runs of Mangrove are not there"),
        };
        format!("the code names `.swamp/{directory}`, where another program keeps its {kept}: {missing}")
    }

    /// What to do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            ForeignState::Data => {
                "`dataRepository` of the context finds the data of both, and so do `readResource` and `queryData` of a method's"
            }
            ForeignState::WorkflowRuns | ForeignState::Outputs => {
                "a report about a workflow is told of its steps by `stepExecutions`; earlier runs are not known to code"
            }
        }
    }

    /// The sentence with the advice, for a log.
    #[must_use]
    pub fn remark(self) -> String {
        format!("{}; {}", self.sentence(), self.advice())
    }

    /// What a [remark](Self::remark) is about; `None` for a text that is none.
    #[must_use]
    pub fn of_remark(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.remark() == text)
    }

    /// The problem of a source with such code.
    #[must_use]
    pub fn problem(self, source: &str) -> Problem {
        Problem::warning(Code::FOREIGN_STATE, source, self.sentence()).advise(self.advice())
    }
}

/// True for the rest of a template such as `data/${type}/${id}/${name}/${version}/raw`: who reads such a file reads what is stored,
/// whoever wrote it.
fn is_path_of_version(rest: &str) -> bool {
    let template = rest.split_once('`').map_or("", |(template, _)| template);
    template.contains("${") && template.ends_with("/raw")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_directories_are_found_however_they_are_put_together() {
        use ForeignState::{Data, Outputs, WorkflowRuns};
        for (code, found) in [
            ("const d = `${ctx.repoDir}/.swamp/data/${type}`;", Some(Data)),
            ("join(repoDir, \".swamp\", \"data\", type)", Some(Data)),
            ("join(repoDir, '.swamp',\n    'workflow-runs')", Some(WorkflowRuns)),
            ("read(\".swamp/outputs\")", Some(Outputs)),
            ("read(root + '\\\\.swamp\\\\data')", Some(Data)),
            ("a('.swamp/workflow-runs'); b('.swamp/data')", Some(Data)),
            ("'.swamp/database'", None),
            ("'.swamp/data-old'", None),
            ("'.swampdata'", None),
            ("config.swamp.data", None),
            ("settings().swamp, data", None),
            ("'.swamp/pulled-extensions'", None),
            ("const a = '.swamp'; const b = 'data';", None),
            ("größe.swamp", None),
            ("'.swamp", None),
            ("Deno.readTextFile(`${dir}/.swamp/data/${type}/${id}/${name}/${version}/raw`)", None),
            ("readFileSync(`${dir}/.swamp/data/${type}/${id}/${name}/${version}/raw`)", Some(Data)),
            ("import 'node:fs'; Deno.readFile(`${dir}/.swamp/data/${type}/${id}/${name}/1/raw`)", Some(Data)),
            ("Deno.readTextFile(`${dir}/.swamp/data/${type}/${id}/${name}/latest`)", Some(Data)),
            ("Deno.readFile(`${dir}/.swamp/data/${x}/raw`); Deno.readDir('.swamp/data')", Some(Data)),
        ] {
            assert_eq!(ForeignState::named_in(code), found, "{code}");
        }
    }

    #[test]
    fn what_is_told_names_the_place_and_what_to_use() {
        let problem = ForeignState::Data.problem("models/a.ts");
        assert_eq!(problem.code, Code::FOREIGN_STATE);
        let remark = ForeignState::Data.remark();
        assert!(remark.contains("`.swamp/data`") && remark.contains("`dataRepository`"), "{remark}");
        assert!(ForeignState::Outputs.remark().contains("`.swamp/outputs`"));
        for state in ForeignState::ALL {
            assert_eq!(ForeignState::of_remark(&state.remark()), Some(state));
        }
        assert_eq!(ForeignState::of_remark("the code"), None);
    }
}

//! Problems as every part of a survey reports them.

use mangrove_domain::{
    problem::{Code, Problem},
    source::RootId,
};

/// A warning without a position and advice.
pub(super) fn warning(code: Code, subject: &str, message: String) -> Problem {
    Problem::warning(code, subject, message)
}

/// Problems name files as rows do: with their root, if it is not the repository.
pub(super) fn name_root(root: &RootId, problem: &mut Problem) {
    if *root == RootId::local() {
        return;
    }
    let name = |path: &str| if path.is_empty() { root.to_string() } else { format!("{root}/{path}") };
    problem.subject = name(&problem.subject);
    if let Some(position) = &mut problem.position {
        position.file = name(&position.file);
    }
}

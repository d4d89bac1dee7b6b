//! What an answer says, for those who show it in another form.

use std::sync::Arc;

use mangrove_documents::ProblemDetails;
use mangrove_domain::problem::Code;

/// What an answer says, as one of its extensions.
#[derive(Clone, Debug)]
pub enum Presentable {
    /// Something went wrong.
    Error(Arc<ProblemDetails>),
    /// What there is to say about a problem code.
    ProblemPage {
        /// The code.
        code: Code,
        /// Its page, as Markdown.
        markdown: &'static str,
    },
}

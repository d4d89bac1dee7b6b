//! `mangrove report …`

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Show what a report says
    Get(ReportGet),
}

#[derive(Debug, Args)]
pub(crate) struct ReportGet {
    /// The report, such as `@swamp/method-summary`
    pub(crate) report: String,
    /// Of this model, by name or identifier
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Of this workflow, by name or identifier
    #[arg(long, value_name = "WORKFLOW")]
    pub(crate) workflow: Option<String>,
    /// This version; the latest if not given
    #[arg(long = "version", value_name = "N")]
    pub(crate) version: Option<u32>,
    /// Of the repetition of a step for this element
    #[arg(long, value_name = "ELEMENT")]
    pub(crate) variant: Option<String>,
    /// Print the Markdown and nothing else
    #[arg(long)]
    pub(crate) markdown: bool,
}

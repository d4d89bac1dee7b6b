//! The arguments of `mangrove model …` as clap reads them.

use clap::{Args, Subcommand};
use mangrove_domain::report::ReportOptions;

use crate::inputs::{self, Input, Inputs};

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// List the definitions
    List,
    /// Run one method
    Run(Box<MethodCall>),
    /// Make a definition
    Create {
        /// The model type
        #[arg(value_name = "TYPE")]
        type_name: String,
        /// The name of the definition
        name: String,
        /// A global argument; may be given several times
        #[arg(long = "global-arg", value_name = "KEY=VALUE", value_parser = inputs::parse)]
        global_arguments: Vec<Input>,
    },
    /// Show a definition
    Get {
        /// The definition, by name or identifier
        name: String,
    },
    /// Find definitions by a part of their name or type
    Search {
        /// Only those that have this in their name, type or identifier
        query: Option<String>,
        /// Also those that were made automatically
        #[arg(long)]
        all: bool,
    },
    /// Check definitions without running anything
    Validate {
        /// Only this definition
        name: Option<String>,
    },
    /// Run or show methods
    #[command(subcommand)]
    Method(Method),
    /// Show or find model types
    #[command(subcommand)]
    Type(ModelType),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Method {
    /// Run one method
    Run(Box<MethodCall>),
    /// Show what a method takes
    Describe {
        /// The definition, by name or identifier
        name: String,
        /// The method
        method: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelType {
    /// Show what a type offers
    Describe {
        /// The type
        #[arg(value_name = "TYPE")]
        type_name: String,
    },
    /// Find types by a part of their name
    Search {
        /// Only types whose name contains this
        query: Option<String>,
    },
}

/// One call of a method.
#[derive(Debug, Args)]
pub(crate) struct MethodCall {
    /// The definition, by name or identifier; a model type, if NAME is given
    #[arg(value_name = "DEFINITION|TYPE")]
    pub(crate) target: String,
    /// The method
    pub(crate) method: String,
    /// The instance of the type, which is made if it is not there
    #[arg(value_name = "NAME")]
    pub(crate) instance: Option<String>,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    #[command(flatten)]
    pub(crate) checks: Checks,
    #[command(flatten)]
    pub(crate) reports: Reports,
}

/// Which checks are left out.
#[expect(clippy::struct_field_names, reason = "clap makes the names of options of them")]
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Checks {
    /// Run no checks before methods, but for those that a definition requires
    #[arg(long)]
    pub(crate) skip_checks: bool,
    /// Leave out this check; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) skip_check: Vec<String>,
    /// Leave out checks with this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) skip_check_label: Vec<String>,
}

impl Checks {
    /// True if any are left out.
    pub(crate) const fn is_any(&self) -> bool {
        self.skip_checks || !self.skip_check.is_empty() || !self.skip_check_label.is_empty()
    }
}

/// Which reports are made.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reports {
    /// Make no reports, but for those that a file requires
    #[arg(long = "skip-reports")]
    pub(crate) skip_all: bool,
    /// Leave out this report; may be given several times
    #[arg(long = "skip-report", value_name = "NAME")]
    pub(crate) skip: Vec<String>,
    /// Leave out reports with this label; may be given several times
    #[arg(long = "skip-report-label", value_name = "LABEL")]
    pub(crate) skip_labels: Vec<String>,
    /// Make only this report; may be given several times
    #[arg(long = "report", value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Make only reports with this label; may be given several times
    #[arg(long = "report-label", value_name = "LABEL")]
    pub(crate) only_labels: Vec<String>,
}

impl From<&Reports> for ReportOptions {
    fn from(given: &Reports) -> Self {
        Self {
            skip_all: given.skip_all,
            skip: given.skip.clone(),
            skip_labels: given.skip_labels.clone(),
            only: given.only.clone(),
            only_labels: given.only_labels.clone(),
        }
    }
}

//! The arguments of `mangrove model …` as clap reads them.

use clap::{Args, Subcommand};

use crate::{
    inputs::{self, Input, Inputs},
    run_args::Wanted,
};

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
        /// Not supported: checks run before methods, not here
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
        /// Not supported: all methods are looked at
        #[arg(long, value_name = "METHOD")]
        method: Option<String>,
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
    /// Run once for each mapping of inputs on standard input, until one fails
    #[arg(long, conflicts_with = "input_file")]
    pub(crate) stdin: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

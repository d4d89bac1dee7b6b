//! `mangrove data …`

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Show an item with its content
    Get(DataGet),
    /// List the items of a model or a run, or the models that have some
    List(DataList),
    /// Find records by an expression
    Query(DataQuery),
    /// List the versions of an item
    Versions {
        /// The model, by name or identifier
        model: String,
        /// The item
        name: String,
    },
    /// Remove what is not kept any longer: expired items, and more versions than are wanted
    Gc {
        /// Show what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask; nothing is asked anyway
        #[arg(short = 'y', long)]
        yes: bool,
    },
    /// Remove an item, all its versions or one
    Delete(DataDelete),
}

#[derive(Debug, Args)]
pub(crate) struct DataGet {
    /// The model, by name or identifier
    #[arg(value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The item
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// This version; the latest if not given
    #[arg(long = "version", value_name = "N")]
    pub(crate) version: Option<u32>,
    /// The version that the latest run of this workflow wrote
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
    /// The version that this run wrote
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Show what is known of it, and not the content
    #[arg(long)]
    pub(crate) no_content: bool,
    /// The model, in place of the argument
    #[arg(long = "model", value_name = "MODEL", id = "data_model")]
    pub(crate) data_model: Option<String>,
    /// The item, in place of the argument
    #[arg(long = "name", value_name = "NAME", id = "data_name")]
    pub(crate) data_name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DataList {
    /// The model, by name or identifier
    pub(crate) model: Option<String>,
    /// Only items of this sort, such as `resource`, `file` or `report`
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// What the latest run of this workflow wrote
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
    /// What this run wrote
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DataQuery {
    /// What must hold for a record, such as `modelName == "scan" && attributes.status == "failed"`
    pub(crate) predicate: String,
    /// What is told of each record; the record itself if not given
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) select: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct DataDelete {
    /// The model, by name or identifier
    pub(crate) model: String,
    /// The item
    pub(crate) name: Option<String>,
    /// Only this version
    #[arg(long = "version", value_name = "N", conflicts_with_all = ["prefix", "all"])]
    pub(crate) version: Option<u32>,
    /// All items whose names begin with this
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["name", "all"])]
    pub(crate) prefix: Option<String>,
    /// All items of the model
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask on a terminal
    #[arg(short = 'y', long, visible_short_alias = 'f', visible_alias = "force")]
    pub(crate) yes: bool,
}

//! The command line as clap reads it.

mod data;
mod extension;
mod help;
mod report;
mod vault;
mod workflow;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    data::{Data, DataDelete, DataGet, DataList, DataQuery},
    extension::Extension,
    report::{Report, ReportGet},
    vault::Vault,
    workflow::{Decision, History, Workflow},
};
pub(crate) use crate::{
    inputs::Inputs,
    model_args::{Method, MethodCall, Model, ModelType},
    run_args::{Checks, Severity, Wanted},
};

/// Finds, builds and runs the TypeScript extensions of a repository.
#[derive(Debug, Parser)]
#[command(name = "mangrove", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads a command line, whose first word is the program.
    pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut program = help::grouped(Self::command());
        let mut matches = program.try_get_matches_from_mut(line)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut program))
    }
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The repository; if not given, the nearest one at or above the current directory
    #[arg(long, global = true, value_name = "DIR", env = "MANGROVE_REPO", visible_alias = "repo-dir")]
    pub(crate) repo: Option<PathBuf>,
    /// Keep the state here instead of in `.mangrove/` of the repository
    #[arg(long, global = true, value_name = "DIR", env = "MANGROVE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Take extensions from this checkout, and everything else from the repository
    #[arg(long, global = true, value_name = "DIR", env = "MANGROVE_EXTENSIONS_DIR")]
    pub(crate) extensions_dir: Option<PathBuf>,
    /// Ask this daemon instead of opening the repository: types, why, runs and workflows
    #[arg(long, global = true, value_name = "URL", env = "MANGROVE_SERVER")]
    pub(crate) server: Option<String>,
    /// Print one JSON document (or JSON lines) to standard output; runs as scripts of swamp read them with `--json=swamp`
    #[arg(long, global = true, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "own")]
    pub(crate) json: Option<JsonForm>,
    /// Print nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more; given twice, print everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print lines for people, as is usual without this
    #[arg(long, global = true, conflicts_with = "json")]
    pub(crate) log: bool,
    /// Print what is logged from this level on
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Use no colour: `--color never`
    #[arg(long, global = true, conflicts_with = "color")]
    pub(crate) no_color: bool,
    /// Use cached packages only, never the network
    #[arg(long, global = true, env = "MANGROVE_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) offline: bool,
    /// Use locked packages only; fail where a lock would have to change
    #[arg(long, global = true, env = "MANGROVE_LOCKED", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) locked: bool,
    /// Which bundler builds extensions; `bundler:` of mangrove.yaml if not given
    #[arg(long, global = true, value_name = "BUNDLER", env = "MANGROVE_BUNDLER")]
    pub(crate) bundler: Option<Bundler>,
}

/// Which bundler builds extensions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Bundler {
    /// The embedded one where it can, else Deno
    Auto,
    /// The embedded one
    Embedded,
    /// Deno
    Deno,
}

/// The form of JSON documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JsonForm {
    /// That of Mangrove
    Own,
    /// That of swamp, where they differ
    Swamp,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// From which level on is told what is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Everything
    Trace,
    /// What developers look for
    Debug,
    /// What is done
    Info,
    /// What should be looked at
    #[value(alias = "warning")]
    Warn,
    /// What failed
    #[value(alias = "fatal")]
    Error,
}

impl LogLevel {
    /// The word that a filter has for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a repository with working examples
    Init {
        /// The directory; the current one if not given
        directory: Option<PathBuf>,
    },
    /// Bring the catalog up to date
    Scan(Scan),
    /// List the types that can be used
    Types {
        /// Only types whose name contains this
        query: Option<String>,
        /// Only this kind
        #[arg(long)]
        kind: Option<String>,
        /// Also shadowed, degraded and failed sources
        #[arg(long)]
        all: bool,
    },
    /// Show what a type offers
    Describe {
        /// The type
        #[arg(value_name = "TYPE")]
        type_name: String,
        /// Only this method, with its arguments
        #[arg(long)]
        method: Option<String>,
        /// Its kind; needed where several kinds have a type of this name
        #[arg(long)]
        kind: Option<String>,
    },
    /// Look at what code may reach
    #[command(subcommand)]
    Permissions(Permissions),
    /// Explain why a source is in the state it is in
    Why {
        /// A type or a path
        #[arg(value_name = "TYPE|PATH")]
        query: String,
    },
    /// Bundle one file
    Bundle {
        /// The file
        file: PathBuf,
        /// Where to write the bundle; standard output if not given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Include the packages, so that the file needs only a JavaScript engine
        #[arg(long)]
        self_contained: bool,
    },
    /// Work with definitions of models
    #[command(subcommand)]
    Model(Model),
    /// Work with workflows
    #[command(subcommand)]
    Workflow(Workflow),
    /// Work with what methods have written
    #[command(subcommand)]
    Data(Data),
    /// Work with what reports say of runs
    #[command(subcommand)]
    Report(Report),
    /// Show past runs
    #[command(subcommand)]
    Run(Run),
    /// Work with vaults and the secrets in them
    #[command(subcommand)]
    Vault(Vault),
    /// Work with extensions from elsewhere
    #[command(subcommand)]
    Extension(Extension),
    /// Keep the catalog up to date and answer over HTTP, until it is asked to end
    Serve(Serve),
    /// Check the repository and its state; changes nothing without `--repair --apply`
    Doctor(Doctor),
    /// Try failed and degraded sources again now, before their next retry is due
    Retry {
        /// A type or a path; all failed and degraded sources if not given
        #[arg(value_name = "TYPE|PATH")]
        query: Option<String>,
    },
    /// Manage the catalog
    #[command(subcommand)]
    Catalog(Catalog),
    /// Manage cached packages and bundles
    #[command(subcommand)]
    Cache(Cache),
    /// Manage the programs that Mangrove uses
    #[command(subcommand)]
    Runtime(Runtime),
    /// Print a file for those who operate Mangrove
    #[command(subcommand)]
    Export(Export),
    /// Show the documentation of a problem code
    Explain {
        /// The code, such as MG0101
        code: String,
    },
    /// Do the jobs that arrive on standard input
    #[command(hide = true)]
    Worker,
    /// Become a program that ends with the process of this number
    #[command(hide = true)]
    ExitWithParent {
        /// The process
        parent: u32,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        program: Vec<OsString>,
    },
}

/// What is not given here is taken from `MANGROVE_SERVE_…`, then from `serve` in mangrove.yaml.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// How long running workflows may go on when the daemon is asked to end [default: 20s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) grace: Option<String>,
    /// How often to look at all sources, even if no change was noticed [default: 5m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) rescan: Option<String>,
    /// How many workflows run at once by schedules and webhooks [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) parallel_runs: Option<String>,
    /// How many workflows run at once by schedules in all daemons that share their history [default: any number]
    #[arg(long, value_name = "N")]
    pub(crate) shared_parallel_runs: Option<String>,
    /// How long runs are kept after their end; `forever` keeps them all [default: 90d]
    #[arg(long, value_name = "DURATION")]
    pub(crate) keep_runs: Option<String>,
    /// How long what runs logged is kept after their end, or `forever` [default: 30d]
    #[arg(long, value_name = "DURATION")]
    pub(crate) keep_logs: Option<String>,
    /// How long changes of states of sources are kept, or `forever` [default: 90d]
    #[arg(long, value_name = "DURATION")]
    pub(crate) keep_transitions: Option<String>,
    /// The time zone of schedules that name none, such as `Europe/Berlin` [default: that of the machine]
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// The file with the tokens that requests need
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<String>,
    /// Names under which the daemon may be asked, besides its address; with commas between them
    #[arg(long, value_name = "NAMES")]
    pub(crate) hosts: Option<String>,
    /// Let everybody who reaches the address do everything
    #[arg(long)]
    pub(crate) insecure_no_auth: bool,
    /// How to write the log
    #[arg(long, value_name = "FORMAT", env = "MANGROVE_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Print the settings and where each comes from, and do nothing else
    #[arg(long)]
    pub(crate) check: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object on each line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// A unit of systemd that runs the daemon of this repository
    Systemd,
    /// The description of the HTTP API for programs
    Openapi,
    /// The JSON Schema of mangrove.yaml
    ConfigSchema,
    /// What a shell needs to complete commands
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// A manual page
    Man {
        /// The command, such as `workflow run`; the program itself if not given
        command: Vec<String>,
    },
    /// A dashboard for Grafana
    GrafanaDashboard,
    /// Rules by which Prometheus raises alarms
    AlertRules,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Show what would be repaired: leftover rows, orphans, damaged bundles, unused bundles
    #[arg(long)]
    pub(crate) repair: bool,
    /// Repair it
    #[arg(long, requires = "repair")]
    pub(crate) apply: bool,
    /// Print the JSON Schema of what `--json` prints, and do nothing else
    #[arg(long, conflicts_with = "repair")]
    pub(crate) schema: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Show what is cached, how large it is and where it is
    Info,
    /// Remove packages that no lock names, and bundles that no source needs
    Prune {
        /// Show what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Fetch and build everything, for an image build; exit with 1 if anything failed
    Warm {
        /// How many builds run at once; the number of processors if not given
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: Option<u16>,
    },
    /// Resolve locked packages again and update their locks
    Update {
        /// Only these packages
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Also write everything that is locked to `mangrove.lock`, to be committed
        #[arg(long)]
        lock: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runtime {
    /// Show the programs, their versions and where they were found
    Status,
    /// Install a program from the npm registry
    Install {
        /// The program
        #[arg(value_name = "PROGRAM")]
        program: Installable,
    },
}

/// A program that can be installed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Installable {
    /// The JavaScript runtime that bundles `jsr:` and `https:` imports
    Deno,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// Go on and tell of each change, until it is asked to end
    #[arg(long, conflicts_with_all = ["dry_run", "strict", "rehash", "kind", "all", "allow_mass_removal"])]
    pub(crate) watch: bool,
    /// Only plan, and show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Exit with 1 if any source is unhealthy, or if there is any other error
    #[arg(long)]
    pub(crate) strict: bool,
    /// Read every file and every bundle again, even if its times have not changed
    #[arg(long)]
    pub(crate) rehash: bool,
    /// Only this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// How many builds run at once; the number of processors if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// List every source, not only changed and unhealthy ones
    #[arg(long)]
    pub(crate) all: bool,
    /// Accept that most sources of a root are gone, and remove them from the catalog
    #[arg(long)]
    pub(crate) allow_mass_removal: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Permissions {
    /// Show what the code of a type asks for and is not granted, with the lines to write into mangrove.yaml
    Suggest {
        /// The type
        #[arg(value_name = "TYPE")]
        type_name: String,
        /// Its kind; a model unless only something else has the name
        #[arg(long)]
        kind: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Run {
    /// List runs, newest first
    List {
        /// Only runs of this workflow or definition
        name: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one run
    Show {
        /// The identifier of the run, or the beginning of it
        id: String,
    },
    /// Show what the methods of a run have logged
    Logs {
        /// The identifier of the run, or the beginning of it
        id: String,
        /// Everything that happens in the run, until its end
        #[arg(long)]
        follow: bool,
    },
    /// Ask a run to end
    Cancel {
        /// The identifier of the run, or the beginning of it
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Catalog {
    /// Move the catalog aside, even a damaged one, and build a new one from the sources
    Rebuild {
        /// How many builds run at once; the number of processors if not given
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: Option<u16>,
    },
    /// Make the tables of the catalog, or bring them up to date
    Migrate {
        /// Let this role of the database server read and write them
        #[arg(long, value_name = "ROLE")]
        grant: Option<String>,
    },
    /// Write a copy of the catalog
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
    },
}

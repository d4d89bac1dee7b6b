//! The command line of Mangrove, as a library: a program of one's own adds loaders and runs.
//!
//! ```no_run
//! // std::process::exit(…) is what returning the code from `main` does.
//! let code = mangrove_cli::Runner::new().run();
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod aliases;
mod allocator;
mod args;
mod client;
mod commands;
mod compose;
mod daemon_signals;
mod errors;
mod exit;
mod explain;
mod init;
mod inputs;
mod interrupt;
mod line;
mod live;
mod log;
mod model_args;
mod printer;
mod progress;
mod run_args;
mod run_text;
mod serve_settings;
mod traces;
mod visible;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{ErrorKind, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::error::{ContextKind, ContextValue};
use mangrove_app::loaders::Registry;
use mangrove_documents::{Concern, ReferenceErrorDocument, human};
use mangrove_domain::ports::{Clock, Loader};

use args::{Arguments, Command};
use commands::Context;
use errors::CommandError;
use exit::Exit;
use printer::Printer;
use traces::Traces;

/// The program: loaders plus command line.
#[derive(Clone)]
pub struct Runner {
    loaders: Registry,
    clock: Arc<dyn Clock>,
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// The program with the built-in loaders.
    #[must_use]
    pub fn new() -> Self {
        Self { loaders: Registry::built_in(), clock: compose::clock() }
    }

    /// With a loader for one more kind.
    #[must_use]
    pub fn with_loader(mut self, loader: Arc<dyn Loader>) -> Self {
        self.loaders = self.loaders.with(loader);
        self
    }

    /// With another clock than the system's: whatever is recorded, printed as an age or compared with a timer goes by
    /// it. Time limits of calls, and the times of files, stay those of the system.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Reads the command line, does what it says, and gives the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let arguments = match Arguments::read(aliases::usual(std::env::args_os())) {
            Ok(arguments) => arguments,
            Err(error) if error.use_stderr() && wants_json_of_swamp(std::env::args_os()) => {
                let document = ReferenceErrorDocument { error: error.render().to_string(), code: None };
                Printer::errors_of_swamp().error_document(&document);
                return Exit::Usage.of_swamp().into();
            }
            Err(error) => {
                return if error.use_stderr() { refuse(error) } else { tell(&error) }.into();
            }
        };
        match &arguments.command {
            Command::Worker => return compose::worker(),
            Command::ExitWithParent { parent, program } => return compose::exit_with_parent(*parent, program),
            Command::Serve(serve) if !serve.check => allocator::settle(),
            _ => {}
        }
        let printer = Printer::new(&arguments.global);
        let concern = concern(&arguments.command);
        let is_daemon = matches!(arguments.command, Command::Serve(_));
        let environment = environment();
        let (traces, refused) = Traces::start(&environment);
        // Dropped at the end, after everything that is logged.
        let _log = log::start(&arguments, &printer, traces.as_ref());
        if let Some(reason) = refused {
            tracing::warn!(reason, "there will be no traces, although an address for them is given");
        }
        let context = Context::new(arguments.global, printer, self.loaders, self.clock, environment);
        let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                context.printer.error(&format!("error: the runtime cannot be started: {error}"), &[], None);
                return Exit::Failed.into();
            }
        };
        let exit = runtime.block_on(async {
            let report = || {
                let message = "stopping; a second signal ends the program at once";
                // Whoever reads the log of a daemon may stand still, and must not keep it from ending.
                if is_daemon { tracing::info!("{message}") } else { context.printer.note(message) }
            };
            let outcome = tokio::select! {
                outcome = dispatch(&context, arguments.command) => outcome,
                exit = context.interrupts.until_now(report) => return exit,
            };
            context.print_notices();
            let exit = match outcome {
                Ok(Exit::Done) => Exit::Done,
                Ok(exit) => context.interrupts.exit().unwrap_or(exit),
                Err(error) => {
                    error.print(&context.printer, concern);
                    error.exit
                }
            };
            let exit = if context.printer.is_json_of_swamp() { exit.of_swamp() } else { exit };
            context.printer.output_failure().map_or(exit, |error| unwritable_output(&context.printer, error))
        });
        runtime.shutdown_background();
        exit.into()
    }
}

/// True if scripts of swamp read what comes out, whatever else the arguments say.
fn wants_json_of_swamp(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().any(|argument| argument == "--json=swamp")
}

/// What a command is about.
const fn concern(command: &Command) -> Concern {
    match command {
        Command::Model(_) | Command::Data(_) => Concern::Models,
        Command::Workflow(_) => Concern::Workflows,
        _ => Concern::Others,
    }
}

/// Says what is wrong with the arguments. What they contain may come from anywhere.
fn refuse(mut error: clap::Error) -> Exit {
    let shown: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(visible::line(text).into_owned()))),
            _ => None,
        })
        .collect();
    for (kind, value) in shown {
        error.insert(kind, value);
    }
    // Nobody reads it any more if the stream is closed.
    let _ = error.print();
    Exit::Usage
}

/// Prints what was asked for instead of a command: the help, the version.
fn tell(page: &clap::Error) -> Exit {
    match page.print() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            // Standard error may be as full.
            let _ = writeln!(std::io::stderr(), "error: {}", cannot_be_written(&error));
            Exit::Failed
        }
        Ok(()) | Err(_) => Exit::Done,
    }
}

/// Says that results could not be written, whatever they were.
fn unwritable_output(printer: &Printer, error: &std::io::Error) -> Exit {
    printer.error(&format!("error: {}", cannot_be_written(error)), &[], None);
    Exit::Failed
}

fn cannot_be_written(error: &std::io::Error) -> String {
    format!("standard output cannot be written: {error}")
}

/// The variables of the process that are text: the one place that reads them.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// Whether a command can be answered by a daemon, or has nothing to do with a repository.
const fn suits_a_server(command: &Command) -> bool {
    matches!(
        command,
        Command::Types { .. }
            | Command::Why { .. }
            | Command::Run(_)
            | Command::Workflow(args::Workflow::Run { .. } | args::Workflow::List)
            | Command::Init { .. }
            | Command::Export(_)
            | Command::Explain { .. }
            | Command::Worker
            | Command::ExitWithParent { .. }
    )
}

async fn dispatch_model(context: &Context, command: args::Model) -> Result<Exit, CommandError> {
    use args::{Method, Model, ModelType};
    match command {
        Model::List => commands::model::list(context).await,
        Model::Run(call) | Model::Method(Method::Run(call)) => commands::model::run(context, &call).await,
        Model::Create { type_name, name, global_arguments } => {
            commands::model::create(context, &type_name, &name, &global_arguments).await
        }
        Model::Get { name } => commands::model::get(context, &name).await,
        Model::Search { query, all } => commands::model::search(context, query.as_deref(), all).await,
        Model::Validate { name, label, method } => {
            let left_out = if label.is_empty() { method.map(|_| "--method") } else { Some("--label") };
            commands::model::validate(context, name.as_deref(), left_out).await
        }
        Model::Method(Method::Describe { name, method }) => {
            commands::model::describe_method(context, &name, &method).await
        }
        Model::Type(ModelType::Describe { type_name }) => commands::model::describe_type(context, &type_name).await,
        Model::Type(ModelType::Search { query }) => commands::model::search_types(context, query.as_deref()).await,
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, CommandError> {
    if context.global.server.as_deref().is_some_and(|server| !server.is_empty()) && !suits_a_server(&command) {
        let hint = "leave out `--server`, or unset MANGROVE_SERVER, to work on the repository itself";
        return Err(CommandError::usage(None, "this command cannot be answered by a daemon", Some(hint)));
    }
    match command {
        Command::Init { directory } => commands::init::run(context, &compose::entropy(), directory.as_deref()),
        Command::Scan(scan) if scan.watch => commands::watch::run(context, scan.jobs).await,
        Command::Scan(scan) => commands::scan::run(context, &scan).await,
        Command::Types { query, kind, all } => {
            commands::types::run(context, query.as_deref(), kind.as_deref(), all).await
        }
        Command::Describe { type_name, method, kind } => {
            commands::describe::run(context, &type_name, method.as_deref(), kind.as_deref()).await
        }
        Command::Permissions(args::Permissions::Suggest { type_name, kind }) => {
            commands::permissions::suggest(context, &type_name, kind.as_deref()).await
        }
        Command::Why { query } => commands::why::run(context, &query).await,
        Command::Bundle { file, output, self_contained } => {
            commands::bundle::run(context, &file, output.as_deref(), self_contained).await
        }
        Command::Model(model) => dispatch_model(context, model).await,
        Command::Workflow(args::Workflow::List) => commands::workflow::list(context).await,
        Command::Workflow(args::Workflow::Validate { name }) => {
            commands::workflow::validate(context, name.as_deref()).await
        }
        Command::Workflow(args::Workflow::Run { name, inputs, stdin, wanted }) => {
            commands::workflow::run(context, &name, (&inputs, stdin), &wanted).await
        }
        Command::Workflow(args::Workflow::Approvals) => commands::approval::list(context).await,
        Command::Workflow(args::Workflow::Approve(decision)) => {
            commands::approval::decide(context, decision, true).await
        }
        Command::Workflow(args::Workflow::Reject(decision)) => {
            commands::approval::decide(context, decision, false).await
        }
        Command::Workflow(args::Workflow::Resume { name, run, from, inputs, wanted }) => {
            commands::approval::resume(context, name, run, from, (&inputs, &wanted)).await
        }
        Command::Workflow(args::Workflow::Evaluate { name, inputs }) => {
            commands::workflow::evaluate(context, &name, &inputs).await
        }
        Command::Workflow(args::Workflow::History(history)) => commands::history::dispatch(context, history).await,
        Command::Workflow(args::Workflow::Get { name }) => commands::workflow::get(context, &name).await,
        Command::Workflow(args::Workflow::Search { query }) => {
            commands::workflow::search(context, query.as_deref().unwrap_or_default()).await
        }
        Command::Data(args::Data::Get(given)) => commands::data::get(context, &given).await,
        Command::Data(args::Data::List(given)) => commands::data::list(context, &given).await,
        Command::Data(args::Data::Query(given)) => commands::data::query(context, &given).await,
        Command::Data(args::Data::Versions { model, name }) => commands::data::versions(context, &model, &name).await,
        Command::Data(args::Data::Gc { dry_run, yes: _ }) => commands::data::sweep(context, dry_run).await,
        Command::Data(args::Data::Delete(given)) => commands::data::delete(context, &given).await,
        Command::Report(args::Report::Get(given)) => commands::report::get(context, &given).await,
        Command::Run(args::Run::List { name, limit }) => commands::run::list(context, name, limit).await,
        Command::Run(args::Run::Show { id }) => commands::run::show(context, &id).await,
        Command::Run(args::Run::Logs { id, follow: false }) => commands::run::logs(context, &id).await,
        Command::Run(args::Run::Logs { id, follow: true }) => commands::run::follow(context, &id).await,
        Command::Run(args::Run::Cancel { id }) => commands::run::cancel(context, &id).await,
        Command::Extension(extension) => commands::extension::run(context, extension).await,
        Command::Vault(vault) => commands::vault::run(context, vault, &compose::entropy()).await,
        Command::Serve(serve) => commands::serve::run(context, &serve).await,
        Command::Doctor(arguments) => commands::doctor::run(context, &arguments).await,
        Command::Retry { query } => commands::retry::run(context, query.as_deref()).await,
        Command::Catalog(command) => commands::catalog::run(context, command).await,
        Command::Cache(args::Cache::Info) => commands::cache::info(context).await,
        Command::Cache(args::Cache::Prune { dry_run }) => commands::cache::prune(context, dry_run).await,
        Command::Cache(args::Cache::Warm { jobs }) => commands::cache::warm(context, jobs).await,
        Command::Cache(args::Cache::Update { names, lock }) => commands::cache::update(context, &names, lock).await,
        Command::Runtime(args::Runtime::Status) => commands::runtime::status(context).await,
        Command::Runtime(args::Runtime::Install { program: args::Installable::Deno }) => {
            commands::runtime::install_deno(context).await
        }
        Command::Export(export) => commands::export::run(context, &export),
        Command::Explain { code } => commands::explain::run(context, &code),
        Command::Worker | Command::ExitWithParent { .. } => Ok(Exit::Done),
    }
}

//! What a method can reach while it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    data::DataHandle,
    description::Description,
    json::Json,
    nearest,
    ports::{Clock, DataError, DataStore, HostCall, MethodHost, SchemaValidator, WrittenVersion},
    problem::Code,
    run::LogLine,
};

use tokio_util::sync::CancellationToken;

use super::{
    Invocation, Services, budget::StepBudget, callee::Callee, calling::Caller, lines::CallLog, origin::Origin,
};
use crate::{
    data::{Models, Records},
    secrets::{Environment, Folded},
    types::Types,
    vault::Vaults,
};

/// Told of every line, masked.
pub(crate) type OnLine = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// The host of one call.
pub(super) struct Host {
    pub(super) data: Arc<dyn DataStore>,
    pub(super) schemas: Arc<dyn SchemaValidator>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) environment: Arc<Environment>,
    pub(super) description: Arc<Description>,
    /// The identifier of the definition.
    pub(super) model_id: String,
    /// Its name.
    pub(super) model_name: String,
    /// All definitions.
    pub(super) models: Arc<Models>,
    pub(super) records: Records,
    pub(super) vaults: Vaults,
    /// What is known of other types.
    pub(super) types: Arc<dyn Types>,
    /// The method that runs.
    pub(super) method: String,
    pub(super) run_id: String,
    pub(super) origin: Origin,
    pub(super) on_line: OnLine,
    pub(super) budget: Arc<StepBudget>,
    pub(super) caller: Caller,
    /// True if a driver runs the method elsewhere: it may give items that the type does not declare.
    pub(super) is_driven: bool,
    /// Cancelled when the code is to end.
    pub(super) ending: CancellationToken,
    /// True once the code of the method was called.
    pub(super) has_begun: AtomicBool,
    /// The version of the type to which upgrades of its own led the global arguments, if they changed anything.
    pub(super) upgraded_to: OnceLock<String>,
    pub(super) state: Mutex<State>,
}

/// What a call left behind, whether it succeeded or not.
pub(super) struct State {
    pub(super) handles: Vec<DataHandle>,
    /// What the method says that it wrote, in place of them.
    pub(super) reported: Option<Vec<DataHandle>>,
    /// What the methods left that this one called.
    pub(super) of_others: Vec<DataHandle>,
    /// The names of what was written.
    pub(super) names: BTreeSet<String>,
    /// The first name that was written more than once.
    pub(super) twice: Option<String>,
    /// Why the latest call that was to write data was refused, where that has a code of its own.
    pub(super) refused: Option<Code>,
    pub(super) log: CallLog,
    /// How a secret goes on that the latest line has the beginning of.
    folded: Folded,
    /// What is written and not durable yet.
    pub(super) unsettled: Vec<WrittenVersion>,
}

impl State {
    pub(super) fn new(budget: &Arc<StepBudget>) -> Self {
        Self {
            handles: Vec::new(),
            reported: None,
            of_others: Vec::new(),
            names: BTreeSet::new(),
            twice: None,
            refused: None,
            log: CallLog::new(budget),
            folded: Folded::default(),
            unsettled: Vec::new(),
        }
    }
}

#[async_trait]
impl MethodHost for Host {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        let argument = |index: usize| call.arguments.get(index).unwrap_or(&Json::Null);
        match call.function.as_str() {
            "log" => {
                self.log(argument(0), argument(1));
                Ok(Json::Null)
            }
            "writeResource" => self.write_resource(argument(0), argument(1), argument(2), argument(3)).await,
            "writeFile" => self.write_file(argument(0), argument(1), argument(2), argument(3)).await,
            "filePath" => self.file_path(argument(0), argument(1), argument(2)).await,
            "finishFile" => self.finish_file(argument(0), argument(1), argument(2), argument(3)).await,
            "deleteResource" => self.delete_resource(argument(0)).await,
            "readResource" => self.read_resource(argument(0), argument(1)).await,
            "queryData" => self.query_data(argument(0), argument(1), argument(2)).await,
            "readModelData" => self.read_model_data(argument(0), argument(1)).await,
            "runModel" => Ok(self.run_model(argument(0)).await),
            "extensionFile" => self.extension_file(argument(0)).await,
            "hasSecrets" => Ok(Json::Bool(self.environment.has_secrets())),
            "redact" => Ok(Json::from(self.environment.mask(argument(0).as_str().unwrap_or_default()))),
            // Progress events have no reader yet; to fail a method for them would help nobody.
            "onEvent" => Ok(Json::Null),
            other => match other.split_once('.') {
                Some(("data", function)) => self.data_repository(function, &call.arguments).await,
                Some(("vault", function)) => self.vault_service(function, &call.arguments).await,
                Some(("definition", function)) => self.definition_repository(function, &call.arguments),
                Some(("expression", function)) => self.expression(function, &call.arguments),
                _ => Err(format!("ctx.{other} is not supported in this version")),
            },
        }
    }

    async fn cancelled(&self) {
        self.ending.cancelled().await;
    }

    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        self.environment.has_secrets_beyond(granted)
    }
}

/// What a call leaves behind.
pub(super) struct Left {
    pub(super) handles: Vec<DataHandle>,
    /// Of the methods that it called.
    pub(super) of_others: Vec<DataHandle>,
    pub(super) logs: Vec<LogLine>,
    /// A name that was written more than once.
    pub(super) twice: Option<String>,
}

/// The host of what only looks: checks, and the upgrades of a type. What writes is refused.
pub(super) struct Looking(pub(super) Arc<Host>);

#[async_trait]
impl MethodHost for Looking {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        let name = match call.function.as_str() {
            "data.save" => "dataRepository.save",
            "data.delete" => "dataRepository.delete",
            "vault.put" => "vaultService.put",
            "vault.delete" => "vaultService.delete",
            writer @ ("writeResource" | "writeFile" | "filePath" | "finishFile" | "deleteResource" | "runModel") => {
                writer
            }
            _ => return self.0.call(call).await,
        };
        Err(format!("ctx.{name}: what runs before a method may only look"))
    }

    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        self.0.told_secrets(granted)
    }
}

impl Left {
    /// The handles of all calls, each once.
    pub(super) fn all(&self) -> impl Iterator<Item = &DataHandle> {
        let is_new = |handle: &&DataHandle| {
            let is_it = |own: &DataHandle| own.data_id == handle.data_id && own.version == handle.version;
            !self.handles.iter().any(is_it)
        };
        self.handles.iter().chain(self.of_others.iter().filter(is_new))
    }
}

impl Host {
    /// The host of a call.
    pub(super) fn of(services: &Services, call: &Invocation<'_>, callee: &Callee, is_driven: bool) -> Self {
        Self {
            data: Arc::clone(&services.data),
            schemas: Arc::clone(&services.schemas),
            clock: Arc::clone(&services.clock),
            environment: Arc::clone(call.environment),
            description: Arc::clone(callee.description()),
            model_id: call.definition.id.clone(),
            model_name: call.definition.name.value.clone(),
            models: Arc::clone(call.models),
            records: call.records.clone(),
            vaults: services.vaults.clone(),
            types: Arc::clone(&services.types),
            method: call.method.to_owned(),
            run_id: call.run_id.to_owned(),
            origin: call.origin.over(call.definition),
            on_line: Arc::clone(&call.on_line),
            budget: Arc::clone(call.budget),
            is_driven,
            ending: call.cancellation.child_token(),
            has_begun: AtomicBool::new(false),
            upgraded_to: OnceLock::new(),
            caller: Caller::new(services, call, callee.extension(), callee.source(call.method)),
            state: Mutex::new(State::new(call.budget)),
        }
    }

    /// The code of the method is called.
    pub(super) fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// True if the code of the method was called.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Takes what the call has left behind.
    pub(super) fn take_state(&self) -> Left {
        let mut state = self.state();
        let written = std::mem::take(&mut state.handles);
        Left {
            handles: state.reported.take().unwrap_or(written),
            of_others: std::mem::take(&mut state.of_others),
            logs: state.log.take(),
            twice: state.twice.take(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs something that is not the method's own.
    pub(super) fn remark(&self, text: &str) {
        self.log(&Json::from("warn"), &Json::from(text));
    }

    /// As [`remark`](Self::remark), where nothing is wrong.
    pub(super) fn inform(&self, text: &str) {
        self.log(&Json::from("info"), &Json::from(text));
    }

    /// Logs what a check objects to.
    pub(super) fn object(&self, text: &str) {
        self.log(&Json::from("error"), &Json::from(text));
    }

    fn log(&self, level: &Json, text: &Json) {
        let known = ["debug", "info", "warn", "error"];
        let level = level.as_str().filter(|level| known.contains(level)).unwrap_or("info");
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        let mut state = self.state();
        let text = self.environment.mask_line(&text, &mut state.folded);
        let kept = state.log.add(LogLine { at: self.clock.now(), level: level.to_owned(), text });
        drop(state);
        if let Some(line) = kept {
            (self.on_line)(&line);
        }
    }

    async fn read_resource(&self, instance: &Json, version: &Json) -> Result<Json, String> {
        let instance = text("readResource", "instance", instance)?;
        let version = match version {
            Json::Null => None,
            other => match other.as_integer().and_then(|version| u32::try_from(version).ok()) {
                Some(version) => Some(version),
                None => return Err(format!("ctx.readResource: expected a version, found {other}")),
            },
        };
        match self.item(&self.model_id, instance, version).await? {
            None => Ok(Json::Null),
            Some((_, content)) => match content.json {
                Some(json @ Json::Object(_)) => Ok(self.records.with_secrets(json).await),
                _ => Err(format!("ctx.readResource: the content of `{instance}` is no JSON object")),
            },
        }
    }

    /// The records for which a predicate holds, or what is selected of each; at most so many, if that is said.
    async fn query_data(&self, predicate: &Json, select: &Json, limit: &Json) -> Result<Json, String> {
        let predicate = text("queryData", "predicate", predicate)?;
        let found = self.records.query(predicate, select.as_str()).await;
        let mut found = found.map_err(|error| format!("ctx.queryData: {error}"))?;
        if let Some(limit) = limit.as_integer().and_then(|limit| usize::try_from(limit).ok()) {
            found.truncate(limit);
        }
        Ok(Json::Array(found))
    }

    async fn read_model_data(&self, model: &Json, spec: &Json) -> Result<Json, String> {
        let model = text("readModelData", "model", model)?;
        let Some(definition) = self.models.get(model) else {
            let known = self.models.all();
            let hint = nearest::hint(model, known.iter().map(|known| known.name.value.as_str()));
            // One that nobody has made yet has written nothing.
            self.remark(&with_hint(
                format!("ctx.readModelData: there is no definition `{model}`, so it has no data"),
                hint,
            ));
            return Ok(Json::Array(Vec::new()));
        };
        let found = self.records.of_model(&definition.id, spec.as_str()).await.map_err(|error| error.to_string())?;
        Ok(Json::Array(found))
    }
}

pub(super) fn text<'a>(function: &str, name: &str, value: &'a Json) -> Result<&'a str, String> {
    match value.as_str() {
        Some("") => Err(format!("ctx.{function}: the {name} must not be empty")),
        Some(text) => Ok(text),
        None => Err(format!("ctx.{function}: expected a string as {name}, found {}", value.type_name())),
    }
}

pub(super) fn store_failed(error: &DataError) -> String {
    error.to_string()
}

pub(super) fn with_hint(message: String, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

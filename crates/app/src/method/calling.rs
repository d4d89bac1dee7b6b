//! What a method needs to call methods of other models.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mangrove_domain::{
    json::Json,
    manifest::ExtensionManifest,
    permission::{Grant, Grantee, Permission},
    ports::Expressions,
    source::{RootId, SourceId},
    type_name::TypeName,
};
use tokio::sync::OnceCell;

use super::{Invocation, Services, callee::ready_type, checks::CheckOptions, model_kind};
use crate::{builtin, render::Scope, workflow::library::Library};

/// How many calls may lead to one another.
const DEEPEST: usize = 10;
/// How many calls one call may lead to, directly or not.
const MOST_CALLS: usize = 100;

/// The calls that led to a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallChain {
    /// The type and the method of each, the first one first.
    callers: Vec<(TypeName, String)>,
    shared: Arc<Shared>,
}

/// What all calls share that one call leads to.
#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    /// The definitions as they were at the first of them.
    library: OnceCell<Library>,
}

impl CallChain {
    /// The chain of what this call leads to.
    fn followed_by(&self, type_name: &TypeName, method: &str) -> Self {
        let own = (type_name.clone(), method.to_owned());
        Self { callers: self.callers.iter().cloned().chain([own]).collect(), shared: Arc::clone(&self.shared) }
    }

    /// The definitions as they were at the first call.
    pub(super) async fn library(&self, services: &Services) -> Result<&Library, String> {
        let read = services.definitions.now();
        let library = self.shared.library.get_or_try_init(|| async { read.await.ok_or(()) }).await;
        library.map_err(|()| "the definitions of the repository cannot be read".to_owned())
    }

    /// How many calls led to the ones that follow.
    pub(super) fn depth(&self) -> usize {
        self.callers.len()
    }

    /// Takes room for a call.
    pub(super) fn take(&self, type_name: &TypeName, method: &str) -> Result<(), String> {
        if self.callers.iter().any(|(caller, called)| caller == type_name && called == method) {
            return Err(format!("`{method}` of `{type_name}` is under way already and led to this call"));
        }
        if self.callers.len() > DEEPEST {
            return Err(format!("more than {DEEPEST} calls lead to one another"));
        }
        if self.shared.calls.fetch_add(1, Ordering::Relaxed) >= MOST_CALLS {
            return Err(format!("one call leads to more than {MOST_CALLS} others"));
        }
        Ok(())
    }
}

/// What a method needs to call others.
pub(super) struct Caller {
    pub(super) services: Services,
    pub(super) repository: String,
    pub(super) scope: Scope,
    pub(super) checks: CheckOptions,
    /// The driver that whoever started the run wants.
    pub(super) driver: Option<String>,
    pub(super) chain: CallChain,
    /// The file of its definition.
    pub(super) file: String,
    /// The name of its extension.
    extension: String,
    /// Where its code lies; `None` for a type that comes with the program.
    pub(super) source: Option<SourceId>,
}

impl Caller {
    pub(super) fn new(services: &Services, call: &Invocation<'_>, extension: &str, source: Option<&SourceId>) -> Self {
        Self {
            services: services.clone(),
            repository: call.repository.to_owned(),
            scope: call.scope.clone(),
            checks: call.checks.clone(),
            driver: call.driver.map(str::to_owned),
            chain: call.chain.followed_by(&call.definition.type_name.value, call.method),
            file: call.definition.file.clone(),
            extension: extension.to_owned(),
            source: source.cloned(),
        }
    }

    /// What reports about a workflow have in its place: no code is theirs, and they call no method.
    pub(super) fn of_workflow(services: &Services, repository: &str, file: &str) -> Self {
        Self {
            services: services.clone(),
            repository: repository.to_owned(),
            scope: Scope::new(Json::Object(Vec::new()), &Json::Null, Json::Object(Vec::new())),
            checks: CheckOptions::default(),
            driver: None,
            chain: CallChain::default(),
            file: file.to_owned(),
            extension: String::new(),
            source: None,
        }
    }

    /// What reads expressions.
    pub(super) fn expressions(&self) -> &dyn Expressions {
        self.services.expressions.as_ref()
    }

    /// What the manifest of the extension says; `None` if it has none.
    pub(super) async fn manifest(&self) -> Result<Option<ExtensionManifest>, String> {
        let Some(source) = &self.source else { return Ok(None) };
        self.services.sources.manifest(source).await.map_err(|error| error.to_string())
    }

    /// Whether methods of a type may be called: of one that comes with the program, lies in the repository itself, belongs
    /// to the same extension or collective, or to an extension that the manifest depends on.
    pub(super) async fn check_target(&self, type_name: &TypeName) -> Result<(), String> {
        if builtin::model(type_name).is_some() {
            return self.check_shell();
        }
        let ready = ready_type(self.services.types.as_ref(), &model_kind(), type_name).await;
        let ready = ready.map_err(|not_ready| not_ready.headline())?;
        let theirs = &*ready.row.extension.name;
        let is_ours = theirs == self.extension || collective(theirs) == collective(&self.extension);
        if ready.row.source.root == RootId::local() || is_ours {
            return Ok(());
        }
        let manifest = self.manifest().await?.unwrap_or_default();
        if manifest.dependencies.contains(theirs) {
            return Ok(());
        }
        Err(format!(
            "`{type_name}` belongs to the extension `{theirs}`, which the manifest of `{}` does not list under \
             `dependencies`",
            self.extension
        ))
    }

    /// The type that comes with the program runs any command, with all that whoever started us may do: code gets no further by it
    /// than by starting programs itself.
    fn check_shell(&self) -> Result<(), String> {
        let type_name = self.chain.callers.last().map_or("", |(caller, _)| caller.as_str());
        let grants = self.services.permissions.load().of(type_name, &self.extension).cloned().unwrap_or_default();
        if grants.get(&Permission::Run) == Some(&Grant::All) {
            return Ok(());
        }
        let root = self.source.as_ref().map_or_else(RootId::local, |source| source.root.clone());
        let grantee = Grantee { name: type_name.to_owned(), root, grants, variables: BTreeMap::new() };
        Err(grantee.denied("ctx.runModel of a command", Permission::Run, None).message)
    }
}

/// The part of the name of an extension that says whose it is.
fn collective(extension: &str) -> &str {
    extension.split_once('/').map_or(extension, |(collective, _)| collective)
}

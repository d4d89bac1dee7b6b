//! A vault of the type of an extension: `createProvider(name, config)`, and the functions of what that gives.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    json::Json,
    permission::{Grantee, Permission, Permissions},
    ports::{
        Call, HostCall, Member, MethodHost, MethodRunner, OpenRequest, RunError, Secret, Session, Takes, Vault,
        VaultError,
    },
    problem::Code,
    source::Kind,
    type_name::TypeName,
    vault::VaultConfiguration,
};
use tokio::sync::Mutex;

use crate::{
    secrets::Environment,
    types::{NotReady, Types},
};

/// How long a session that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);

/// What the code of a vault is found and run with.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) types: Arc<dyn Types>,
    pub(super) runner: Arc<dyn MethodRunner>,
    pub(super) permissions: Arc<ArcSwap<Permissions>>,
    pub(super) environment: Arc<Environment>,
}

/// One vault of such a type.
pub(super) struct ExtensionVault {
    code: Engine,
    type_name: TypeName,
    /// What its provider is made of: its name and its configuration.
    made_of: Json,
    slot: Arc<Mutex<Slot>>,
}

/// The session of a vault, while there is one.
#[derive(Default)]
struct Slot {
    session: Option<(OpenRequest, Box<dyn Session>)>,
    /// Grows with each use.
    uses: u64,
}

impl ExtensionVault {
    /// The vault of this configuration. Nothing is loaded yet.
    ///
    /// # Errors
    /// Why there can be no such type.
    pub(super) fn new(code: Engine, configuration: &VaultConfiguration, built_in: &[&str]) -> Result<Self, String> {
        let text = configuration.type_name.as_str();
        let type_name = TypeName::strict(text).map_err(|_| {
            format!("there is no type of vaults `{text}`; known are {} and those of extensions", built_in.join(", "))
        })?;
        let name = Json::from(configuration.name.value.as_str());
        let made_of = Json::Array(vec![name, configuration.config.clone()]);
        Ok(Self { code, type_name, made_of, slot: Arc::default() })
    }

    async fn request(&self) -> Result<OpenRequest, VaultError> {
        let ready = self.code.types.ready(&Kind::new("vault"), &self.type_name).await;
        let ready = ready.map_err(|not_ready| no_type(&not_ready))?;
        let (type_name, extension) = (ready.description.type_name.as_str(), &ready.row.extension.name);
        let grants = self.code.permissions.load().of(type_name, extension).cloned().unwrap_or_default();
        Ok(OpenRequest {
            bundle: ready.bundle,
            export_name: "vault".to_owned(),
            subject: ready.row.source.to_string(),
            requirements: ready.description.requirements.clone(),
            grantee: Grantee {
                name: type_name.to_owned(),
                root: ready.row.source.root.clone(),
                variables: self.code.environment.granted(grants.get(&Permission::Env)),
                grants,
            },
            root_directory: None,
            // What it remembers of this vault is nothing to another one.
            run: format!("vault {}", self.made_of),
        })
    }

    async fn call(&self, name: &'static str, arguments: &[&str]) -> Result<Json, VaultError> {
        let request = self.request().await?;
        let mut slot = self.slot.lock().await;
        let mut session = match slot.session.take() {
            Some((of, session)) if of == request => session,
            // Its code or its grants are others now.
            Some(_) | None => self.code.runner.open(request.clone()).await.map_err(|error| self.told(error, name))?,
        };
        let call = Call {
            path: vec!["createProvider".to_owned()],
            arguments: self.made_of.clone(),
            schema: Vec::new(),
            context: Json::Null,
            global_schema: Vec::new(),
            takes: Takes::Member(Member {
                name: name.to_owned(),
                arguments: arguments.iter().map(|argument| Json::from(*argument)).collect(),
            }),
        };
        let host =
            Arc::new(VaultHost { environment: Arc::clone(&self.code.environment), subject: request.subject.clone() });
        let outcome = session.call(call, host).await;
        // A fault may have ended it.
        if !matches!(outcome, Err(RunError::Fault(_))) {
            slot.session = Some((request, session));
        }
        slot.uses += 1;
        self.end_when_idle(slot.uses);
        drop(slot);
        outcome.map_err(|error| self.told(error, name))
    }

    /// Ends the session if nobody uses it for a while.
    fn end_when_idle(&self, uses: u64) {
        let slot = Arc::downgrade(&self.slot);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let Some(slot) = slot.upgrade() else { return };
            let mut slot = slot.lock().await;
            if slot.uses == uses {
                slot.session = None;
            }
        });
    }

    /// What went wrong, without what the vault was granted.
    fn told(&self, error: RunError, doing: &'static str) -> VaultError {
        match error {
            RunError::Threw { message, .. } => VaultError::Refused(self.code.environment.mask(&message)),
            RunError::Fault(fault) if fault.code == Code::UNKNOWN_METHOD => VaultError::Unsupported(doing),
            RunError::Fault(fault) => {
                let message = self.code.environment.mask(&fault.message);
                VaultError::Fault(Fault { message, ..fault })
            }
            RunError::Rejected { violations, .. } => {
                let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
                VaultError::Refused(self.code.environment.mask(&list.join("; ")))
            }
        }
    }
}

#[async_trait]
impl Vault for ExtensionVault {
    async fn get(&self, key: &str) -> Result<Option<Secret>, VaultError> {
        let given = match self.call("get", &[key]).await {
            // Many throw where a key is not there.
            Err(VaultError::Refused(said)) if self.list().await.is_ok_and(|keys| !keys.iter().any(|it| it == key)) => {
                return Err(VaultError::NotThere(said));
            }
            given => given?,
        };
        match given {
            Json::String(value) => Ok(Some(Secret { value, remark: None })),
            Json::Null => Ok(None),
            other => Err(VaultError::Refused(format!("it gives no text for `{key}`, but {}", a(other.type_name())))),
        }
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), VaultError> {
        self.call("put", &[key, value]).await.map(drop).map_err(|error| without(error, value))
    }

    async fn delete(&self, key: &str) -> Result<bool, VaultError> {
        Ok(self.call("delete", &[key]).await? != Json::Bool(false))
    }

    async fn list(&self) -> Result<Vec<String>, VaultError> {
        let listed = self.call("list", &[]).await?;
        let Some(keys) = listed.as_array() else {
            return Err(VaultError::Refused(format!("it lists no keys, but gives {}", a(listed.type_name()))));
        };
        Ok(keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect())
    }
}

/// An error that may quote what was to be kept.
fn without(error: VaultError, value: &str) -> VaultError {
    let masked =
        |text: &str| if value.is_empty() { text.to_owned() } else { text.replace(value, crate::secrets::MASK) };
    match error {
        VaultError::Refused(message) => VaultError::Refused(masked(&message)),
        VaultError::NotThere(message) => VaultError::NotThere(masked(&message)),
        VaultError::Fault(fault) => VaultError::Fault(Fault { message: masked(&fault.message), ..fault }),
        other => other,
    }
}

fn a(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'o']) { "an" } else { "a" };
    if type_name == "null" { "nothing".to_owned() } else { format!("{article} {type_name}") }
}

/// Why a type cannot be used, and what to do.
fn no_type(not_ready: &NotReady) -> VaultError {
    let reason = format!("{}; {}", not_ready.headline(), not_ready.reason());
    VaultError::NoType { reason, advice: not_ready.advice() }
}

/// What the code of a vault may ask for: to say something.
struct VaultHost {
    environment: Arc<Environment>,
    subject: String,
}

#[async_trait]
impl MethodHost for VaultHost {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        if call.function == "log" {
            let text = call.arguments.get(1).and_then(Json::as_str).unwrap_or_default();
            tracing::info!(subject = %self.subject, text = %self.environment.mask(text), "a vault says");
            return Ok(Json::Null);
        }
        Err(format!("a vault has no context: ctx.{} is not there", call.function))
    }

    fn told_secrets(&self, _granted: &BTreeMap<String, String>) -> bool {
        true
    }
}

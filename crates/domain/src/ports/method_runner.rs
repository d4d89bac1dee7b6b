//! Running what an extension exports.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;

use crate::{bundle::LoadedBundle, description::Violation, failure::Fault, json::Json, permission::Grantee};

/// Runs functions of a bundle.
///
/// A session may find what the module remembers of earlier sessions that were opened with an equal request and ended well;
/// never of other code, grants or variables, nor of a session in which something failed.
///
/// Implementations MUST make every call of a stand-in a typed failure that names the requirement: work is never
/// pretended; MUST end a call within its time limit; MUST NOT let a rejection that nobody awaits end more than
/// its own session (fault 31); MUST let code reach nothing but what its grantee is granted, and name the grant that is
/// missing. Contract: `testkit::contract::method_runner`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait MethodRunner: Send + Sync {
    /// Loads a bundle for calls.
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError>;
}

/// What to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Code and vendors.
    pub bundle: LoadedBundle,
    /// The export to call into: `model`, `extension`, `vault`, `driver`, ….
    pub export_name: String,
    /// What a person calls the source, for messages.
    pub subject: String,
    /// What the code needs from its engine, as its description says; chooses the engine
    /// ([`beyond_embedded`](crate::inspection::beyond_embedded)).
    pub requirements: Vec<String>,
    /// On whose behalf it runs.
    pub grantee: Grantee,
    /// The directory that the grantee's root is, absolute: what the code's own modules are told of where they lie begins there.
    /// `None` if whoever asks does not know; a runner that knows where roots lie looks itself.
    pub root_directory: Option<PathBuf>,
    /// What the calls are part of, such as the identifier of a run: see [`MethodHost::told_secrets`].
    pub run: String,
}

/// A loaded bundle.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Session: Send {
    /// Calls a function of the export. Gives what it returns or resolves to. The functions of its context reach
    /// `host`.
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError>;
}

/// One call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Where the function stands below the export: `["methods", "create", "execute"]`.
    pub path: Vec<String>,
    /// Its first argument.
    pub arguments: Json,
    /// Where the schema stands below the export that the arguments must pass: `["methods", "create", "arguments"]`.
    /// The function receives what the schema makes of them. Empty, or where nothing stands: they are passed as they
    /// are.
    pub schema: Vec<String>,
    /// The data of its context.
    pub context: Json,
    /// As [`schema`](Self::schema), for the member `globalArgs` of the context, of which nothing is required: what is
    /// absent gets its default or stays absent.
    pub global_schema: Vec<String>,
    /// What the function is called with, or what is called instead.
    pub takes: Takes,
}

/// What a function is called with.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Takes {
    /// Arguments and context, as methods are.
    #[default]
    ArgumentsAndContext,
    /// The context alone, as checks are. It has no functions that write.
    ContextToRead,
    /// The context of a report alone: what there is to know of what ended, and nothing of a method's.
    ReportContext,
    /// Its arguments, a list, one after the other and without a context. What it gives is kept for further calls with the
    /// same arguments, and this function of that is called instead.
    Member(Member),
    /// Its arguments, a list of one configuration, which reaches it as it is once the schema has accepted it. What it gives is
    /// a driver: it is told to `initialize`, to `execute` this request, and to `shutdown`, as far as it has these functions, and
    /// is not kept. The call gives what `execute` said: `{status, error, outputs}`, or `{found}` with the type of what is no such object. Each output has its
    /// `kind`, `specName`, `name`, `type` and `tags`, and as `content` a text, `{base64}`, or `{json}` of any other value.
    Driver(Box<DriverRequest>),
    /// Nothing: the function is not called, and the call gives what the schemas make, `{arguments, globalArgs}`.
    Schemas,
}

/// What a driver is to execute.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverRequest {
    /// The request without its bundle, an object.
    pub request: Json,
    /// The code of the method's type as one module that imports nothing but what is built in; `None` for a type without code.
    pub bundle: Option<Arc<str>>,
}

/// A function of what another function gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its arguments, one after the other.
    pub arguments: Vec<Json>,
}

/// What a method may ask of its host while it runs.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait MethodHost: Send + Sync {
    /// Answers one call of a context function.
    ///
    /// # Errors
    /// The message with which the method's call is rejected.
    async fn call(&self, call: HostCall) -> Result<Json, String>;

    /// Hears that the code is about to send a request over the network by itself: what it does so cannot be taken back, and
    /// the call is not made again.
    fn sends_request(&self) {}

    /// Returns when the call under way is to end: its code is told by the `signal` of its context, and may put things in
    /// order. Where nobody ends calls, it never returns.
    async fn cancelled(&self) {
        std::future::pending::<()>().await;
    }

    /// True if code may have been told secrets that are masked in this run alone, beyond these variables that it is granted.
    /// What it remembers must then reach no session of another [`run`](OpenRequest::run).
    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        let _ = granted;
        false
    }
}

/// One call of a context function.
#[derive(Clone, Debug, PartialEq)]
pub struct HostCall {
    /// The function: `writeResource`, `readResource`, `log`, ….
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Json>,
}

/// A call that gave no value.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
pub enum RunError {
    /// The method threw or rejected.
    #[error("{message}")]
    Threw {
        /// What it threw, as text.
        message: String,
        /// Where, if the engine says so.
        stack: Option<String>,
    },
    /// A schema refused what the function would have been called with; the function was not called.
    #[error("{checked} break their schema")]
    Rejected {
        /// What was refused.
        checked: Checked,
        /// Every objection, never none; paths lead into the value, as `rules.0.name`.
        violations: Vec<Violation>,
    },
    /// The module could not be loaded, or a limit was hit.
    #[error("{0}")]
    Fault(Fault),
}

/// What a schema is asked about before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// [`Call::arguments`].
    Arguments,
    /// The member `globalArgs` of [`Call::context`].
    GlobalArguments,
}

impl std::fmt::Display for Checked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Checked::Arguments => "the arguments",
            Checked::GlobalArguments => "the global arguments",
        })
    }
}

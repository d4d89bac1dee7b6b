//! Mirrors of domain types that can be written and read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{
    bundle::{Bundle, BundleFile},
    description::Violation,
    digest::Digest,
    failure::{FailureClass, Fault},
    fingerprint::Part,
    inspection::Inspection,
    module_graph::{Edge, EdgeTarget, ModuleGraph, SourceFile},
    package::{Offer, WideOffer},
    permission::{Grant, Grantee, Permission},
    ports::{BuildFailure, BundleRequest, Call, Checked, DriverRequest, Member, RunError, Takes},
    position::Position,
    problem::Code,
    source::{RelativePath, RootId},
};
use mangrove_engine::Limits;
use serde::{Deserialize, Serialize};

use super::{Value, WireError};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum WireClass {
    Transient,
    Environment,
    Deterministic,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireFault {
    class: WireClass,
    code: u16,
    cause: String,
    message: String,
    position: Option<(String, u32, u32)>,
}

impl From<&Fault> for WireFault {
    fn from(fault: &Fault) -> Self {
        Self {
            class: match fault.class {
                FailureClass::Transient => WireClass::Transient,
                FailureClass::Environment => WireClass::Environment,
                FailureClass::Deterministic => WireClass::Deterministic,
            },
            code: fault.code.number(),
            cause: fault.cause.0.to_string(),
            message: fault.message.clone(),
            position: fault.position.as_ref().map(|at| (at.file.clone(), at.line, at.column)),
        }
    }
}

impl TryFrom<WireFault> for Fault {
    type Error = WireError;

    fn try_from(wire: WireFault) -> Result<Self, WireError> {
        let code = Code::ALL.iter().copied().find(|code| code.number() == wire.code);
        let class = match wire.class {
            WireClass::Transient => FailureClass::Transient,
            WireClass::Environment => FailureClass::Environment,
            WireClass::Deterministic => FailureClass::Deterministic,
        };
        let fault = Fault::new(class, code.ok_or(WireError::UnknownCode(wire.code))?, wire.cause, wire.message);
        Ok(match wire.position {
            Some((file, line, column)) => fault.at(Position { file, line, column }),
            None => fault,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum WireTarget<'a> {
    File(&'a str),
    External(&'a str),
    Missing,
    OutsideRoot,
}

/// What can be imported by name from a file.
#[derive(Debug, Serialize, Deserialize)]
struct WireOffer<'a> {
    package: &'a str,
    #[serde(borrow)]
    names: Vec<&'a str>,
    is_open: bool,
    #[serde(borrow)]
    wide: Option<(&'a str, Vec<&'a str>)>,
}

impl<'a> From<&'a Offer> for WireOffer<'a> {
    fn from(offer: &'a Offer) -> Self {
        let list = |names: &'a BTreeSet<String>| names.iter().map(String::as_str).collect();
        Self {
            package: &offer.package,
            names: list(&offer.names),
            is_open: offer.is_open,
            wide: offer.wide.as_ref().map(|wide| (wide.import.as_str(), list(&wide.names))),
        }
    }
}

impl From<&WireOffer<'_>> for Offer {
    fn from(wire: &WireOffer<'_>) -> Self {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            package: wire.package.to_owned(),
            names: set(&wire.names),
            is_open: wire.is_open,
            wide: wire
                .wide
                .as_ref()
                .map(|(import, names)| WideOffer { import: (*import).to_owned(), names: set(names) }),
        }
    }
}

/// A bundle request. Digests and fingerprint parts stay at home: the bundler does not look at them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireBundleRequest<'a> {
    entry: &'a str,
    #[serde(borrow)]
    files: Vec<(&'a str, &'a [u8])>,
    edges: Vec<(&'a str, &'a str, WireTarget<'a>)>,
    compiler_options: Value,
    imports: BTreeMap<&'a str, &'a str>,
    #[serde(borrow)]
    offers: Vec<(&'a str, WireOffer<'a>)>,
    #[serde(borrow)]
    inlined: Vec<(&'a str, &'a str)>,
}

impl<'a> From<&'a BundleRequest> for WireBundleRequest<'a> {
    fn from(request: &'a BundleRequest) -> Self {
        let graph = &request.graph;
        let target = |target: &'a EdgeTarget| match target {
            EdgeTarget::File(path) => WireTarget::File(path.as_str()),
            EdgeTarget::External(specifier) => WireTarget::External(specifier),
            EdgeTarget::Missing => WireTarget::Missing,
            EdgeTarget::OutsideRoot => WireTarget::OutsideRoot,
        };
        Self {
            entry: graph.entry.as_str(),
            files: graph.files.iter().map(|file| (file.path.as_str(), &*file.bytes)).collect(),
            edges: graph
                .edges
                .iter()
                .map(|edge| (edge.importer.as_str(), edge.specifier.as_str(), target(&edge.target)))
                .collect(),
            compiler_options: Value::from(&graph.compiler_options),
            imports: request.imports.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            offers: request.offers.iter().map(|(path, offer)| (path.as_str(), (&**offer).into())).collect(),
            inlined: request.inlined.iter().map(|file| (file.path.as_str(), &*file.code)).collect(),
        }
    }
}

impl TryFrom<&WireBundleRequest<'_>> for BundleRequest {
    type Error = WireError;

    fn try_from(wire: &WireBundleRequest<'_>) -> Result<Self, WireError> {
        let mut files = Vec::with_capacity(wire.files.len());
        for (path, bytes) in &wire.files {
            files.push(SourceFile {
                path: RelativePath::parse(path)?,
                bytes: Arc::from(*bytes),
                digest: Digest::from_bytes([0; 32]),
            });
        }
        let mut edges = Vec::with_capacity(wire.edges.len());
        for (importer, specifier, target) in &wire.edges {
            edges.push(Edge {
                importer: RelativePath::parse(importer)?,
                specifier: (*specifier).to_owned(),
                target: match target {
                    WireTarget::File(path) => EdgeTarget::File(RelativePath::parse(path)?),
                    WireTarget::External(mapped) => EdgeTarget::External((*mapped).to_owned()),
                    WireTarget::Missing => EdgeTarget::Missing,
                    WireTarget::OutsideRoot => EdgeTarget::OutsideRoot,
                },
            });
        }
        Ok(Self {
            graph: ModuleGraph {
                entry: RelativePath::parse(wire.entry)?,
                files,
                edges,
                source: Part::of([]),
                config: Part::of([]),
                compiler_options: wire.compiler_options.clone().into_json()?,
                // Packages are resolved before a worker is asked.
                lock: None,
                // The embedded bundler reads no files.
                config_files: Vec::new(),
            },
            imports: wire.imports.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            offers: wire.offers.iter().map(|(path, offer)| ((*path).to_owned(), Arc::new(offer.into()))).collect(),
            inlined: wire
                .inlined
                .iter()
                .map(|(path, code)| BundleFile { path: (*path).to_owned(), code: Arc::from(*code) })
                .collect(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireBundle {
    code: String,
    requirements: Vec<String>,
    remarks: Vec<String>,
}

impl From<Bundle> for WireBundle {
    fn from(bundle: Bundle) -> Self {
        Self { code: bundle.code, requirements: bundle.requirements, remarks: bundle.remarks }
    }
}

impl From<WireBundle> for Bundle {
    fn from(wire: WireBundle) -> Self {
        Self { code: wire.code, requirements: wire.requirements, remarks: wire.remarks }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireBuildFailure {
    fault: WireFault,
    diagnostics: Vec<String>,
}

impl From<BuildFailure> for WireBuildFailure {
    fn from(failure: BuildFailure) -> Self {
        Self { fault: WireFault::from(&failure.fault), diagnostics: failure.diagnostics }
    }
}

impl TryFrom<WireBuildFailure> for BuildFailure {
    type Error = WireError;

    fn try_from(wire: WireBuildFailure) -> Result<Self, WireError> {
        Ok(Self { fault: wire.fault.try_into()?, diagnostics: wire.diagnostics })
    }
}

/// Of a grantee, what an engine asks about.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireGrantee {
    name: String,
    root: String,
    /// By the names of permissions; `None` is everything.
    grants: Vec<(String, Option<Vec<String>>)>,
    variables: BTreeMap<String, String>,
}

impl From<&Grantee> for WireGrantee {
    fn from(grantee: &Grantee) -> Self {
        let names = |grant: &Grant| match grant {
            Grant::All => None,
            Grant::Only(names) => Some(names.clone()),
        };
        let grants = grantee.grants.iter();
        Self {
            name: grantee.name.clone(),
            root: grantee.root.to_string(),
            grants: grants.map(|(permission, grant)| (permission.as_str().to_owned(), names(grant))).collect(),
            variables: grantee.variables.clone(),
        }
    }
}

impl From<WireGrantee> for Grantee {
    fn from(wire: WireGrantee) -> Self {
        let grants = wire.grants.into_iter();
        Self {
            name: wire.name,
            root: RootId::new(wire.root),
            grants: grants
                .filter_map(|(name, names)| Some((Permission::parse(&name)?, names.map_or(Grant::All, Grant::Only))))
                .collect(),
            variables: wire.variables,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireInspection {
    export: Option<(String, Value)>,
    touched: Vec<String>,
    notes: Vec<String>,
}

impl From<&Inspection> for WireInspection {
    fn from(inspection: &Inspection) -> Self {
        Self {
            export: inspection.export.as_ref().map(|(name, shape)| (name.to_string(), Value::from(shape))),
            touched: inspection.touched.clone(),
            notes: inspection.notes.clone(),
        }
    }
}

impl TryFrom<WireInspection> for Inspection {
    type Error = WireError;

    fn try_from(wire: WireInspection) -> Result<Self, WireError> {
        let export = match wire.export {
            Some((name, value)) => Some((Arc::from(name), value.into_shape()?)),
            None => None,
        };
        Ok(Self { export, touched: wire.touched, notes: wire.notes })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) enum WireRunError {
    Threw {
        message: String,
        stack: Option<String>,
    },
    /// True for the global arguments; objections as path and message.
    Rejected(bool, Vec<(String, String)>),
    Fault(WireFault),
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireCall {
    path: Vec<String>,
    arguments: Value,
    schema: Vec<String>,
    context: Value,
    global_schema: Vec<String>,
    takes: WireTakes,
}

/// What a function is called with.
#[derive(Debug, Serialize, Deserialize)]
enum WireTakes {
    ArgumentsAndContext,
    ContextToRead,
    ReportContext,
    /// Name and arguments.
    Member(String, Vec<Value>),
    /// The request and its bundle.
    Driver(Value, Option<String>),
    Schemas,
}

impl From<&Takes> for WireTakes {
    fn from(takes: &Takes) -> Self {
        match takes {
            Takes::ArgumentsAndContext => Self::ArgumentsAndContext,
            Takes::ContextToRead => Self::ContextToRead,
            Takes::ReportContext => Self::ReportContext,
            Takes::Member(Member { name, arguments }) => {
                Self::Member(name.clone(), arguments.iter().map(Value::from).collect())
            }
            Takes::Driver(driver) => {
                let DriverRequest { request, bundle } = driver.as_ref();
                Self::Driver(Value::from(request), bundle.as_deref().map(str::to_owned))
            }
            Takes::Schemas => Self::Schemas,
        }
    }
}

impl TryFrom<WireTakes> for Takes {
    type Error = WireError;

    fn try_from(wire: WireTakes) -> Result<Self, WireError> {
        Ok(match wire {
            WireTakes::ArgumentsAndContext => Self::ArgumentsAndContext,
            WireTakes::ContextToRead => Self::ContextToRead,
            WireTakes::ReportContext => Self::ReportContext,
            WireTakes::Member(name, arguments) => {
                let arguments = arguments.into_iter().map(Value::into_json).collect::<Result<_, _>>()?;
                Self::Member(Member { name, arguments })
            }
            WireTakes::Driver(request, bundle) => {
                let request = request.into_json()?;
                Self::Driver(Box::new(DriverRequest { request, bundle: bundle.map(Into::into) }))
            }
            WireTakes::Schemas => Self::Schemas,
        })
    }
}

impl From<&Call> for WireCall {
    fn from(call: &Call) -> Self {
        let Call { path, arguments, schema, context, global_schema, takes } = call;
        Self {
            path: path.clone(),
            arguments: Value::from(arguments),
            schema: schema.clone(),
            context: Value::from(context),
            global_schema: global_schema.clone(),
            takes: takes.into(),
        }
    }
}

impl TryFrom<WireCall> for Call {
    type Error = WireError;

    fn try_from(wire: WireCall) -> Result<Self, WireError> {
        let WireCall { path, arguments, schema, context, global_schema, takes } = wire;
        let (arguments, context) = (arguments.into_json()?, context.into_json()?);
        Ok(Self { path, arguments, schema, context, global_schema, takes: takes.try_into()? })
    }
}

impl From<RunError> for WireRunError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Threw { message, stack } => WireRunError::Threw { message, stack },
            RunError::Rejected { checked, violations } => WireRunError::Rejected(
                checked == Checked::GlobalArguments,
                violations.into_iter().map(|violation| (violation.path, violation.message)).collect(),
            ),
            RunError::Fault(fault) => WireRunError::Fault(WireFault::from(&fault)),
        }
    }
}

impl TryFrom<WireRunError> for RunError {
    type Error = WireError;

    fn try_from(wire: WireRunError) -> Result<Self, WireError> {
        Ok(match wire {
            WireRunError::Threw { message, stack } => RunError::Threw { message, stack },
            WireRunError::Rejected(is_global, violations) => RunError::Rejected {
                checked: if is_global { Checked::GlobalArguments } else { Checked::Arguments },
                violations: violations.into_iter().map(|(path, message)| Violation { path, message }).collect(),
            },
            WireRunError::Fault(fault) => RunError::Fault(fault.try_into()?),
        })
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::worker) struct WireLimits {
    cpu: Duration,
    memory_bytes: u64,
    stack_bytes: u64,
    pending_jobs: u32,
}

impl From<&Limits> for WireLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            cpu: limits.cpu,
            memory_bytes: limits.memory_bytes,
            stack_bytes: limits.stack_bytes as u64,
            pending_jobs: limits.pending_jobs,
        }
    }
}

pub(in crate::worker) fn to_limits(wire: WireLimits) -> Limits {
    Limits {
        cpu: wire.cpu,
        memory_bytes: wire.memory_bytes,
        stack_bytes: usize::try_from(wire.stack_bytes).unwrap_or(usize::MAX),
        pending_jobs: wire.pending_jobs,
    }
}

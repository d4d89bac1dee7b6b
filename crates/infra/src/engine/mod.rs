//! Stub until the engine is merged: same signatures, no engine.
#![expect(missing_docs, reason = "replaced when the engine is merged")]

use std::time::Duration;

use mangrove_domain::{
    failure::{FailureClass, Fault},
    json::Json,
    ports::{HostCall, InspectRequest, Inspection, OpenRequest, RunError},
    problem::Code,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub cpu: Duration,
    pub memory_bytes: u64,
    pub stack_bytes: usize,
    pub pending_jobs: u32,
}

pub fn inspect(_request: &InspectRequest, _limits: &Limits) -> Result<Inspection, Fault> {
    Err(absent())
}

#[derive(Debug)]
pub struct EngineSession;

impl EngineSession {
    pub fn open(_request: &OpenRequest, _limits: &Limits) -> Result<Self, RunError> {
        Err(RunError::Fault(absent()))
    }

    pub fn call(
        &mut self,
        _path: &[String],
        _args: &Json,
        _context: &Json,
        _host: &mut dyn FnMut(HostCall) -> Result<Json, String>,
    ) -> Result<Json, RunError> {
        Err(RunError::Fault(absent()))
    }
}

fn absent() -> Fault {
    Fault::new(FailureClass::Environment, Code::WORKER_UNAVAILABLE, "engine", "no engine in this build")
}

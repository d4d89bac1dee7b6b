//! The engine behind its ports, in this process: for tests and for whoever trusts the code.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    inspection::Inspection,
    json::Json,
    ports::{Call, ExportInspector, InspectRequest, MethodHost, MethodRunner, OpenRequest, RunError, Session},
    problem::Code,
};
use mangrove_fs::blocking;
use tokio::runtime::Handle;

use super::{EngineSession, HostFunction, Limits, inspect};

/// Runs the engine on blocking threads of this process. It cannot end code that ignores interrupts: only a worker
/// process can (`design/inspection.md`).
#[derive(Clone, Debug, Default)]
pub struct InProcess {
    limits: Limits,
}

impl InProcess {
    /// An engine with these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

#[async_trait]
impl ExportInspector for InProcess {
    async fn inspect(&self, request: InspectRequest) -> Result<Inspection, Fault> {
        let limits = self.limits.clone();
        blocking(move || inspect(&request, &limits)).await.unwrap_or_else(|_| Err(crashed()))
    }
}

#[async_trait]
impl MethodRunner for InProcess {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        let limits = self.limits.clone();
        let session = blocking(move || EngineSession::open(&request, &limits)).await;
        let session = session.unwrap_or_else(|_| Err(RunError::Fault(crashed())))?;
        Ok(Box::new(Local { session: Some(session) }))
    }
}

struct Local {
    /// Gone if a call panicked or was given up on.
    session: Option<EngineSession>,
}

#[async_trait]
impl Session for Local {
    async fn call(&mut self, call: Call, host: Arc<dyn MethodHost>) -> Result<Json, RunError> {
        let mut session = self.session.take().ok_or_else(|| RunError::Fault(crashed()))?;
        let runtime = Handle::current();
        let called = blocking(move || {
            session.answer_at_once({
                let (runtime, host) = (runtime.clone(), Arc::clone(&host));
                HostFunction::new(move |call| runtime.block_on(host.call(call)))
            });
            let result = session.call(&call, &mut |call| runtime.block_on(host.call(call)));
            (session, result)
        });
        let (session, result) = called.await.map_err(|_| RunError::Fault(crashed()))?;
        self.session = Some(session);
        result
    }
}

fn crashed() -> Fault {
    Fault::deterministic(Code::WORKER_CRASHED, "engine", "the engine crashed on this input")
}

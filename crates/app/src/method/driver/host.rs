//! What a driver can reach while it runs.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    json::Json,
    ports::{HostCall, MethodHost},
};

use crate::method::host::Host;

/// The host of a driver: it logs, and has no context.
pub(super) struct DriverHost(pub(super) Arc<Host>);

#[async_trait]
impl MethodHost for DriverHost {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        if call.function == "log" {
            return self.0.call(call).await;
        }
        Err(format!("a driver has no context: ctx.{} is not there", call.function))
    }

    async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    fn told_secrets(&self, granted: &BTreeMap<String, String>) -> bool {
        self.0.told_secrets(granted)
    }
}

//! Whether the hosts answer that Deno fetches from. Deno itself waits for a host that is silent until it is killed, and
//! every entry would wait in turn. So whenever it begins to fetch, and whenever it has told nothing for a while, our own
//! client asks the same host, by the rule that all builds of a plan share (`design/packages.md`, "Outages").

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mangrove_domain::{
    failure::{CauseKey, Fault},
    outage::Outages,
};
use mangrove_npm::{
    registry::{Client, origin},
    settings::{Locations, Settings},
};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};
use url::Url;

/// How long Deno may tell nothing while it fetches, until the host is asked; and how long an answer counts.
const SILENCE: Duration = Duration::from_secs(10);

/// What Deno was heard to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It begins to fetch this.
    Fetches(Url),
    /// It has what it needs, and bundles.
    Bundles,
    /// Something else that shows that it goes on.
    GoesOn,
}

impl Heard {
    /// What a line of standard error tells that is none of the log.
    pub(super) fn of(line: &str) -> Self {
        let address = line.trim_start().strip_prefix("Download ").and_then(|address| Url::parse(address.trim()).ok());
        let address = address.filter(|address| matches!(address.scheme(), "http" | "https"));
        address.map_or(Self::GoesOn, Self::Fetches)
    }
}

/// The hosts, and who asks them.
pub(super) struct Hosts {
    client: Arc<Client>,
    locations: Locations,
    /// When they answered last, by `host:port`.
    answered: Mutex<BTreeMap<String, Instant>>,
}

impl Hosts {
    pub(super) fn new(client: Arc<Client>, locations: Locations) -> Self {
        Self { client, locations, answered: Mutex::default() }
    }

    /// Makes sure that the registry of a package answers.
    ///
    /// # Errors
    /// As [`reach`](Self::reach), or if the settings cannot be read.
    pub(super) async fn reach_registry_of(&self, package: &str, outages: &Outages) -> Result<(), Fault> {
        let settings = Settings::load(&self.locations)?;
        self.reach(settings.registry(package)?, outages).await
    }

    /// Makes sure that a host answers, whatever it answers.
    ///
    /// # Errors
    /// If it is silent or takes no connections, or is known to. Whatever else fails is over at once and left to Deno.
    async fn reach(&self, address: &Url, outages: &Outages) -> Result<(), Fault> {
        let origin = origin(address);
        let is_recent = self.answered().get(&origin).is_some_and(|at| at.elapsed() < SILENCE);
        if is_recent && outages.of(&CauseKey(format!("registry:{origin}").into())).is_none() {
            return Ok(());
        }
        let settings = Settings::load(&self.locations)?;
        match self.client.reach(&settings, address, outages).await {
            Err(error) if error.is_outage() => Err(error.into()),
            Ok(()) | Err(_) => {
                self.answered().insert(origin, Instant::now());
                Ok(())
            }
        }
    }

    fn answered(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to a Deno that may fetch. Comes back only with a reason to stop it.
    pub(super) async fn watch(&self, mut heard: UnboundedReceiver<Heard>, outages: &Outages) -> Fault {
        let mut fetched = None;
        loop {
            match tokio::time::timeout(SILENCE, heard.recv()).await {
                Ok(Some(Heard::Fetches(address))) => fetched = Some(address),
                Ok(Some(Heard::Bundles)) => fetched = None,
                Ok(Some(Heard::GoesOn)) => continue,
                // It closed its standard error, and is about to end.
                Ok(None) => std::future::pending().await,
                Err(_) => {}
            }
            let Some(address) = &fetched else { continue };
            // If it went on meanwhile, it reaches what we do not.
            if let Err(fault) = self.reach(address, outages).await
                && heard.is_empty()
            {
                return fault;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_told_from_the_rest() {
        let fetches = |line: &str| match Heard::of(line) {
            Heard::Fetches(address) => Some(address.to_string()),
            Heard::Bundles | Heard::GoesOn => None,
        };
        let address = "https://registry.npmjs.org/@esbuild%2flinux-x64";
        assert_eq!(fetches(&format!("Download {address}")).as_deref(), Some(address));
        for line in ["Download something", "Download npm:zod", "Bundled 2 modules in 7ms", "https://x", ""] {
            assert_eq!(fetches(line), None, "{line}");
        }
    }
}

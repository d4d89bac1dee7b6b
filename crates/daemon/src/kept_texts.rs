//! Keeps the texts of workflows that start by themselves for the next process: what was read last while their files were in
//! order.

use std::{collections::BTreeMap, sync::Arc};

use mangrove_app::{service::Service, workflow::LibrarySchedules};
use mangrove_domain::ports::LastGoodWorkflow;
use tokio::sync::watch;

/// By their files.
type Texts = BTreeMap<String, LastGoodWorkflow>;

/// The texts of one daemon. They are written by a task of their own, which ends with this.
#[derive(Debug)]
pub(crate) struct KeptTexts {
    texts: watch::Sender<Arc<Texts>>,
}

impl KeptTexts {
    pub(crate) fn new(service: Service) -> Self {
        let (texts, mut changed) = watch::channel(Arc::<Texts>::default());
        tokio::spawn(async move {
            let mut is_told = false;
            while changed.changed().await.is_ok() {
                let latest = Arc::clone(&changed.borrow_and_update());
                let all: Vec<LastGoodWorkflow> = latest.values().cloned().collect();
                match service.keep_last_good(&all).await {
                    Ok(()) => is_told = false,
                    Err(fault) if !is_told => {
                        is_told = true;
                        tracing::warn!(%fault, "workflows whose files break will not go on after a restart");
                    }
                    Err(_) => {}
                }
            }
        });
        Self { texts }
    }

    /// Takes over what an earlier process kept.
    pub(crate) fn take_over(&self, earlier: Texts) {
        self.texts.send_replace(Arc::new(earlier));
    }

    /// Keeps what was read now, and what was known of files that cannot be used.
    pub(crate) fn keep(&self, mut read: Texts, schedules: &LibrarySchedules) {
        let before = Arc::clone(&self.texts.borrow());
        for (file, known) in before.iter().filter(|(file, _)| !read.contains_key(*file)).collect::<Vec<_>>() {
            if schedules.fault_of(file, known.origin).is_some() {
                read.insert(file.clone(), known.clone());
            }
        }
        if read != *before {
            self.texts.send_replace(Arc::new(read));
        }
    }
}

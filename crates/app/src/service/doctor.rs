//! Examining and repairing.

use std::sync::Arc;

use mangrove_domain::{
    database::{Database, DatabaseFault},
    problem::Code,
};

use super::{base::Service, error::ServiceError};
use crate::{
    doctor::{
        self, Diagnosis, Documents, Examination,
        repair::{self, Repair},
    },
    scan::ScanRequest,
};

/// What an examination does about what it finds.
#[derive(Clone, Debug)]
pub enum Repairs {
    /// Nothing.
    No,
    /// Says what would be repaired.
    Propose,
    /// Repairs it; of the request, progress and cancellation count.
    Apply(ScanRequest),
}

/// What was examined.
#[derive(Debug)]
pub struct Examined {
    /// What was found; after a repair, what is left.
    pub diagnosis: Diagnosis,
    /// What is, or would be, repaired; `None` if that was not asked for.
    pub repair: Option<Repair>,
    /// True if a repair was asked to stop before it was done.
    pub is_cancelled: bool,
}

impl Service {
    /// Looks at everything, and changes nothing unless it is to repair.
    ///
    /// # Errors
    /// A repair could not be carried out. What cannot be looked at is a problem of the diagnosis.
    pub async fn examine(&self, repairs: Repairs) -> Result<Examined, ServiceError> {
        let examination = self.examination().await;
        let (mut repair, mut is_cancelled, mut proposes) = (None, false, false);
        match repairs {
            Repairs::No => {}
            Repairs::Propose => proposes = true,
            Repairs::Apply(request) => {
                let repaired = repair::apply(&self.scanner, &request).await?;
                is_cancelled = repaired.report.is_cancelled;
                repair = Some(repaired.repair);
            }
        }
        let mut diagnosis = doctor::diagnose(&self.scanner, examination).await;
        let is_cut_off = diagnosis.problems.iter().any(|problem| problem.code == Code::DATABASE_UNREACHABLE);
        if let Some(own) = self.checkout().await.filter(|_| !is_cut_off) {
            match self.compare_checkout(&own).await {
                Ok(problems) => diagnosis.problems.extend(problems),
                Err(error) => diagnosis.problems.push(doctor::unusable(doctor::CHECKOUTS, &error.fault)),
            }
        }
        if proposes {
            // Where the catalog or the sources cannot be read, the diagnosis says so, and there is nothing to repair.
            repair = Some(repair::propose(&self.scanner, &diagnosis).await.unwrap_or_default());
        }
        Ok(Examined { diagnosis, repair, is_cancelled })
    }

    /// What is known before the sources are looked at: databases that cannot be used, definitions and workflows.
    async fn examination(&self) -> Examination {
        let mut found = Vec::new();
        if let Some(databases) = &self.options.databases {
            let unusable = databases.check().await.into_iter();
            // A catalog that does not open says so when it is asked for its rows.
            let counts = |unusable: &DatabaseFault| unusable.opens || unusable.database != Database::Catalog;
            found.extend(unusable.filter(counts).map(|it| doctor::unusable(it.database.file_name(), &it.fault)));
        }
        found.extend(self.vault_problems().await);
        // A tree that cannot be looked at says so when it is surveyed.
        let external = self.scanner.ports().tree.workflows().await.unwrap_or_default();
        let documents = match self.load_library(external, None).await {
            Ok(library) => Some(Documents {
                library,
                expressions: Arc::clone(&self.repository.expressions),
                schemas: Arc::clone(&self.repository.schemas),
                calendar: self.options.calendar.clone(),
            }),
            Err(error) => {
                found.push(doctor::unusable(doctor::DOCUMENTS, &error.fault));
                None
            }
        };
        Examination { found, permissions: (**self.permissions.load()).clone(), documents }
    }
}

//! Compares what this daemon runs from with what the other nodes of its catalog do.

use std::time::Duration;

use mangrove_app::service::Service;
use mangrove_domain::{digest::Digest, ports::CheckoutsError, problem::Problem};
use tokio::sync::watch;

use crate::{log::Said, status::Status};

/// How often they are compared.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// After so many looks it is told in any case: whoever was silent for long is forgotten.
const LOOKS_BETWEEN_TELLING: u32 = 60;

/// Tells the others again and again what this node has, and keeps in `status` which of them have something else.
pub(crate) async fn compare(service: Service, status: watch::Sender<Status>) {
    let (mut told, mut said) = (None, Said::default());
    for look in 0_u32.. {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        if look % LOOKS_BETWEEN_TELLING == 0 {
            told = None;
        }
        match once(&service, &mut told).await {
            Ok(problems) => {
                said.forget();
                note(&status, problems);
            }
            // What was known stays: nobody has changed it.
            Err(error) if said.is_new(&error) => {
                tracing::warn!(%error, "it cannot be seen whether other nodes have the same sources");
            }
            Err(_) => {}
        }
    }
}

async fn once(service: &Service, told: &mut Option<(Digest, Option<String>)>) -> Result<Vec<Problem>, CheckoutsError> {
    // Before the first look nothing is known of the files.
    let Some(own) = service.checkout().await.filter(|own| !own.files.is_empty()) else { return Ok(Vec::new()) };
    let name = (own.digest(), own.commit.clone());
    if told.as_ref() != Some(&name) {
        service.tell_checkout(&own).await?;
        *told = Some(name);
    }
    service.compare_checkout(&own).await
}

fn note(status: &watch::Sender<Status>, problems: Vec<Problem>) {
    status.send_if_modified(|status| {
        if *status.checkouts == *problems {
            return false;
        }
        for problem in problems.iter().filter(|problem| !status.checkouts.contains(problem)) {
            tracing::error!(code = %problem.code, node = problem.subject, "{}", problem.message);
        }
        if problems.is_empty() {
            tracing::info!("all nodes have the same sources again");
        }
        status.checkouts = problems.into();
        true
    });
}

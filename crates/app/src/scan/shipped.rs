//! What becomes of a source that cannot be built here: the bundle that its extension ships, where the rules of
//! `domain::shipped` allow it.

use mangrove_domain::{
    failure::Fault,
    fingerprint::Inputs,
    problem::Code,
    settle::Outcome,
    shipped::{self, Acceptance, Judgement, Shipped, ShippedBundle},
    source::SourceId,
};

use super::attempt::{Attempt, Ended, failed};

impl Attempt {
    /// Ends an attempt whose build failed.
    pub(super) async fn not_built(&self, fault: Fault, observed: &Inputs) -> Ended {
        let bundle = match &self.needs.shipped {
            Some(shipped) if shipped::stands_in_for(&fault) => match shipped {
                Shipped::Bundle(bundle) => bundle,
                Shipped::Unusable { why } => {
                    return refused(fault, &format!("the bundle that the extension ships cannot be used: {why}"));
                }
            },
            Some(_) | None => return Ended::without_inspection(failed(fault)),
        };
        let source = observed.source.digest();
        let accepted = self.row.as_ref().and_then(|row| row.shipped.as_ref());
        match shipped::judge(accepted, bundle, source) {
            Judgement::Accept => self.take_shipped(bundle, observed).await,
            Judgement::Changed { accepted } => {
                let message = format!(
                    "the bundle that the extension ships ({}) is not the one that was accepted for these sources ({} \
                     now, {} then), and it cannot be built here: {}",
                    bundle.path,
                    bundle.digest.short(),
                    accepted.short(),
                    fault.message
                );
                let cause = format!("shipped:{}", bundle.path);
                let changed = Fault::deterministic(Code::SHIPPED_CHANGED, cause, message);
                Ended::without_inspection(failed(changed))
            }
            Judgement::OtherSources => {
                let path = &bundle.path;
                refused(fault, &format!("the bundle that the extension ships ({path}) was accepted for other sources"))
            }
        }
    }

    async fn take_shipped(&self, bundle: &ShippedBundle, observed: &Inputs) -> Ended {
        let file = SourceId { root: self.observation.source.root.clone(), path: bundle.path.clone() };
        let file = match self.ports.tree.file(&file).await {
            Ok(Some(file)) if file.digest == bundle.digest => file,
            Ok(_) => return Ended::without_inspection(Outcome::InputsMoved),
            Err(error) => return Ended::without_inspection(failed(error.fault().clone())),
        };
        // What does not parse as UTF-8 was found unusable when it was observed.
        let Ok(code) = std::str::from_utf8(&file.bytes) else {
            return Ended::without_inspection(Outcome::InputsMoved);
        };
        let acceptance = Acceptance {
            bundle: bundle.digest,
            source: observed.source.digest(),
            pull: bundle.pull.clone(),
            unmapped: self.unmapped(),
        };
        let mut ended = self.take((code, Vec::new()), Vec::new(), observed.clone()).await;
        let is_taken = match &ended.outcome {
            Outcome::Accepted { .. } | Outcome::Rejected { .. } | Outcome::InspectionFailed { .. } => true,
            Outcome::BuildFailed { .. } | Outcome::Shipped { .. } | Outcome::InputsMoved => false,
        };
        if is_taken {
            ended.outcome = Outcome::Shipped { acceptance, outcome: Box::new(ended.outcome) };
        }
        ended
    }

    /// The imports that no configuration maps, sorted.
    fn unmapped(&self) -> Vec<String> {
        let specifiers = self.needs.packages.specifiers.iter();
        specifiers.filter(|specifier| shipped::is_unmapped(specifier)).cloned().collect()
    }
}

/// The failure as it would be if nothing were shipped, and why that does not help.
fn refused(fault: Fault, why: &str) -> Ended {
    let message = format!("{}; {why}", fault.message);
    Ended::without_inspection(failed(Fault { message, ..fault }))
}

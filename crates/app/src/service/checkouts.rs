//! Comparing what this node runs from with what the others do.

use mangrove_domain::{checkout::Checkout, ports::CheckoutsError, problem::Problem};

use super::base::Service;

impl Service {
    /// What this node runs from, as it was looked at last; `None` if it shares its catalog with nobody.
    pub async fn checkout(&self) -> Option<Checkout> {
        self.options.checkouts.as_ref()?;
        Some(self.scanner.ports().tree.checkout().await)
    }

    /// Tells the other nodes what this one runs from.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn tell_checkout(&self, checkout: &Checkout) -> Result<(), CheckoutsError> {
        match &self.options.checkouts {
            Some(checkouts) => checkouts.tell(checkout).await,
            None => Ok(()),
        }
    }

    /// What is wrong with this node's checkout beside those of the others: one problem for each that has other files.
    ///
    /// # Errors
    /// Theirs cannot be read.
    pub async fn compare_checkout(&self, own: &Checkout) -> Result<Vec<Problem>, CheckoutsError> {
        let Some(checkouts) = &self.options.checkouts else { return Ok(Vec::new()) };
        let others = checkouts.differing(own).await?;
        Ok(others.iter().filter_map(|other| other.problem(own)).collect())
    }
}

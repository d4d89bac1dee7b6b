//! Whose store it is.

use std::sync::{
    Weak,
    atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
use mangrove_domain::{failure::Fault, ports::StoreError, problem::Code};

use super::{
    super::{Ownership, access},
    Inner,
    bucket::Content,
    names,
};

/// What is known of whose store it is: asked once, not for each operation.
#[derive(Debug, Default)]
pub(super) struct Admission(AtomicU8);

const FOR_READING: u8 = 1;
const FOR_WRITING: u8 = 2;

impl Admission {
    /// Everything is admitted from now on.
    pub(super) fn admit_all(&self) {
        self.0.store(FOR_WRITING, Ordering::Release);
    }

    fn admits(&self, is_writing: bool) -> bool {
        self.0.load(Ordering::Acquire) >= if is_writing { FOR_WRITING } else { FOR_READING }
    }

    fn admit(&self, is_writing: bool) {
        self.0.fetch_max(if is_writing { FOR_WRITING } else { FOR_READING }, Ordering::AcqRel);
    }
}

impl Inner {
    /// Refuses a store that is another catalog's. One that is nobody's becomes that of ours if it is to be written.
    pub(super) async fn admit(&self, is_writing: bool) -> Result<(), StoreError> {
        if self.admission.admits(is_writing) {
            return Ok(());
        }
        // Without a catalog there is nobody who could be another one; whoever needs the catalog reports what ails it.
        let Some(catalog) = self.catalog.get().and_then(Weak::upgrade) else { return Ok(()) };
        let Ok(Some(identity)) = catalog.identity().await else { return Ok(()) };
        match self.ownership(&identity).await? {
            Ownership::Ours => self.admission.admit(true),
            Ownership::Unclaimed if is_writing => {
                self.claim_if_free(&identity).await?;
                self.admission.admit(true);
            }
            Ownership::Unclaimed => self.admission.admit(false),
            Ownership::Foreign(owner) => return Err(StoreError::foreign(owner)),
        }
        Ok(())
    }

    pub(super) async fn ownership(&self, catalog_id: &str) -> Result<Ownership, StoreError> {
        match self.bucket.get(names::OWNER).await.map_err(|fault| access("read", fault))? {
            None => Ok(Ownership::Unclaimed),
            Some(Content::Whole(text, _)) => {
                let owner = String::from_utf8_lossy(&text).trim().to_owned();
                Ok(if owner == catalog_id { Ownership::Ours } else { Ownership::Foreign(owner) })
            }
            Some(Content::TooLarge(bytes)) => {
                let name = self.bucket.name();
                let message = format!("{} in {name} has {bytes} bytes and is no identifier", names::OWNER);
                Err(access("read", Fault::environment(Code::STORE_REFUSED, format!("store:{name}"), message)))
            }
        }
    }

    pub(super) async fn claim(&self, catalog_id: &str) -> Result<(), StoreError> {
        let claimed = self.bucket.write(names::OWNER, Bytes::copy_from_slice(catalog_id.as_bytes())).await;
        claimed.map_err(|fault| access("write", fault))?;
        self.admission.admit_all();
        Ok(())
    }

    /// Of several catalogs that find a store that is nobody's, one gets it.
    pub(super) async fn claim_if_free(&self, catalog_id: &str) -> Result<(), StoreError> {
        let content = Bytes::copy_from_slice(catalog_id.as_bytes());
        self.bucket.create(names::OWNER, content).await.map_err(|fault| access("write", fault))?;
        // Read again: there are servers that do not heed the condition.
        match self.ownership(catalog_id).await? {
            Ownership::Foreign(owner) => Err(StoreError::foreign(owner)),
            Ownership::Ours | Ownership::Unclaimed => Ok(()),
        }
    }
}

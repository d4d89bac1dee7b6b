//! What each node runs from.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mangrove_domain::{
    checkout::{Checkout, NodeCheckout},
    digest::Digest,
    ports::{Checkouts, CheckoutsError, RunStoreError},
    source::{RelativePath, RootId, SourceId},
};
use serde::{Deserialize, Serialize};

use super::PostgresRuns;
use crate::postgres::text;

/// The stored form of a checkout.
#[derive(Serialize, Deserialize)]
struct StoredCheckout {
    commit: Option<String>,
    /// By root and path, digests in hexadecimal.
    files: BTreeMap<String, BTreeMap<String, String>>,
}

impl StoredCheckout {
    fn of(checkout: &Checkout) -> Self {
        let mut files: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (source, digest) in &checkout.files {
            let of_root = files.entry(source.root.as_str().to_owned()).or_default();
            of_root.insert(source.path.as_str().to_owned(), digest.to_string());
        }
        Self { commit: checkout.commit.clone(), files }
    }

    /// What is none of ours in it is left out: it counts as missing.
    fn checkout(self) -> Checkout {
        let mut files = BTreeMap::new();
        for (root, of_root) in self.files {
            let root = RootId::new(root);
            for (path, digest) in of_root {
                let (Ok(path), Ok(digest)) = (RelativePath::parse(&path), digest.parse::<Digest>()) else { continue };
                files.insert(SourceId { root: root.clone(), path }, digest);
            }
        }
        Checkout { commit: self.commit, files }
    }
}

fn error(RunStoreError { operation, fault }: RunStoreError) -> CheckoutsError {
    CheckoutsError { operation, fault }
}

#[async_trait]
impl Checkouts for PostgresRuns {
    async fn tell(&self, checkout: &Checkout) -> Result<(), CheckoutsError> {
        self.announce().await.map_err(error)?;
        let digest = checkout.digest();
        let record = serde_json::to_string(&StoredCheckout::of(checkout)).unwrap_or_default();
        let told = self.change(async |mut link| {
            let query = sqlx::query(
                "INSERT INTO checkouts (process, digest, record) VALUES ($1, $2, $3) \
                 ON CONFLICT (process) DO UPDATE SET digest = excluded.digest, record = excluded.record",
            );
            let query = query.bind(&self.0.process).bind(digest.as_bytes().as_slice()).bind(text::storable(&record));
            let told = query.execute(&mut *link).await.map(drop).map_err(self.failed("write"));
            (link, told)
        });
        told.await.map_err(error)
    }

    async fn differing(&self, own: &Checkout) -> Result<Vec<NodeCheckout>, CheckoutsError> {
        let digest = own.digest();
        let found: Vec<(String, String)> = self
            .read(async |mut link| {
                let query = sqlx::query_as(
                    "SELECT processes.host, checkouts.record FROM checkouts \
                     JOIN processes ON processes.id = checkouts.process \
                     WHERE checkouts.process <> $1 AND checkouts.digest <> $2 \
                     AND processes.seen_at > clock_timestamp() - make_interval(secs => $3) \
                     ORDER BY processes.host, processes.id",
                );
                let query = query.bind(&self.0.process).bind(digest.as_bytes().as_slice());
                let found = query.bind(self.0.lease.as_secs_f64()).fetch_all(&mut *link).await;
                (link, found.map_err(self.failed("read")))
            })
            .await
            .map_err(error)?;
        let node = |(host, record): (String, String)| {
            // One that cannot be read is of another version, which reads other files.
            let checkout = serde_json::from_str::<StoredCheckout>(&text::stored(&record)).ok()?.checkout();
            Some(NodeCheckout { host: text::stored(&host).into_owned(), checkout })
        };
        Ok(found.into_iter().filter_map(node).collect())
    }
}

//! What the nodes that share a catalog run from.

use async_trait::async_trait;

use crate::{
    checkout::{Checkout, NodeCheckout},
    failure::Fault,
};

/// Keeps the checkout of each node that lives, so that nodes whose sources differ are told apart.
///
/// Implementations MUST replace what this node told before; MUST forget a node that is gone; MUST NOT give this node's own.
/// Held to it by `crates/infra/tests/postgres/checkouts.rs`.
#[async_trait]
pub trait Checkouts: Send + Sync {
    /// Tells the others what this node runs from, from now on and as long as it lives.
    async fn tell(&self, checkout: &Checkout) -> Result<(), CheckoutsError>;

    /// The checkouts of other nodes whose [digest](Checkout::digest) is another one, by the names of their machines.
    async fn differing(&self, own: &Checkout) -> Result<Vec<NodeCheckout>, CheckoutsError>;
}

/// The checkouts of other nodes cannot be read, or this one's cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the checkouts of nodes: {fault}")]
pub struct CheckoutsError {
    /// What was being done.
    pub operation: &'static str,
    /// What came back.
    pub fault: Fault,
}

//! Nodes whose sources differ are told apart.

use mangrove_domain::{
    checkout::{Checkout, NodeCheckout},
    digest::Digest,
    ports::Checkouts as _,
    source::{RelativePath, RootId, SourceId},
};
use mangrove_testkit::postgres::PostgresServer;

use crate::{LEASE, runs};

fn checkout(commit: &str, files: &[(&str, &str)]) -> Checkout {
    let source =
        |path: &str| SourceId { root: RootId::mount("lib\0"), path: RelativePath::parse(path).expect("a path") };
    let files = files.iter().map(|(path, text)| (source(path), Digest::of(text.as_bytes()))).collect();
    Checkout { commit: Some(commit.to_owned()), files }
}

#[tokio::test]
async fn a_node_sees_who_has_other_files_as_long_as_they_live() {
    let server = PostgresServer::start();
    let url = server.fresh_url();
    let (one, two, three) = (runs(&url), runs(&url), runs(&url));
    let (own, other) = (checkout("a", &[("x.ts", "1"), ("y\0.ts", "1")]), checkout("b", &[("x.ts", "2")]));
    let seen = async |own: &Checkout| -> Vec<Checkout> {
        let nodes = one.differing(own).await.expect("seen");
        nodes.into_iter().map(|NodeCheckout { checkout, .. }| checkout).collect()
    };
    assert_eq!(seen(&own).await, []);
    one.tell(&own).await.expect("told");
    two.tell(&own).await.expect("told");
    three.tell(&other).await.expect("told");
    assert_eq!(seen(&own).await, std::slice::from_ref(&other));
    assert_eq!(seen(&other).await, std::slice::from_ref(&own), "its own is not among them");
    three.tell(&own).await.expect("told");
    assert_eq!(seen(&own).await, [], "it replaces what it told before");
    three.tell(&other).await.expect("told");
    assert_eq!(seen(&own).await.len(), 1);
    drop(three);
    tokio::time::sleep(LEASE + LEASE / 4).await;
    assert_eq!(seen(&own).await, [], "it is gone");
}

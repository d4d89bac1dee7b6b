//! A way to the server that breaks at the worst moment: in the middle of COMMIT nobody knows whether it was done.

use mangrove_domain::ports::Catalog as _;
use mangrove_testkit::{
    postgres::PostgresServer,
    relay::{Moment, Relay, Target},
    rows,
};

use crate::catalog;

/// Commits a new row over a connection that breaks within COMMIT; gives how many conflicts that was, and checks that the row is there
/// once.
async fn commit_cut(moment: Moment) -> usize {
    let server = PostgresServer::start();
    let database = server.create_database();
    catalog(&server.url(&database)).migrate(None).await.expect("tables");
    let relay = Relay::start(Target::Socket(server.socket_path())).expect("a port");
    let catalog = catalog(&format!("postgres://mangrove@{}/{database}", relay.address()));
    catalog.snapshot().await.expect("a snapshot");
    relay.cut_at(b"COMMIT\0", moment);
    let row = rows::indexed("models/a.ts", "@acme/a");
    let outcome = catalog.commit(rows::put_all([&row])).await.expect("a commit");
    assert_eq!(relay.cuts(), 1);
    let stored = catalog.snapshot().await.expect("a snapshot").rows;
    let found: Vec<_> = stored.iter().map(|row| (&row.source, row.revision)).collect();
    assert_eq!(found, [(&row.source, 1)]);
    outcome.conflicts.len()
}

#[tokio::test]
async fn a_commit_that_never_reached_the_server_is_made_again() {
    assert_eq!(commit_cut(Moment::Before).await, 0);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_was_made_once_and_is_told_as_a_conflict() {
    assert_eq!(commit_cut(Moment::Answered).await, 1, "whoever planned it reads what is there and plans again");
}

//! What is said of types that nothing resolves (fault 28): where they may be, and what is near.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::time::Duration;

use insta::assert_snapshot;
use mangrove_app::{
    catalogue::{self, Lookup},
    types::{NotReady, Types as _},
};
use mangrove_domain::{failure::Fault, problem::Code, source::Kind, type_name::TypeName};
use world::{World, model};

fn away() -> Fault {
    Fault::environment(Code::ROOT_UNREACHABLE, "root:mount:../tools", "it cannot be entered")
}

fn told(not_ready: &NotReady) -> String {
    format!("{}\n{}\nhint: {}", not_ready.headline(), not_ready.reasons().join("\n"), not_ready.advice())
}

async fn unknown(world: &World, text: &str, kind: Option<&str>) -> String {
    let kind = kind.map(Kind::new);
    match catalogue::find(&world.scanner, text, kind.as_ref()).await.expect("a catalog") {
        Lookup::Unknown(not_ready) => told(&not_ready),
        other => panic!("it is unknown: {other:?}"),
    }
}

/// A vault, in the words of the fakes.
fn vault(type_name: &str) -> String {
    format!("type {type_name}\nexport vault\n")
}

#[tokio::test]
async fn fault_28_a_type_may_be_where_nobody_can_look() {
    let world = World::new();
    world.tree.write("models/zone.ts", &model("@acme/zone", ""));
    world.scan().await;
    let types = world.types();
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/somewhere"));
    let nowhere = types.ready(&kind, &name).await.expect_err("it does not exist");
    assert_snapshot!(told(&nowhere), @r"
    unknown model type `@acme/somewhere`
    no source claims this type
    hint: a pull of `@acme/somewhere` pulls it, if a registry has it
    ");
    world.tree.mount_away("../tools", away());
    world.clock.advance(Duration::from_millis(250));
    let hidden = types.ready(&kind, &name).await.expect_err("its root was never reachable");
    let again = types.ready(&kind, &name).await.expect_err("a look at once would only cost");
    assert_eq!(again, hidden);
    assert_eq!(unknown(&world, "@acme/somewhere", Some("model")).await, told(&hidden), "without building, too");
    assert_snapshot!(told(&hidden), @r"
    unknown model type `@acme/somewhere`
    no source that can be read claims this type; it may be in one of these places, which cannot be read now:
      mount:../tools: it cannot be entered [MG0406]
    hint: mount it or check it out again, or remove it from .swamp-sources.yaml; then run a scan
    ");
    assert_eq!(
        hidden.reason(),
        "no source that can be read claims this type; it may be in one of these places, which cannot be read now: \
         mount:../tools: it cannot be entered [MG0406]"
    );
}

#[tokio::test]
async fn fault_28_a_source_that_was_never_scanned_is_named() {
    let world = World::new();
    world.scan().await;
    world.tree.write("models/new.ts", &model("@acme/new", ""));
    world.tree.mount_away("../tools", away());
    assert_snapshot!(unknown(&world, "@acme/new", None).await, @r"
    unknown type `@acme/new`
    models/new.ts claims it, but has not been scanned yet
    hint: run a scan
    ");
    assert!(world.catalog.rows().is_empty(), "it was only looked at");
}

#[tokio::test]
async fn a_name_of_no_kind_is_looked_for_in_all_of_them() {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", ""));
    world.tree.write("vaults/dnt.ts", &vault("@acme/dnt"));
    world.tree.write("vaults/broken.ts", &format!("{}broken", vault("@acme/broken")));
    world.scan().await;
    assert_snapshot!(unknown(&world, "@acme/dnx", None).await, @r"
    unknown type `@acme/dnx`
    no source claims this type
    did you mean `@acme/dns` (model) or `@acme/dnt` (vault)?
    hint: the catalog lists the known types
    ");
    assert_snapshot!(unknown(&world, "@acme/dnx", Some("vault")).await, @r"
    unknown vault type `@acme/dnx`
    no source claims this type
    did you mean `@acme/dnt`?
    hint: the catalog lists the known types
    ");
    assert_snapshot!(unknown(&world, "@acme/broken", None).await, @r"
    unknown vault type `@acme/broken`
    vaults/broken.ts claims it, but its last build failed (1 attempt): does not parse
    hint: see the explanation of `@acme/broken`
    ");
    assert_snapshot!(unknown(&world, "@acme/dns", Some("vault")).await, @r"
    unknown vault type `@acme/dns`
    no source claims this type
    a type of another kind has this name: model
    did you mean `@acme/dnt`?
    hint: the catalog lists the known types
    ");
    let found = catalogue::find(&world.scanner, "Acme::DNS", None).await.expect("a catalog");
    assert!(matches!(found, Lookup::Unknown(_)), "{found:?}");
    let found = catalogue::find(&world.scanner, "@ACME::dns", None).await.expect("a catalog");
    assert!(matches!(found, Lookup::Found(_)), "as models are written: {found:?}");
    let found = catalogue::find(&world.scanner, "dns", None).await.expect("a catalog");
    assert!(matches!(found, Lookup::NoName(_)), "{found:?}");
}

#[tokio::test]
async fn a_name_of_several_kinds_has_to_be_told_apart() {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "broken"));
    world.tree.write("vaults/dns.ts", &format!("{}broken", vault("@acme/dns")));
    world.scan().await;
    let found = catalogue::find(&world.scanner, "@acme/dns", None).await.expect("a catalog");
    assert!(matches!(&found, Lookup::Ambiguous(kinds) if kinds.len() == 2), "{found:?}");
}

#[tokio::test]
async fn fault_28_a_type_whose_source_was_deleted_is_told_with_its_history() {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", ""));
    world.tree.write("models/old.ts", &model("@other/something", ""));
    world.scan().await;
    world.tree.remove("models/dns.ts");
    world.tree.remove("models/old.ts");
    world.tree.write("models/new.ts", &model("@other/something", ""));
    world.scan().await;
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/dns"));
    let gone = world.types().ready(&kind, &name).await.expect_err("its source was deleted");
    assert_snapshot!(told(&gone), @r"
    unknown model type `@acme/dns`
    no source claims this type
    models/dns.ts claimed it before; its row was removed: the source was deleted
    hint: the catalog lists the known types
    ");
    assert_snapshot!(unknown(&world, "@acme/dns", None).await, @r"
    unknown type `@acme/dns`
    no source claims this type
    models/dns.ts claimed it before; its row was removed: the source was deleted
    hint: the catalog lists the known types
    ");
    world.tree.write("models/old.ts", &model("@other/something", "broken"));
    world.tree.remove("models/new.ts");
    world.scan().await;
    let broken = unknown(&world, "@other/something", None).await;
    assert!(!broken.contains("its row was removed"), "what claims it now says more: {broken}");
}

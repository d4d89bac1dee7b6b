//! Add-ons over the whole pipeline: whichever side comes first, changes, fails or goes.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use mangrove_app::{
    catalogue::{self, Lookup},
    doctor::{self, Examination},
    scan::Report,
    source_query::SourceQuery,
    types::Types as _,
};
use mangrove_domain::{
    ports::BundleStore as _,
    problem::{Code, Severity},
    source::{Kind, SourceId},
    type_name::TypeName,
};
use mangrove_testkit::rows;
use world::{World, model, network_down, render};

const BASE: &str = "models/dns.ts";
const MORE: &str = "models/more.ts";

/// An add-on to a model of this type that brings these methods.
fn add_on(type_name: &str, methods: &[&str]) -> String {
    let methods: Vec<String> = methods.iter().map(|method| format!("method {method}")).collect();
    format!("type {type_name}\nexport extension\n{}\n", methods.join("\n"))
}

fn kind() -> Kind {
    Kind::new("model")
}

fn name() -> TypeName {
    TypeName::stored("@acme/dns")
}

/// The methods of the type with their sources, `-` for its own; or nothing if it does not resolve.
async fn methods(world: &World) -> Option<Vec<String>> {
    let Lookup::Found(composed) =
        catalogue::find(&world.scanner, name().as_str(), Some(&kind())).await.expect("a catalog")
    else {
        return None;
    };
    let from = |method: &str| composed.attachment.methods.get(method).map(|added| added.add_on.to_string());
    let methods = &composed.attachment.description.methods;
    Some(methods.iter().map(|method| format!("{} {}", method.name, from(&method.name).unwrap_or("-".into()))).collect())
}

fn of(code: Code, report: &Report) -> Vec<String> {
    let problems = report.problems.iter().filter(|problem| problem.code == code);
    problems.map(|problem| format!("{} {}: {}", problem.severity.as_str(), problem.subject, problem.message)).collect()
}

#[tokio::test]
async fn an_add_on_attaches_whichever_side_comes_first() {
    for order in [[BASE, MORE], [MORE, BASE]] {
        let world = World::new();
        for path in order {
            let text = if path == BASE { model("@acme/dns", "") } else { add_on("@acme/dns", &["more"]) };
            world.tree.write(path, &text);
            world.scan().await;
        }
        assert_eq!(
            methods(&world).await,
            Some(vec!["run -".to_owned(), "more models/more.ts".to_owned()]),
            "{order:?}"
        );
    }
}

#[tokio::test]
async fn an_add_on_without_its_base_waits_and_is_healthy() {
    let world = World::new();
    world.tree.write(MORE, &add_on("@acme/dns", &["more"]));
    let report = world.scan().await;
    assert_eq!(render(&report), "models/more.ts Indexed @acme/dns");
    let waits = "info models/more.ts: waits for the model type @acme/dns, which no source defines yet";
    assert_eq!(of(Code::ADD_ON_WAITS, &report), [waits]);
    let diagnosis = doctor::diagnose(&world.scanner, Examination::default()).await;
    assert!(diagnosis.is_healthy(), "{:?}", diagnosis.problems);
    assert!(diagnosis.problems.iter().any(|problem| problem.severity == Severity::Information));
    let why = mangrove_app::why::explain(&world.scanner, &SourceQuery::new(MORE, [MORE.to_owned()])).await;
    let why = why.expect("an answer").explanations;
    assert_eq!(why[0].remarks.len(), 1);
    let refused = world.types().ready(&kind(), &name()).await.expect_err("an add-on is no type");
    assert!(refused.claimed_by.is_empty());

    world.tree.write(BASE, &model("@acme/dns", "broken"));
    let report = world.scan().await;
    let waits = "info models/more.ts: waits for the model type @acme/dns, which does not resolve: models/dns.ts is \
                 BundleBuildFailed";
    assert_eq!(of(Code::ADD_ON_WAITS, &report), [waits]);
    world.tree.write(BASE, &model("@acme/dns", ""));
    assert_eq!(of(Code::ADD_ON_WAITS, &world.scan().await), Vec::<String>::new());
    assert_eq!(methods(&world).await.map(|methods| methods.len()), Some(2));
}

#[tokio::test]
async fn fault_17_an_edited_add_on_replaces_what_it_brought_before() {
    let mut world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    world.tree.write(MORE, &add_on("@acme/dns", &["old", "kept"]));
    world.scan().await;
    world.tree.write(MORE, &add_on("@acme/dns", &["kept", "new"]));
    world.scan().await;
    let expected = ["run -", "kept models/more.ts", "new models/more.ts"].map(str::to_owned).to_vec();
    assert_eq!(methods(&world).await, Some(expected.clone()));
    world.restart();
    assert_eq!(methods(&world).await, Some(expected.clone()), "a new process knows the same");
    world.lose_catalog();
    world.scan().await;
    assert_eq!(methods(&world).await, Some(expected), "cold equals warm");
    world.tree.remove(MORE);
    world.scan().await;
    assert_eq!(methods(&world).await, Some(vec!["run -".to_owned()]));
}

#[tokio::test]
async fn fault_24_a_collision_costs_that_method_and_nothing_else() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    world.tree.write("models/b.ts", &add_on("@acme/dns", &["run", "more"]));
    world.tree.write("models/c.ts", &add_on("@acme/dns", &["more", "other"]));
    let report = world.scan().await;
    assert!(report.rows.iter().all(|row| row.failure().is_none()));
    let expected = ["run -", "more models/b.ts", "other models/c.ts"].map(str::to_owned).to_vec();
    assert_eq!(methods(&world).await, Some(expected));
    let collisions = [
        "warning models/b.ts: its method `run` is left out: models/dns.ts already has one with this name",
        "warning models/c.ts: its method `more` is left out: models/b.ts already has one with this name",
    ];
    assert_eq!(of(Code::METHOD_COLLISION, &report), collisions);
}

#[tokio::test]
async fn fault_24_a_method_that_the_base_gives_up_comes_from_the_add_on() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", "method run\nmethod more"));
    world.tree.write(MORE, &add_on("@acme/dns", &["more"]));
    world.scan().await;
    assert_eq!(methods(&world).await, Some(vec!["run -".to_owned(), "more -".to_owned()]));
    world.tree.write(BASE, &model("@acme/dns", "method run"));
    let report = world.scan().await;
    assert_eq!(methods(&world).await, Some(vec!["run -".to_owned(), "more models/more.ts".to_owned()]));
    assert_eq!(report.changed.len(), 1, "the add-on is not touched for it");
}

#[tokio::test]
async fn fault_24_a_broken_add_on_does_not_take_its_base_down() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    for (path, line) in [("models/a.ts", "broken"), ("models/b.ts", "throw"), ("models/c.ts", "reject")] {
        world.tree.write(path, &format!("{}{line}\n", add_on("@acme/dns", &["never"])));
    }
    world.tree.write(MORE, &add_on("@acme/dns", &["more"]));
    world.scan().await;
    assert_eq!(methods(&world).await, Some(vec!["run -".to_owned(), "more models/more.ts".to_owned()]));
    let ready = world.types().ready(&kind(), &name()).await.expect("the base is in order");
    assert_eq!(ready.left_out.len(), 3, "{:?}", ready.left_out);
}

#[tokio::test]
async fn fault_24_a_lost_bundle_of_an_add_on_is_built_again_when_it_is_asked_for() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    world.tree.write(MORE, &add_on("@acme/dns", &["more"]));
    let report = world.scan().await;
    let row = report.rows.iter().find(|row| row.source == source(MORE)).expect("its row");
    let object = row.bundle().expect("its bundle").entry;
    world.store.remove(object.key).await.expect("a store");
    let ready = world.types().ready(&kind(), &name()).await.expect("it is built again");
    assert_eq!(ready.add_ons.len(), 1);
    let code = ready.code("more");
    assert_eq!((code.row.source.to_string().as_str(), code.export_name), (MORE, "extension"));
    assert_eq!(code.path, ["methods", "0", "more"]);
    let code = ready.code("run");
    assert_eq!((code.row.source.to_string().as_str(), code.export_name), (BASE, "model"));
    assert_eq!(code.path, ["methods", "run"]);
}

#[tokio::test]
async fn an_add_on_attaches_to_whichever_row_resolves() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/dns", "method one\nimport npm:undici@7"));
    world.tree.write("models/b.ts", &model("@acme/dns", "method two"));
    world.tree.write(MORE, &add_on("@acme/dns", &["more"]));
    world.packages.fail(Some(network_down()));
    world.scan().await;
    assert_eq!(methods(&world).await, Some(vec!["two -".to_owned(), "more models/more.ts".to_owned()]), "a fallback");
    world.packages.fail(None);
    world.scan().await;
    assert_eq!(methods(&world).await, Some(vec!["one -".to_owned(), "more models/more.ts".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_26_no_request_ever_sees_a_half_attached_type() {
    for _ in 0..20 {
        let world = World::new();
        world.tree.write(BASE, &model("@acme/dns", ""));
        world.tree.write(MORE, &add_on("@acme/dns", &["more"]));
        for index in 0..30 {
            world.tree.write(&format!("models/other{index}.ts"), &model(&format!("@acme/other{index}"), ""));
        }
        let types = std::sync::Arc::new(world.types());
        let requests = (0..8).map(|_| {
            let types = std::sync::Arc::clone(&types);
            tokio::spawn(async move { types.ready(&kind(), &name()).await })
        });
        let requests: Vec<_> = requests.collect();
        world.scan().await;
        for request in requests {
            let ready = request.await.expect("no panic").expect("both sides are in order");
            assert_eq!(ready.description.methods.len(), 2);
            assert_eq!(ready.code("more").export_name, "extension");
        }
    }
}

#[tokio::test]
async fn fault_28_an_add_on_whose_target_is_computed_is_found_when_the_type_is_asked_for() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    world
        .tree
        .write(MORE, &add_on("@acme/dns", &["more"]).replace("type ", "//type ").replace("//type", "computed\ntype"));
    let ready = world.types().ready(&kind(), &name()).await.expect("it is built");
    assert_eq!(ready.add_ons.len(), 1);
}

#[tokio::test]
async fn fault_28_a_method_of_a_broken_add_on_is_missed_with_its_reason() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    world.tree.write(MORE, &format!("{}broken\n", add_on("@acme/dns", &["more"])));
    world.scan().await;
    let ready = world.types().ready(&kind(), &name()).await.expect("the base is in order");
    assert!(ready.left_out[0].contains("models/more.ts") && ready.left_out[0].contains("does not parse"));
}

#[tokio::test]
async fn kinds_have_their_own_names() {
    let world = World::new();
    world.tree.write(BASE, &model("@acme/dns", ""));
    world.tree.write("vaults/dns.ts", "type @acme/dns\nexport vault\n");
    let report = world.scan().await;
    let kinds: Vec<&str> = report.rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["model", "vault"]);
    assert!(report.rows.iter().all(|row| row.shadowed_by.is_none()));
    assert_eq!(methods(&world).await, Some(vec!["run -".to_owned()]), "a rejected vault blocks no model");
}

fn source(path: &str) -> SourceId {
    rows::indexed(path, "@acme/dns").source
}

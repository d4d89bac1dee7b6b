//! Expressions in documents: `tests/vectors/templates.txt`, stages, secrets, lookups.

use std::sync::Mutex;

use async_trait::async_trait;
use mangrove_app::{
    render::{Lookups, NoLookups, Renderer, Scope, Stage},
    secrets::{Environment, NoSecrets, Placeholders, Secrets, TextPart},
};
use mangrove_domain::{
    document::Node,
    json::{Json, Number},
    ports::{Documents as _, FunctionCall},
    position::Position,
};
use mangrove_infra::{documents::YamlDocuments, expressions::CelExpressions};

use crate::bench::json;

/// Vaults `v` and `my-vault`, in which the secret of a key is the key twice.
struct Vaults;

#[async_trait]
impl Secrets for Vaults {
    async fn get(&self, vault: &str, key: &str) -> Result<String, String> {
        match vault {
            "v" | "my-vault" => Ok(format!("{key}{key}")),
            _ => Err(format!("there is no vault `{vault}`")),
        }
    }
}

/// Data, and models, of which it remembers what was asked for.
#[derive(Default)]
struct Data(Mutex<Vec<String>>);

#[async_trait]
impl Lookups for Data {
    async fn answer(&self, call: &FunctionCall) -> Result<Json, String> {
        let arguments = Json::Array(call.arguments.clone());
        self.0.lock().expect("no panic").push(format!("{}{arguments}", call.name));
        match call.arguments.first().and_then(Json::as_str) {
            Some("missing") => Ok(Json::Null),
            Some("broken") => Err("the data cannot be read".to_owned()),
            _ => Ok(Json::object([("attributes", Json::object([("x", Json::from(5))]))])),
        }
    }

    async fn variable(&self, path: &[String]) -> Result<Option<Json>, String> {
        self.0.lock().expect("no panic").push(path.join("."));
        if path[0] != "model" {
            return Ok(None);
        }
        let value =
            path.iter().skip(1).rev().fold(Json::from("found"), |value, name| Json::object([(name.as_str(), value)]));
        Ok(Some(value))
    }
}

struct World {
    environment: Environment,
    scope: Scope,
    data: Data,
}

impl World {
    fn new() -> Self {
        let inputs = json(include_str!("../vectors/inputs.json"));
        let run = json("{id: 4711, startedAt: '2026-08-01T10:00:00.000Z'}");
        let variables = [("HOME", "/r"), ("API_TOKEN", "t0ken")];
        Self {
            environment: Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()),
            scope: Scope::new(inputs, &Json::Null, run).with_self(json("{item: {k: 1}}")),
            data: Data::default(),
        }
    }

    fn renderer(&self) -> Renderer<'_> {
        Renderer {
            expressions: &CelExpressions,
            environment: &self.environment,
            scope: &self.scope,
            file: "workflows/w.yaml",
            lookups: &self.data,
            secrets: &Vaults,
            placeholders: None,
        }
    }

    /// The value of a text as JSON, or the message of the error.
    async fn at(&self, stage: Stage, text: &str) -> String {
        shown(self.renderer().value(&node(text), stage).await)
    }

    /// What a text is after it was left for the last moment and handed over.
    async fn handed_over(&self, text: &str) -> String {
        let left = self.renderer().value(&node(text), Stage::INPUTS).await.expect("no error before the last moment");
        shown(self.renderer().hand_over(&left, &place()).await)
    }
}

fn shown(value: Result<Json, mangrove_domain::run::RunProblem>) -> String {
    value.map_or_else(|problem| problem.message, |value| value.to_string())
}

fn node(text: &str) -> Node {
    let document = Json::object([("value", Json::from(text))]).to_string();
    let root = YamlDocuments.parse("workflows/w.yaml", &document).expect("JSON is YAML").root;
    root.get("value").expect("it is there").clone()
}

fn place() -> Position {
    node("").position("workflows/w.yaml")
}

#[tokio::test]
async fn every_vector_of_templates() {
    let world = World::new();
    let mut wrong = Vec::new();
    for line in include_str!("../vectors/templates.txt").lines() {
        let Some((number, rest)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else { continue };
        let (text, expected) = rest.rsplit_once(" => ").expect(line);
        let document = YamlDocuments.parse("vectors", text.trim()).expect(line).root;
        let found = match world.renderer().value(&document, Stage::EVERYTHING).await {
            Ok(value) => value.to_string(),
            Err(problem) if expected != "error" => problem.message,
            Err(_) => "error".to_owned(),
        };
        if found != expected {
            wrong.push(format!("{number} {text} => {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// V7, and what is shown of it.
#[tokio::test]
async fn secrets_are_in_values_and_masked_in_what_is_told() {
    let world = World::new();
    assert_eq!(world.handed_over(r#"${{ "Bearer " + vault.get(v, s3) }}"#).await, r#""Bearer s3s3""#);
    assert_eq!(world.environment.mask("Bearer s3s3"), "Bearer ***");
    assert_eq!(world.handed_over("${{ \"Bearer \" + vault.get(v, s) }}").await, r#""Bearer ss""#);
    assert_eq!(world.environment.mask("Bearer ss"), "Bearer ss", "shorter than three characters");
    let both = world.handed_over("${{ vault.get(my-vault, 'Client ID') }}:${{ vault.get(v, key) }}").await;
    assert_eq!(both, r#""Client IDClient ID:keykey""#);
    let call = "`vault.get(nowhere, k)`: there is no vault `nowhere`";
    assert!(world.handed_over("${{ vault.get(nowhere, k) }}").await.ends_with(call));
    let call = "vault.get(nowhere, k): there is no vault `nowhere`";
    assert!(world.handed_over("${{ vault.get(v, key) + vault.get(nowhere, k) }}").await.ends_with(call));
    assert_eq!(world.handed_over("${{ {\"a\": [vault.get(v, abc)] } }}").await, r#"{"a":["abcabc"]}"#);
}

#[tokio::test]
async fn secrets_can_be_kept_behind_what_stands_for_them() {
    let world = World::new();
    let placeholders = Placeholders::default();
    let renderer = Renderer { placeholders: Some(&placeholders), ..world.renderer() };
    let left = renderer.value(&node("echo ${{ vault.get(v, abc) }} ${{ vault.get(v, d) }}"), Stage::INPUTS).await;
    let value = renderer.hand_over(&left.expect("it is left"), &place()).await.expect("secrets");
    let text = value.as_str().expect("a text");
    assert!(!text.contains("abc"), "{text}");
    let secrets = placeholders.parts(text).into_iter().filter(|part| matches!(part, TextPart::Secret(_))).count();
    assert_eq!((secrets, placeholders.reveal(text).as_str()), (2, "echo abcabc dd"));
}

#[tokio::test]
async fn what_reads_the_environment_or_a_vault_is_left_for_the_last_moment() {
    let world = World::new();
    for text in [
        "${{ env.HOME }}",
        "${{ env[\"HOME\"] }}",
        "a ${{ vault.get(v, k) }} b",
        "${{ inputs.s + env.HOME }}",
        "${{ env.HOME + self.item.k }}",
    ] {
        let raw = Json::from(text).to_string();
        for stage in [Stage::BODY, Stage::BODY_INPUTS, Stage::TASK, Stage::INPUTS, Stage::DEFINITION] {
            assert_eq!(world.at(stage, text).await, raw, "{text}");
        }
    }
    assert_eq!(world.handed_over("${{ inputs.s + env.HOME }}").await, r#""ab/r""#, "it may read everything");
    assert_eq!(world.at(Stage::NESTED_INPUTS, "${{ env.HOME }}").await, r#""${{ env.HOME }}""#);
    let mixed = world.at(Stage::NESTED_INPUTS, "${{ inputs.s + env.HOME }}").await;
    assert!(mixed.contains("another workflow, which has names of its own"), "{mixed}");
}

#[tokio::test]
async fn text_from_elsewhere_is_never_evaluated() {
    let world = World::new();
    let foreign = Json::from("${{ env.API_TOKEN }} ${{ vault.get(v, k) }} ${{ inputs.n }}");
    assert_eq!(shown(world.renderer().hand_over(&foreign, &place()).await), foreign.to_string());
    assert_eq!(world.at(Stage::INPUTS, "${{ env.API_TOKEN }}").await, r#""${{ env.API_TOKEN }}""#);
    let now = shown(world.renderer().hand_over(&foreign, &place()).await);
    assert_eq!(now, r#""t0ken ${{ vault.get(v, k) }} ${{ inputs.n }}""#, "what a file says itself is");
}

#[tokio::test]
async fn what_an_early_stage_left_a_later_one_evaluates() {
    let world = World::new();
    let text = "${{ inputs.s }} ${{ self.item.k }} ${{ data.latest(\"m\", \"n\").attributes.x }} ${{ env.HOME }}";
    let body = world.renderer().value(&node(text), Stage::BODY_INPUTS).await.expect("a value");
    let data = "${{ data.latest(\"m\", \"n\").attributes.x }}";
    assert_eq!(body, Json::from(format!("ab ${{{{ self.item.k }}}} {data} ${{{{ env.HOME }}}}")));
    let inputs = world.renderer().again(&body, &place(), Stage::INPUTS).await.expect("a value");
    assert_eq!(inputs, Json::from("ab 1 5 ${{ env.HOME }}"));
    assert_eq!(shown(world.renderer().hand_over(&inputs, &place()).await), r#""ab 1 5 /r""#);
}

#[tokio::test]
async fn each_stage_evaluates_what_it_can() {
    let world = World::new();
    let (itself, run, output) =
        ("${{ self.item.k }}", "${{ workflowRunId }}", "${{ data.latest(\"m\", \"n\").attributes.x }}");
    let (invalid, failing) = ("${{ not an expression }}", "${{ inputs.zz }}");
    let raw = |text: &str| Json::from(text).to_string();

    for text in [itself, run] {
        assert_eq!(world.at(Stage::BODY, text).await, raw(text));
        assert_eq!(world.at(Stage::BODY_INPUTS, text).await, raw(text));
    }
    assert_eq!(world.at(Stage::INPUTS, itself).await, "1");
    assert_eq!(world.at(Stage::TASK, run).await, "4711");

    assert_eq!(world.at(Stage::BODY, output).await, "5", "before any step");
    assert_eq!(world.at(Stage::BODY_INPUTS, output).await, raw(output));
    assert_eq!(world.at(Stage::TASK, output).await, raw(output));
    assert_eq!(world.at(Stage::INPUTS, output).await, "5");
    assert_eq!(
        world.at(Stage::BODY_INPUTS, "${{ model.a-b.resource.s.i }}").await,
        raw("${{ model.a-b.resource.s.i }}")
    );
    assert_eq!(world.at(Stage::BODY_INPUTS, "${{ model.a-b.input.name }}").await, raw("found"));

    for stage in [Stage::BODY, Stage::BODY_INPUTS, Stage::EVERYTHING] {
        assert!(world.at(stage, invalid).await.contains("not a CEL expression"));
        assert!(world.at(stage, failing).await.contains("there is no member `zz`"));
    }
    for stage in [Stage::TASK, Stage::DEFINITION] {
        assert_eq!(world.at(stage, invalid).await, raw(invalid));
        assert_eq!(world.at(stage, failing).await, raw(failing));
    }
    for stage in [Stage::INPUTS, Stage::HAND_OVER] {
        assert_eq!(world.at(stage, invalid).await, raw(invalid));
        let told = world.at(stage, failing).await;
        assert_eq!(told, "workflows/w.yaml:1:10: `inputs.zz`: there is no member `zz`; the input `zz` was not given");
    }
}

#[tokio::test]
async fn data_is_asked_for_once_and_models_are_put_together() {
    let world = World::new();
    let text = "${{ inputs.l.map(x, data.version(\"m\", \"n\", int(x)).attributes.x) }}";
    assert_eq!(world.at(Stage::INPUTS, text).await, "[5,5,5]");
    let twice = "${{ data.latest(\"a\", \"b\").attributes.x + data.latest(\"a\", \"b\").attributes.x }}";
    assert_eq!(world.at(Stage::INPUTS, twice).await, "10");
    let models = "${{ model.a-b.input.x + model.a-b.input.y + model.c.definition.name }}";
    assert_eq!(world.at(Stage::INPUTS, models).await, r#""foundfoundfound""#);
    let asked = world.data.0.lock().expect("no panic").join("\n");
    insta::assert_snapshot!(asked, @r#"
    data.version["m","n",1]
    data.version["m","n",2]
    data.version["m","n",3]
    data.latest["a","b"]
    model.a-b.input.x
    model.a-b.input.y
    model.c.definition.name
    "#);

    assert_eq!(world.at(Stage::INPUTS, "${{ data.latest(\"missing\", \"b\").?attributes.?x }}").await, "null");
    let missing = world.at(Stage::INPUTS, "${{ data.latest(\"missing\", \"b\").attributes }}").await;
    assert!(missing.contains("null has no members"), "{missing}");
    let broken = world.at(Stage::INPUTS, "${{ data.latest(\"broken\", \"b\") }}").await;
    assert!(broken.ends_with("`data.latest`: the data cannot be read"), "{broken}");
    let unknown = world.at(Stage::INPUTS, "${{ modell.x }}").await;
    assert!(unknown.contains("unknown name `modell`"), "{unknown}");
}

#[tokio::test]
async fn without_lookups_and_vaults_there_is_nothing_to_find() {
    let world = World::new();
    let renderer = Renderer { lookups: &NoLookups, secrets: &NoSecrets, ..world.renderer() };
    let error = renderer.evaluate("data.latest('m', 'n')").await.expect_err("there is no data");
    assert!(error.message.contains("cannot be used here"), "{error}");
    let error = renderer.evaluate("vault.get(v, k)").await.expect_err("there are no vaults");
    assert!(error.message.contains("there is no vault `v`"), "{error}");
    assert_eq!(renderer.evaluate("size(workers.connected())").await, Ok(Json::from(0)));
    assert_eq!(renderer.evaluate("inputs.n + 1").await, Ok(Json::Number(Number::Integer(4))));
}

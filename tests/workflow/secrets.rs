//! Where secrets must not stand: definitions, stored data, names and labels, what is shown.

use mangrove_app::workflow::StartError;
use mangrove_domain::{
    data::{DataKind, Owner, OwnerKind},
    json::Json,
    ports::{DataStore as _, NewData},
    run::RunStatus,
    time::Timestamp,
};

use crate::bench::{Action, Bench, json, step, told, workflow};

const SECRET: &str = "s3cret-value";
const ID: &str = "00000000-0000-4000-8000-000000000003";

/// A vault `v` whose key `KEY` is the secret, and a definition `keeper` of a type with sensitive values.
const KEEPER: &str = "
//- /vaults/v.yaml
id: 00000000-0000-4000-8000-0000000000aa
name: v
type: mock
config: {KEY: s3cret-value}
//- /models/keeper.yaml
id: 00000000-0000-4000-8000-000000000003
name: keeper
type: '@acme/keeper'
";

const TYPE: &str = "
'@acme/keeper':
  methods: {run: {type: object}}
  details:
    resources:
      login:
        schema: {type: object, properties: {password: {type: string, sensitive: true}, note: {type: string}}}
      note: {schema: {type: object}}
";

fn bench(files: &str) -> Bench {
    Bench::new(&format!("{KEEPER}{files}")).types(TYPE)
}

fn jobs(steps: &str) -> String {
    workflow(&format!("  - name: j\n    steps:\n{steps}"))
}

/// The item `login` of `keeper`, whose password is the secret of the vault.
async fn with_login(bench: Bench) -> Bench {
    let stored = NewData {
        model_id: ID.to_owned(),
        model_type: "@acme/keeper".to_owned(),
        spec_name: "login".to_owned(),
        name: "login".to_owned(),
        kind: DataKind::Resource,
        content: br#"{"password":"${{ vault.get('v', 'KEY') }}"}"#.to_vec(),
        content_type: "application/json".to_owned(),
        lifetime: "infinite".to_owned(),
        garbage_collection: Json::Null,
        is_streaming: false,
        tags: Vec::new(),
        owner: Owner {
            kind: OwnerKind::ModelMethod,
            reference: ID.to_owned(),
            workflow_id: None,
            workflow_run_id: None,
            workflow_name: None,
            job_name: None,
            step_name: None,
            source: None,
        },
        is_deleted: false,
        run_id: String::new(),
        written_at: Timestamp::from_millis(1),
    };
    bench.data.write(stored).await.expect("written");
    bench
}

const PASSWORD: &str = "${{ data.latest(\"keeper\", \"login\").attributes.password }}";

async fn content(bench: &Bench, name: &str) -> String {
    let (_, content) = bench.data.read(ID, name, None).await.expect("data").expect("an item");
    String::from_utf8(content.bytes).expect("text")
}

#[tokio::test]
async fn a_secret_that_an_expression_gave_is_not_written_into_a_definition() {
    for value in [PASSWORD.to_owned(), format!("in {PASSWORD}")] {
        let steps = format!(
            "      - name: s\n        task: {{type: model_method, modelType: '@acme/thing', modelName: new, methodName: size, inputs: {{size: 1, region: '{value}'}}}}\n"
        );
        let bench = with_login(bench(&jobs(&steps))).await;
        let record = bench.run("{}").await;
        assert!(told(&record).contains("the global argument `region` of `new` is a secret"), "{}", told(&record));
        assert_eq!(bench.definitions.automatic().await.expect("a list"), []);
        // Nor into one that is there.
        let before = "type: '@acme/thing'\nid: 00000000-0000-4000-8000-000000000009\nname: new\nversion: 1\n";
        bench.definitions.create_automatic("@acme/thing/new.yaml", before).await.expect("written");
        assert_eq!(bench.run("{}").await.status, RunStatus::Failed);
        assert_eq!(bench.definitions.automatic().await.expect("a list")[0].text, before);
        assert!(bench.calls().is_empty());
    }
    // Nor does it become the name of one.
    let steps = format!(
        "      - name: s\n        task: {{type: model_method, modelType: '@acme/thing', modelName: 'of-{PASSWORD}', methodName: run}}\n"
    );
    let bench = with_login(self::bench(&jobs(&steps))).await;
    let record = bench.run("{}").await;
    assert!(told(&record).contains("the name of an instance holds a secret"), "{}", told(&record));
    assert_eq!(bench.definitions.automatic().await.expect("a list"), []);
    // The reference itself may stand there, and what is no secret.
    let steps = "      - name: s\n        task: {type: model_method, modelType: '@acme/thing', modelName: new, methodName: size, inputs: {size: 1, region: '${{ vault.get(v, KEY) }}'}}\n";
    let bench = self::bench(&jobs(steps));
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let text = &bench.definitions.automatic().await.expect("a list")[0].text;
    assert!(text.contains("vault.get(v, KEY)") && !text.contains(SECRET), "{text}");
    assert_eq!(bench.calls()[0].context.get("globalArgs"), Some(&json("{region: s3cret-value}")));
}

#[tokio::test]
async fn what_a_method_saves_by_the_repository_is_protected_as_what_it_writes() {
    let step = "      - name: s\n        task: {type: model_method, modelIdOrName: keeper, methodName: run, inputs: {token: '${{ vault.get(v, KEY) }}'}}\n";
    let save = |about: &str, content: &str| -> Action {
        let arguments = format!("['@acme/keeper', {ID}, {about}, '{content}']");
        Action::Call("data.save", Box::leak(arguments.into_boxed_str()))
    };
    let bench = bench(&jobs(step)).method(
        "keeper.run",
        &[
            save(
                "{name: login, tags: {type: resource, specName: login, said: s3cret-value}}",
                r#"{"password": "pw-of-it", "note": "s3cret-value"}"#,
            ),
            save("{name: plain, tags: {type: resource, specName: note}}", r#"{ "a": 1 }"#),
            save("{name: text, tags: {type: resource}}", "no JSON, but s3cret-value"),
            // Of another type, which says what is sensitive in it.
            Action::Call(
                "data.save",
                "['@acme/thing', other, {name: other, tags: {specName: state}}, '{\"size\": 1}']",
            ),
        ],
    );
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let key = format!("acme-keeper-{ID}-run-login-login-password");
    let login = format!(r#"{{"password":"${{{{ vault.get('v', '{key}') }}}}","note":"***"}}"#);
    assert_eq!(content(&bench, "login").await, login);
    assert_eq!(content(&bench, "plain").await, r#"{ "a": 1 }"#, "to the byte");
    assert_eq!(content(&bench, "text").await, "no JSON, but ***");
    let (handle, _) = bench.data.read(ID, "login", None).await.expect("data").expect("an item");
    assert_eq!(handle.tag("said"), Some("***"));
}

#[tokio::test]
async fn items_whose_names_vary_have_secrets_of_their_own() {
    let steps = "      - name: write
        forEach: {item: e, in: '${{ [\"a\", \"b\"] }}'}
        task: {type: model_method, modelIdOrName: keeper, methodName: run, inputs: {env: '${{ self.e }}', password: 'pw-of-${{ self.e }}'}}
        dataOutputOverrides: [{specName: login, vary: [env]}]
      - name: read
        dependsOn: [write]
        task:
          type: model_method
          modelIdOrName: thing
          methodName: run
          inputs:
            a: '${{ data.latest(\"keeper\", \"login\", [\"a\"]).attributes.password == \"pw-of-a\" }}'
            b: '${{ data.latest(\"keeper\", \"login\", [\"b\"]).attributes.password == \"pw-of-b\" }}'
";
    let bench = bench(&jobs(steps)).method("keeper.run", &[Action::WriteArguments("login", "login")]);
    let record = bench.run("{}").await;
    assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
    let key = format!("acme-keeper-{ID}-run-login-login-a-password");
    assert!(content(&bench, "login-a").await.contains(&key));
    assert_eq!(bench.calls().last().expect("a call").arguments, json("{a: true, b: true}"));
}

#[tokio::test]
async fn names_and_labels_that_are_made_of_secrets_are_masked_wherever_they_stand() {
    let text = workflow(&format!(
        "  - name: 'on {PASSWORD}'
    steps:
      - name: 'to {PASSWORD}'
        task: {{type: model_method, modelIdOrName: thing, methodName: size, inputs: {{size: 1}}}}
      - name: after
        dependsOn: [{{step: 'to {PASSWORD}', condition: {{type: succeeded}}}}]
        task: {{type: model_method, modelIdOrName: '{PASSWORD}', methodName: run}}
  - name: last
    dependsOn: [{{job: 'on {PASSWORD}', condition: {{type: failed}}}}]
    steps:
      - name: ask
        task: {{type: manual_approval, prompt: 'with {PASSWORD}?'}}
"
    ))
    .replace("jobs:\n", &format!("tags: {{who: '{PASSWORD}'}}\njobs:\n"));
    let bench = with_login(bench(&text).method("thing.size", &[Action::Write("state", "one", "{size: 1}")])).await;
    let shown = format!("{:?}", bench.evaluate("{}").await);
    assert!(!shown.contains(SECRET), "{shown}");
    let record = bench.run("{}").await;
    let all = format!("{record:?} {}", bench.events().join("\n"));
    assert!(!all.contains(SECRET), "{all}");
    assert_eq!(record.tags, [("who".to_owned(), "***".to_owned())]);
    insta::assert_snapshot!(told(&record), @r"
    w suspended
      on *** failed
        to *** (thing.size) succeeded
        after (***.run) failed: MG0103 workflows/w.yaml:11:51: unknown definition `***`
      last suspended
        ask (manual approval) waiting_approval
    ");
    let (handle, _) =
        bench.data.read("00000000-0000-4000-8000-000000000001", "one", None).await.expect("data").expect("an item");
    assert_eq!(
        [handle.tag("who"), handle.tag("job"), handle.tag("step")],
        [Some("***"), Some("on ***"), Some("to ***")]
    );
    // Two names that can no longer be told apart are no two steps.
    let twice = "      - {name: 'a ${{ data.latest(\"keeper\", \"login\").attributes.password }}', task: {type: model_method, modelIdOrName: thing, methodName: run}}
      - {name: 'a ${{ data.latest(\"keeper\", \"login\").?attributes.password.orValue(0) }}', task: {type: model_method, modelIdOrName: thing, methodName: run}}
";
    let bench = with_login(self::bench(&jobs(twice))).await;
    let error = bench.try_run("{}").await.expect_err("two of one name").to_string();
    assert!(error.contains("two of them become `a ***`"), "{error}");
}

#[tokio::test]
async fn a_remark_about_a_schema_shows_no_sensitive_value() {
    let step = "      - name: s\n        task: {type: model_method, modelIdOrName: strict, methodName: run}\n";
    let definition =
        "//- /models/strict.yaml\nid: 00000000-0000-4000-8000-000000000004\nname: strict\ntype: '@acme/strict'\n";
    let types = "
'@acme/strict':
  methods: {run: {type: object}}
  details:
    resources:
      login: {schema: {type: object, properties: {password: {type: integer, sensitive: true}}}}
";
    let bench = bench(&format!("{definition}{}", jobs(step)))
        .types(types)
        .method("strict.run", &[Action::Write("login", "login", "{password: pw-of-it}")]);
    let record = bench.run("{}").await;
    let said = told(&record);
    assert!(said.contains("`login` breaks the schema of resource `login`") && said.contains("found \"***\""), "{said}");
    assert!(!format!("{record:?} {:?}", bench.events()).contains("pw-of-it"));
}

#[tokio::test]
async fn an_input_cannot_bring_an_expression_into_global_arguments() {
    for (given, is_refused) in
        [("${{ vault.get(v, KEY) }}", true), ("in ${{ env.HOME }}", true), ("eu", false), ("{{ env.HOME }}", false)]
    {
        let steps = "      - name: s\n        task: {type: model_method, modelType: '@acme/thing', modelName: new, methodName: run, globalArgs: {region: '${{ inputs.r }}', zone: '${{ env.ZONE }}'}}\n";
        let bench = bench(&jobs(steps)).variable("ZONE", "z1").variable("HOME", "/home");
        let run = bench.try_run(&Json::object([("r", Json::from(given))]).to_string()).await;
        if is_refused {
            let Err(StartError::Problems(problems)) = run else { panic!("{given} began") };
            assert!(problems[0].message.contains("contains `${{`, which is not evaluated"), "{problems:?}");
            assert!(bench.calls().is_empty());
        } else {
            let record = run.expect("a run");
            assert_eq!(record.status, RunStatus::Succeeded, "{}", told(&record));
            let global = Json::object([("region", Json::from(given)), ("zone", Json::from("z1"))]);
            assert_eq!(bench.calls()[0].context.get("globalArgs"), Some(&global));
        }
    }
}

#[tokio::test]
async fn what_waits_until_a_method_is_called_is_told_where_it_stands() {
    for text in ["env.NOWHERE", "vault.get(nowhere, K)"] {
        let steps = step("s", "run", "")
            .replace("methodName: run", &format!("methodName: run, inputs: {{a: '${{{{ {text} }}}}'}}"));
        let bench = Bench::new(&workflow(&jobs(&steps)));
        let error = bench.run("{}").await.jobs[0].steps[0].error.clone().expect("an error");
        assert!(error.message.starts_with("workflows/w.yaml:"), "{}", error.message);
    }
}

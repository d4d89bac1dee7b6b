//! Real packages from a real registry: they bundle, load, run, and export what Node finds in them. Where no registry
//! can be reached, there is nothing to look at, and the tests say so: a network that fails is no defect of ours.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

use crate::sandbox::{Output, Sandbox};

/// A package, an import of it, an expression that a method computes and what it gives, and whether only Deno has what
/// the package asks for when it works.
struct Case {
    key: &'static str,
    specifier: &'static str,
    imports: &'static str,
    expression: (&'static str, &'static str),
    needs_deno: bool,
}

const CASES: [Case; 9] = [
    Case {
        key: "zod",
        specifier: "npm:zod@4.3.6",
        needs_deno: false,
        imports: "import { z as schema } from 'npm:zod@4.3.6';",
        expression: ("schema.object({ a: schema.coerce.number() }).parse({ a: '1' })", r#"{"a":1}"#),
    },
    Case {
        key: "s3",
        specifier: "npm:@aws-sdk/client-s3@3",
        needs_deno: true,
        imports: "import { HeadBucketCommand, S3Client } from 'npm:@aws-sdk/client-s3@3';",
        // A whole call but for the network: middleware, signature, serialisation.
        expression: (
            "await (async () => {
                let asked;
                const handle = async (request) => {
                    asked = request;
                    return { response: { statusCode: 200, headers: {} } };
                };
                const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
                const client = new S3Client({ region: 'eu-central-1', credentials, requestHandler: { handle } });
                const answer = await client.send(new HeadBucketCommand({ Bucket: 'bucket' }));
                const signed = asked.headers.authorization.startsWith('AWS4-HMAC-SHA256 Credential=a/');
                return [answer.$metadata.httpStatusCode, asked.method, asked.hostname, signed];
            })()",
            r#"[200,"HEAD","bucket.s3.eu-central-1.amazonaws.com",true]"#,
        ),
    },
    Case {
        key: "kubernetes",
        specifier: "npm:@kubernetes/client-node@1",
        needs_deno: true,
        imports: "import { CoreV1Api, KubeConfig } from 'npm:@kubernetes/client-node@1';",
        expression: (
            "(() => {
                const config = new KubeConfig();
                config.loadFromClusterAndUser({ name: 'c', server: 'https://127.0.0.1:9' }, { name: 'u', token: 't' });
                const api = config.makeApiClient(CoreV1Api);
                return [config.getCurrentCluster().server, typeof api.listNamespacedPod];
            })()",
            r#"["https://127.0.0.1:9","function"]"#,
        ),
    },
    Case {
        key: "postgres",
        specifier: "npm:postgres@3",
        needs_deno: true,
        imports: "import postgres from 'npm:postgres@3';",
        expression: (
            "(({ options }) => [options.host, options.port, options.database])(postgres('postgres://u:p@db.example:5433/d'))",
            r#"[["db.example"],[5433],"d"]"#,
        ),
    },
    // CommonJS with `__esModule`, imported by name and as a whole.
    Case {
        key: "patch",
        specifier: "npm:fast-json-patch@3",
        needs_deno: false,
        imports: "import whole, { applyPatch } from 'npm:fast-json-patch@3';",
        expression: (
            "[applyPatch({ a: 1 }, [{ op: 'replace', path: '/a', value: 2 }]).newDocument, whole.applyPatch === applyPatch]",
            r#"[{"a":2},true]"#,
        ),
    },
    Case {
        key: "telemetry",
        specifier: "npm:@opentelemetry/api@1",
        needs_deno: false,
        imports: "import { trace } from 'npm:@opentelemetry/api@1';",
        expression: ("trace.getTracer('x').startSpan('y').isRecording()", "false"),
    },
    Case {
        key: "yaml",
        specifier: "npm:yaml@2",
        needs_deno: false,
        imports: "import { parse } from 'npm:yaml@2';",
        expression: ("parse('a: [1, { b: two }]')", r#"{"a":[1,{"b":"two"}]}"#),
    },
    // CommonJS only.
    Case {
        key: "deepmerge",
        specifier: "npm:deepmerge@4",
        needs_deno: false,
        imports: "import deepmerge, { all } from 'npm:deepmerge@4';",
        expression: ("[deepmerge({ a: 1 }, { b: 2 }), all === deepmerge.all]", r#"[{"a":1,"b":2},true]"#),
    },
    // ES modules only.
    Case {
        key: "kind",
        specifier: "npm:is-plain-obj@4",
        needs_deno: false,
        imports: "import isPlainObject from 'npm:is-plain-obj@4';",
        expression: ("[isPlainObject({}), isPlainObject(new Map())]", "[true,false]"),
    },
];

/// The registry that this machine's npm uses; `None` if there is none, or it does not answer.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn registry() -> Option<String> {
    let configured = || {
        let output = Command::new("npm").args(["config", "get", "registry"]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && text.starts_with("http")).then_some(text)
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = variable("MANGROVE_NPM_REGISTRY").or_else(|| variable("NPM_CONFIG_REGISTRY")).or_else(configured);
    let Some(address) = address else {
        eprintln!("SKIPPED: no registry is configured (`npm config get registry`)");
        return None;
    };
    // One small package tells whether the network is there. Whatever keeps it from us is not what is tested here.
    let probe = Sandbox::new("");
    probe.write("a.ts", "import kind from 'npm:is-plain-obj@4'; export const a = kind;");
    let output = run(&probe, &address, &["bundle", "a.ts", "-o", "a.js"]);
    let is_network = ["MG0301", "MG0302", "MG0303", "MG0304"].iter().any(|code| output.stderr.contains(code));
    if is_network {
        eprintln!("SKIPPED: the registry cannot be used: {}", output.stderr.replace(&address, "<registry>"));
        return None;
    }
    assert_eq!(output.code, 0, "{output}");
    Some(address)
}

pub(crate) fn command(sandbox: &Sandbox, registry: &str) -> Command {
    let mut command = sandbox.command();
    command.env("MANGROVE_NPM_REGISTRY", registry);
    // A registry that asks for a token finds it in the `.npmrc` of the user.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    command
}

fn run(sandbox: &Sandbox, registry: &str, arguments: &[&str]) -> Output {
    output_of(command(sandbox, registry).args(arguments))
}

pub(crate) fn output_of(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// A model whose method logs the value of the case's expression.
fn model(case: &Case) -> String {
    let (expression, _) = case.expression;
    format!(
        "import {{ z }} from 'npm:zod@4.3.6';
{}
import * as everything from '{}';
export const model = {{
  type: '@real/{}',
  version: '2026.05.23.1',
  methods: {{
    look: {{
      description: 'Uses the package',
      arguments: z.object({{}}),
      execute: async (_arguments, context) => {{
        if (Object.keys(everything).length === 0) throw new Error('no exports');
        context.logger.info('facts ' + JSON.stringify({expression}));
        return {{ dataHandles: [] }};
      }},
    }},
  }},
}};
",
        case.imports, case.specifier, case.key
    )
}

#[test]
fn real_packages_bundle_load_run_and_export_what_node_finds() {
    let Some(registry) = registry() else { return };
    let deno = crate::deno::real();
    let sandbox = Sandbox::new("");
    // They look for variables that they are configured by. A refusal names what it is (`tests/cli/running.rs`).
    let marker =
        "repoId: 00000000-0000-4000-8000-000000000001\npermissions: { \"*\": { env: true, sys: [osRelease] } }\n";
    sandbox.write("mangrove.yaml", marker);
    for (index, case) in CASES.iter().enumerate() {
        sandbox.write(&format!("extensions/models/{}.ts", case.key), &model(case));
        let definition = format!(
            "id: 7f9c24e5-2f64-4c1e-8f0b-9c8b7d6e5a{index:02}\nname: {key}\nversion: 1\nmethods: {{}}\n",
            key = case.key
        );
        sandbox.write(&format!("models/@real/{key}/{key}.yaml", key = case.key), &definition);
    }
    let scanned = run(&sandbox, &registry, &["scan", "--all", "--json"]);
    assert_eq!(scanned.code, 0, "{scanned}");
    let document = scanned.document();
    let sources = document["sources"].as_array().expect("sources");
    assert_eq!(sources.len(), CASES.len());
    if let Some(source) = sources.iter().find(|source| source["failure"]["class"] == "Transient") {
        eprintln!("SKIPPED: the registry was lost meanwhile: {}", source["failure"]["code"]);
        return;
    }
    for source in sources {
        assert_eq!(source["state"], "Indexed", "{source:#}");
    }
    for case in &CASES {
        if case.needs_deno && deno.is_none() {
            continue;
        }
        let (_, expected) = case.expression;
        let mut command = command(&sandbox, &registry);
        if let Some(deno) = &deno {
            command.env("MANGROVE_DENO", deno);
        }
        let output = output_of(command.args(["--offline", "model", "run", case.key, "look"]));
        assert_eq!(output.code, 0, "{}: {output}", case.key);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains(&format!("facts {expected}")), "{}: {output}", case.key);
    }
    compare_with_node(&sandbox, &registry);
}

/// Compares the names that packages export with those that Node finds in the same versions.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn compare_with_node(sandbox: &Sandbox, registry: &str) {
    if ["node", "npm"].iter().any(|program| Command::new(program).arg("--version").output().is_err()) {
        eprintln!("SKIPPED: there is no Node to compare with");
        return;
    }
    for case in &CASES {
        let text = format!(
            "import * as all from '{}'; export const names = Object.keys(all);\n\
             export const members = Object.getOwnPropertyNames(all.default ?? {{}});",
            case.specifier
        );
        sandbox.write(&format!("{}.ts", case.key), &text);
        let (input, output) = (format!("{}.ts", case.key), format!("{}.mjs", case.key));
        let bundled = run(sandbox, registry, &["--offline", "bundle", &input, "--self-contained", "-o", &output]);
        assert_eq!(bundled.code, 0, "{}: {bundled}", case.key);
    }
    let lock = sandbox.tree.read(".mangrove/npm.lock").expect("the lock");
    let lock: Value = serde_json::from_str(&lock).expect("JSON");
    let locked = |case: &Case| lock["specifiers"][case.specifier]["package"].as_str().expect("locked").to_owned();
    let packages: Vec<String> = CASES.iter().map(locked).collect();
    let directory = sandbox.tree.path("node");
    std::fs::create_dir(&directory).expect("a directory");
    let installed = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", "."])
        .args(["--registry", registry])
        .args(&packages)
        .current_dir(&directory)
        .output()
        .expect("npm starts");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    for (case, package) in CASES.iter().zip(&packages) {
        let (name, _) = package.rsplit_once('@').expect("a version");
        let ours = names(&sandbox.tree.root(), &format!("(await import('./{}.mjs')).names", case.key));
        let theirs = names(&directory, &format!("Object.keys(await import('{name}'))"));
        let missing: Vec<&String> = theirs.difference(&ours).collect();
        // Both read the names of a CommonJS package off its text. Deno, whose rules we have, reads a little more: the
        // exact comparison is that with Deno (`package_names.rs`).
        let members = names(&directory, &format!("Object.keys((await import('{name}')).default ?? {{}})"));
        let more: Vec<&String> = ours.difference(&theirs).filter(|name| !members.contains(*name)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{package} lacks {missing:?} and has {more:?}");
    }
    compare_with_deno(sandbox, registry);
}

/// Compares the names that bundles of both bundlers export.
fn compare_with_deno(sandbox: &Sandbox, registry: &str) {
    let Some(deno) = crate::deno::real() else { return };
    for case in &CASES {
        let (input, output) = (format!("{}.ts", case.key), format!("{}.deno.mjs", case.key));
        let mut command = command(sandbox, registry);
        command.envs(crate::deno::network()).env("MANGROVE_DENO", &deno).env("NPM_CONFIG_REGISTRY", registry);
        let bundled = command.args(["--bundler", "deno", "bundle", &input, "-o", &output]).output().expect("it starts");
        assert!(bundled.status.success(), "{}: {}", case.key, String::from_utf8_lossy(&bundled.stderr));
        let names_of = |file: &str| names(&sandbox.tree.root(), &format!("(await import('./{file}')).names"));
        let (mut ours, theirs) = (names_of(&format!("{}.mjs", case.key)), names_of(&output));
        if case.key == "s3" {
            // Deno's bundler takes the ES modules that the field `module` names; what Deno loads, and what we bundle, is the
            // CommonJS form, whose default is the whole.
            ours.remove("default");
        }
        // In a bundle that Deno makes, a CommonJS package that is taken as a whole shows all members of its default; a
        // package that Deno loads shows the names that are read off its text, and so does ours.
        let members = names(&sandbox.tree.root(), &format!("(await import('./{}.mjs')).members", case.key));
        let missing: Vec<&String> = theirs.difference(&ours).filter(|name| !members.contains(*name)).collect();
        let more: Vec<&String> = ours.difference(&theirs).filter(|name| !members.contains(*name)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{}: Deno's has {missing:?}, ours has {more:?}", case.key);
    }
}

/// The names that an expression gives in Node, without the one that newer versions add.
fn names(directory: &Path, expression: &str) -> BTreeSet<String> {
    let script = format!("process.stdout.write(JSON.stringify({expression}))");
    let output = Command::new("node")
        .args(["--input-type=module", "--eval", &script])
        .current_dir(directory)
        .output()
        .expect("node starts");
    assert!(output.status.success(), "{expression}: {}", String::from_utf8_lossy(&output.stderr));
    let mut names: BTreeSet<String> = serde_json::from_slice(&output.stdout).expect("names");
    names.remove("module.exports");
    names
}

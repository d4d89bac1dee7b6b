//! What a method finds in its context beyond data: other models, files of its extension, expressions, and being told to end.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    running::sandbox,
    sandbox::{Output, Sandbox},
};

/// Runs `it.go` and gives what it logged, a text each.
fn logged(sandbox: &Sandbox) -> Vec<String> {
    let output = sandbox.run(&["model", "run", "it", "go"]);
    assert_eq!(output.code, 0, "{output}");
    lines_of(&latest_run(sandbox))
}

fn latest_run(sandbox: &Sandbox) -> Value {
    let list = sandbox.json(&["run", "list"]);
    let id = list["runs"][0]["runId"].as_str().expect("a run").to_owned();
    sandbox.json(&["run", "show", &id])
}

fn lines_of(run: &Value) -> Vec<String> {
    let steps = run["jobs"].as_array().into_iter().flatten().filter_map(|job| job["steps"].as_array()).flatten();
    let lines = steps.filter_map(|step| step["logs"].as_array()).flatten();
    lines.filter_map(|line| line["text"].as_str().map(str::to_owned)).collect()
}

/// A second model, whose method writes what it is given.
fn with_other(body: &str) -> Sandbox {
    let sandbox = sandbox(body);
    sandbox.write(
        "extensions/models/other.ts",
        "const object = (...names) => ({
  _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }),
  toJSONSchema: () => ({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, {}])) }),
});
const loose = { _def: {}, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
export const model = {
  type: '@acme/other',
  version: '2026.05.23.1',
  globalArguments: object('region'),
  resources: { r: { schema: loose, lifetime: 'infinite', garbageCollection: 5 } },
  methods: {
    put: { description: 'Puts', arguments: object('size'), execute: async (args, context) => {
      context.logger.info('put in ' + context.globalArgs.region);
      await context.writeResource('r', 'one', { size: args.size });
    } },
    back: { description: 'Calls back', arguments: object(), execute: async (_args, context) => {
      const answer = await context.runModel({ definition: 'it', method: 'go' });
      context.logger.info(`back: ${answer.error?.message}`);
    } },
    fail: { description: 'Fails', arguments: object(), execute: async () => { throw new Error('no luck'); } },
  },
};
",
    );
    sandbox
}

#[test]
fn a_method_calls_methods_of_other_models() {
    let sandbox = with_other(
        "const at = { modelType: '@acme/other', name: 'made', arguments: {} };
         const put = await context.runModel({ ...at, method: 'put', arguments: { region: 'eu', size: 3 } });
         context.logger.info(`put: ${put.ok} ${put.resources.map((handle) => handle.name + '@' + handle.version)}`);
         const again = await context.runModel({ definition: 'made', method: 'put', arguments: { size: 4 } });
         context.logger.info(`again: ${again.ok} ${again.resources[0].version}`);
         for (const wrong of [
           { ...at, method: 'put', arguments: { colour: 'red' } },
           { ...at, method: 'fail' },
           { ...at, method: 'none' },
           { definition: 'nobody', method: 'put' },
           { method: 'put' },
         ]) {
           const { ok, error } = await context.runModel(wrong);
           context.logger.info(`${ok}: ${error.message}`);
         }
         await context.runModel({ ...at, method: 'back' });",
    );
    let lines = logged(&sandbox);
    let said = |words: &str| assert!(lines.iter().any(|line| line.contains(words)), "{words}: {lines:#?}");
    said("put in eu");
    said("put: true one@1");
    said("again: true 2");
    said("false: the inputs of `made.put`: `colour` is not known");
    said("false: `made.fail` failed: Error: no luck");
    said("none");
    said("nobody");
    said("false: ctx.runModel: give either `definition`, or `modelType` and `name`");
    said("back: `go` of `@acme/it` is under way already and led to this call");
    assert_eq!(sandbox.json(&["data", "get", "made", "one"])["content"], serde_json::json!({ "size": 4 }));
    let handles = latest_run(&sandbox)["jobs"][0]["steps"][0]["dataHandles"].as_array().map_or(0, Vec::len);
    assert_eq!(handles, 2, "what it led to is on record with the step");
}

#[test]
fn one_call_leads_to_a_hundred_others_at_most() {
    let sandbox = with_other(
        "const at = { modelType: '@acme/other', name: 'made', method: 'fail' };
         const seen = new Set();
         for (let count = 0; count < 103; count += 1) seen.add((await context.runModel(at)).error.message);
         context.logger.info([...seen].join(' | '));",
    );
    let lines = logged(&sandbox).join("\n");
    assert!(lines.contains("one call leads to more than 100 others") && lines.contains("no luck"), "{lines}");
}

#[test]
fn files_that_a_manifest_lists_are_found_and_no_others() {
    let body = "for (const name of ['notes/a.txt', './notes/a.txt', 'gone.txt', 'secret.txt', '../x', '/etc/passwd']) {
        try { context.logger.info(`${name} at ${context.extensionFile(name)}`); }
        catch (error) { context.logger.info(`${name}: ${error.message}`); }
    }";
    let sandbox = sandbox(body);
    let without = logged(&sandbox).join("\n");
    assert!(without.contains("notes/a.txt: ctx.extensionFile: the extension has no manifest"), "{without}");
    sandbox.write(
        "extensions/models/manifest.yaml",
        "manifestVersion: 1\nname: '@acme/it'\nversion: 2026.05.23.1\nadditionalFiles: [notes/a.txt, gone.txt, ../x]\n",
    );
    sandbox.write("extensions/models/notes/a.txt", "a note\n");
    sandbox.write("extensions/models/secret.txt", "not listed\n");
    sandbox.write("extensions/x", "outside\n");
    let lines = logged(&sandbox).join("\n");
    let place = sandbox.tree.root().join("extensions/models/notes/a.txt");
    for words in [
        &format!("notes/a.txt at {}", place.display()),
        &format!("./notes/a.txt at {}", place.display()),
        "gone.txt: ctx.extensionFile: the manifest lists `gone.txt`, and no such file is there",
        "secret.txt: ctx.extensionFile: the manifest does not list `secret.txt` under `additionalFiles`",
        "../x: ctx.extensionFile: \"../x\" leads outside the root",
        "/etc/passwd: ctx.extensionFile: \"/etc/passwd\" is absolute",
    ] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
}

#[test]
fn a_method_evaluates_expressions_of_its_own() {
    let sandbox = sandbox(
        "const cel = context.createCelEnvironment();
         context.logger.info(`value ${cel.evaluate('size(names) + 1', { names: ['a', 'b'] })}`);
         const parsed = cel.registerVariable('x', 'double').parse('x * 2.0');
         context.logger.info(`parsed ${parsed({ x: 4 })}`);
         for (const attempt of [() => cel.evaluate('1 +'), () => cel.evaluate('inputs.a'), () => cel.registerFunction('f(int): int', (n) => n)]) {
           try { attempt(); context.logger.info('no error'); } catch (error) { context.logger.info(`error ${error.message}`); }
         }",
    );
    let lines = logged(&sandbox);
    assert_eq!(lines[..2], ["value 3", "parsed 8"], "{lines:#?}");
    assert!(lines[2].starts_with("error `1 +`") && lines[3].starts_with("error `inputs.a`"), "{lines:#?}");
    assert!(lines[4].contains("createCelEnvironment().registerFunction is not supported"), "{lines:#?}");
}

/// Code that waits for long and logs when its signal says that it is to end.
const WAITS: &str = "context.logger.info('waiting');
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 60000);
      context.signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); });
    });
    context.logger.info(`told: ${context.signal.aborted} ${context.signal.reason.name}`);
    await context.writeResource('r', 'state', { isComplete: false });";

/// Starts `it.go`, and ends it with a signal once it waits.
fn interrupted(sandbox: &Sandbox, mut command: Command) -> Output {
    let command = command.args(["model", "run", "it", "go"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_mins(2);
    let waits = |list: &Value| list["runs"][0]["runId"].as_str().map(str::to_owned);
    while Instant::now() < deadline {
        let Some(id) = waits(&sandbox.json(&["run", "list"])) else { continue };
        if lines_of(&sandbox.json(&["run", "show", &id])).iter().any(|line| line == "waiting") {
            break;
        }
    }
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("`kill` starts");
    assert!(status.success());
    let output = child.wait_with_output().expect("it ends");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn was_told(sandbox: &Sandbox, output: &Output) {
    assert_eq!(output.code, 130, "{output}");
    let run = latest_run(sandbox);
    assert_eq!(run["status"], "cancelled", "{run:#}");
    assert!(lines_of(&run).iter().any(|line| line == "told: true AbortError"), "{run:#}");
    assert_eq!(sandbox.json(&["data", "get", "it", "state"])["content"]["isComplete"], false);
}

#[test]
fn a_method_that_is_to_end_is_told_and_may_put_things_in_order() {
    let sandbox = sandbox(WAITS);
    let output = interrupted(&sandbox, sandbox.command());
    was_told(&sandbox, &output);
}

#[test]
fn a_method_in_deno_that_is_to_end_is_told() {
    let Some(deno) = crate::deno::real() else { return };
    let sandbox = sandbox(&format!("Deno.version; {WAITS}"));
    let mut command = sandbox.command();
    command.env("MANGROVE_DENO", deno);
    let output = interrupted(&sandbox, command);
    was_told(&sandbox, &output);
}

#[test]
fn a_step_that_runs_out_of_time_tells_its_method() {
    let sandbox = sandbox(WAITS);
    let task = "task: { type: model_method, modelIdOrName: it, methodName: go }";
    sandbox.write(
        "workflows/w.yaml",
        &format!(
            "id: 11111111-1111-4111-8111-111111111111\nname: w\nversion: 1\njobs:\n  - name: j\n    steps:\n      - name: s\n        timeout: 1\n        {task}\n"
        ),
    );
    let output = sandbox.run(&["workflow", "run", "w"]);
    assert!(output.code == 1 && output.stdout.contains("time limit of the step"), "{output}");
    let run = latest_run(&sandbox);
    assert!(lines_of(&run).iter().any(|line| line.starts_with("told: true")), "{run:#}");
}

/// A repository whose method fills a file itself, by this code.
fn filling(fill: &str) -> Sandbox {
    let sandbox = sandbox(&format!(
        "const writer = context.createFileWriter('f', 'report');
         const path = await writer.getFilePath();
         {fill}
         const handle = await writer.finalize();
         context.logger.info(`size ${{handle.size}}`);"
    ));
    let files =
        "files: { f: { contentType: 'text/plain', lifetime: 'infinite', garbageCollection: 5 } },\n  resources:";
    sandbox.edit("extensions/models/it.ts", "resources:", files);
    sandbox
}

fn run_in_deno(sandbox: &Sandbox, deno: &Path) -> Output {
    let output = sandbox.command().env("MANGROVE_DENO", deno).args(["model", "run", "it", "go"]).output();
    let output = output.expect("it starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn code_in_deno_fills_a_file_itself_without_a_grant() {
    let Some(deno) = crate::deno::real() else { return };
    let sandbox = filling("await Deno.writeTextFile(path, 'from Deno\\n');");
    let output = run_in_deno(&sandbox, &deno);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(sandbox.json(&["data", "get", "it", "report"])["content"], "from Deno\n");
}

#[test]
fn a_link_in_the_place_of_such_a_file_is_refused() {
    let Some(deno) = crate::deno::real() else { return };
    let sandbox = filling("await new Deno.Command('ln', { args: ['-s', '/etc/hostname', path] }).output();");
    sandbox.write("mangrove.yaml", "permissions:\n  '@acme/it': { run: [ln] }\n");
    let output = run_in_deno(&sandbox, &deno);
    assert!(output.code == 1 && output.stdout.contains("link"), "{output}");
}

#[test]
fn code_runs_commands_through_other_models_only_with_the_grant_to_run_anything() {
    let sandbox = sandbox(
        "const made = await context.runModel({ modelType: 'command/shell', name: 'sh', method: 'execute', arguments: { run: 'echo reached' } });
         context.logger.info(`${made.ok} ${made.error?.message}`);",
    );
    let lines = logged(&sandbox).join("\n");
    let asks = "false ctx.runModel of a command asks for `run` as a whole, which is not granted";
    assert!(lines.contains(asks) && !lines.contains("reached"), "{lines}");
    sandbox.write("mangrove.yaml", "permissions:\n  '@acme/it': { run: true }\n");
    let lines = logged(&sandbox).join("\n");
    assert!(lines.contains("true undefined"), "{lines}");
}

#[test]
fn what_calls_of_calls_write_is_on_record() {
    let sandbox = with_other(
        "const answer = await context.runModel({ modelType: '@acme/other', name: 'made', method: 'deeper', arguments: {} });
         context.logger.info(`deeper: ${answer.ok} ${answer.error?.message}`);",
    );
    let deeper = "deeper: { description: 'Goes deeper', arguments: object(), execute: async (_args, context) => {
      await context.runModel({ definition: 'made', method: 'put', arguments: { size: 1 } });
    } },
    fail:";
    sandbox.edit("extensions/models/other.ts", "fail:", deeper);
    let lines = logged(&sandbox);
    assert!(lines.iter().any(|line| line == "deeper: true undefined"), "{lines:#?}");
    let handles = &latest_run(&sandbox)["jobs"][0]["steps"][0]["dataHandles"];
    assert_eq!(handles.as_array().map(Vec::len), Some(1), "{handles:#}");
}

#[test]
fn files_that_code_in_deno_fills_are_kept_apart() {
    let Some(deno) = crate::deno::real() else { return };
    let sandbox = filling(
        "await Deno.writeTextFile(path, 'one');
         const other = context.createFileWriter('f', 'second');
         const otherPath = await other.getFilePath();
         await Deno.writeTextFile(otherPath, 'two');
         await other.finalize();
         const third = context.createFileWriter('f', 'third');
         await Deno.writeTextFile(await third.getFilePath(), 'three', { createNew: true });
         await third.finalize();",
    );
    let output = run_in_deno(&sandbox, &deno);
    assert_eq!(output.code, 0, "{output}");
    for (name, content) in [("report", "one"), ("second", "two"), ("third", "three")] {
        assert_eq!(sandbox.json(&["data", "get", "it", name])["content"], content);
    }
}

//! Methods that fetch and need nothing else: they run in the embedded engine, with a Deno and without.

use std::path::Path;

use mangrove_testkit::web_server::WebServer;

use crate::{
    running::{all, grant, run, sandbox},
    sandbox::Sandbox,
};

const NO_DENO: &str = "/nowhere/deno";

/// A model whose method has this body, in which `base` is the server, which is granted.
fn fetching(server: &WebServer, body: &str) -> Sandbox {
    let it = sandbox(&format!("const base = '{}'; {body}", server.url()));
    grant(&it, &format!("{{ net: ['127.0.0.1:{}'] }}", server.port()));
    it
}

#[test]
fn a_method_that_fetches_needs_no_deno() {
    let server = WebServer::start().expect("a port is free");
    // The embedded engine makes stacks by a function of its prelude.
    let it = fetching(
        &server,
        "const found = await fetch(`${base}/hello`);
         if (!found.ok) throw new Error(`answered ${found.status}`);
         await context.writeResource('r', 'main', { text: await found.text(), engine: typeof Error.prepareStackTrace });
         context.logger.info(`stacks by ${typeof Error.prepareStackTrace}`);",
    );
    let output = run(&it, Path::new(NO_DENO));
    assert!(output.code == 0 && all(&output).contains("stacks by function"), "{output}");
    let described = it.run(&["describe", "@acme/it"]);
    assert!(described.stdout.contains("needs fetch"), "what needs a grant is told: {described}");

    let Some(deno) = crate::deno::real() else { return };
    let output = run(&it, &deno);
    assert!(output.code == 0 && all(&output).contains("stacks by function"), "a Deno changes nothing: {output}");
}

#[test]
fn a_host_that_is_not_granted_is_refused_with_the_entry_to_write() {
    let server = WebServer::start().expect("a port is free");
    let it = fetching(&server, "await fetch(base.replace('127.0.0.1', 'localhost'));");
    let said = all(&run(&it, Path::new(NO_DENO)));
    let port = server.port();
    let entry = format!(r#"{{ "@acme/it": {{ net: ["127.0.0.1:{port}", "localhost:{port}"] }} }}"#);
    assert!(said.contains("MG0226") && said.contains(&entry), "{said}");
    assert!(server.asked().is_empty(), "nothing was sent");

    let it = fetching(&server, "try { await fetch('http://localhost:8099/'); } catch {}");
    let output = run(&it, Path::new(NO_DENO));
    let said = all(&output);
    assert!(output.code == 0 && said.contains("refused, and the code went on: "), "{said}");
    assert!(said.contains(r#""localhost:8099"] } }`"#), "{said}");
}

#[test]
fn what_was_sent_is_not_sent_twice_when_the_code_turns_out_to_need_deno() {
    let server = WebServer::start().expect("a port is free");
    // What is computed is found by no look at the text.
    let body =
        "await fetch(`${base}/hello`, { method: 'POST', body: 'x' }); globalThis['De' + 'no'].mainModule.length;";
    let it = fetching(&server, body);
    let said = all(&run(&it, Path::new(NO_DENO)));
    assert!(said.contains("MG0225"), "{said}");
    assert_eq!(server.asked().len(), 1);

    let Some(deno) = crate::deno::real() else { return };
    let it = fetching(&server, body);
    let output = run(&it, &deno);
    assert!(output.code != 0 && all(&output).contains("sent something already"), "{output}");
    assert_eq!(server.asked().len(), 1, "it was not made again");
    let output = run(&it, &deno);
    assert_eq!(output.code, 0, "the next run begins in Deno: {output}");
    assert_eq!(server.asked().len(), 1);

    // Nothing was sent before: the call is made again at once.
    let it = fetching(&server, "globalThis['De' + 'no'].mainModule.length; await fetch(`${base}/hello`);");
    let output = run(&it, &deno);
    assert_eq!((output.code, server.asked().len()), (0, 1), "{output}");
}

#[test]
fn a_module_that_fetches_while_it_loads_says_what_it_needs() {
    let server = WebServer::start().expect("a port is free");
    let it = fetching(&server, "context.logger.info(`found ${globalThis.found}`);");
    let model = it.tree.read("extensions/models/it.ts").expect("it is there");
    let model = format!("globalThis.found = (await fetch('{}/hello')).status;\n{model}", server.url());
    it.write("extensions/models/it.ts", &model);
    let said = all(&run(&it, Path::new(NO_DENO)));
    assert!(said.contains("MG0225") && said.contains("needs fetch while it loads"), "{said}");

    let Some(deno) = crate::deno::real() else { return };
    let output = run(&it, &deno);
    assert!(output.code == 0 && all(&output).contains("found 201"), "{output}");
}

/// Text that names no requirement, uses one, and goes on without it.
const CAUGHT: &str = "context.logger.info('before'); let version = 'none';
    try { version = globalThis[['De', 'no'].join('')].version.deno; } catch {}
    context.logger.info(`version ${version}`);";

#[test]
fn a_call_that_went_on_without_something_stands_where_deno_does_not_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let it = sandbox(CAUGHT);
    let program = it.tree.path("broken-deno");
    let text = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'deno 2.9.6 (stable, release, x86_64-unknown-linux-gnu)' && exit 0\nexit 1\n";
    it.write("broken-deno", text);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let output = run(&it, &program);
    assert_eq!(output.code, 0, "{output}");
    let said = all(&output);
    assert!(said.contains("version none") && said.contains("it was not run again there"), "{said}");
    assert_eq!(said.matches("before").count(), 1, "{said}");
}

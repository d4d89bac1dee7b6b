//! A repository, and a daemon on it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use mangrove_testkit::{
    fixture::Tree,
    registry::{FakePackage, FakeRegistry},
};

const FILES: &str = "
//- /mangrove.yaml
repoId: 00000000-0000-4000-8000-000000000001
//- /tokens
wall read a-screen-on-the-wall
//- /extensions/models/greeter.ts
const schema = (json) => ({
  toJSONSchema: () => json,
  _def: {},
  parse: (value) => value,
  safeParse: (value) => ({ success: true, data: value }),
});
export const model = {
  type: '@acme/greeter',
  version: '2026.05.23.1',
  globalArguments: schema({
    type: 'object',
    properties: {
      mood: { enum: ['glad', 'grumpy'], description: 'How it is said' },
      times: { type: 'array', maxItems: 3, items: { type: 'object', properties: { hour: { type: 'integer' } } } },
    },
  }),
  resources: {
    greeting: { description: 'What was said', schema: schema(), lifetime: 'infinite', garbageCollection: 10 },
  },
  files: {
    card: { description: 'For the wall', contentType: 'text/markdown', lifetime: 'infinite', garbageCollection: 10 },
  },
  methods: {
    greet: {
      description: 'Greet somebody',
      arguments: schema({ type: 'object', properties: { name: { type: 'string', minLength: 2 } } }),
      execute: async (args, context) => {
        context.logger.info(`hello ${args.name}`);
        const handle = await context.writeResource('greeting', 'main', { name: args.name, greeting: 'hello' });
        const card = await context.createFileWriter('card', 'card').writeText(`# A card for ${args.name}\n\n- *hello*\n`);
        return { dataHandles: [handle, card] };
      },
    },
    wait: {
      description: 'Wait until it is stopped',
      arguments: schema(),
      execute: async (args, context) => {
        for (let second = 0; second < 600; second += 1) {
          context.logger.info(`second ${second}`);
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        return { dataHandles: [] };
      },
    },
  },
};
//- /extensions/models/mail.ts
import { send } from 'npm:postman@1';
export const model = {
  type: '@acme/mail',
  version: '2026.05.23.1',
  methods: {
    send: {
      description: 'Send',
      arguments: { _def: {}, parse: (v) => v, safeParse: (v) => ({ success: true, data: v }) },
      execute: async () => { send(); return { dataHandles: [] }; },
    },
  },
};
//- /extensions/models/rejected.ts
export const model = { type: '@acme/rejected', version: 'one', methods: {} };
//- /models/greeter.yaml
id: 00000000-0000-4000-8000-000000000002
name: greeter
type: '@acme/greeter'
//- /workflows/greet.yaml
id: 00000000-0000-4000-8000-000000000003
name: greet
description: Greets somebody.
inputs:
  type: object
  required: [name]
  properties:
    name: { type: string, minLength: 2, description: Who is greeted }
    times: { type: integer, minimum: 1, default: 1 }
jobs:
  - name: only
    steps:
      - name: say-hello
        task: { type: model_method, modelIdOrName: greeter, methodName: greet, inputs: { name: '${{ inputs.name }}' } }
//- /workflows/wait.yaml
id: 00000000-0000-4000-8000-000000000004
name: wait
trigger:
  schedule: '0 3 1 1 *'
  timezone: Europe/Berlin
jobs:
  - name: only
    steps:
      - name: wait
        task: { type: model_method, modelIdOrName: greeter, methodName: wait }
";

/// A repository with a type that works, one whose package cannot be had, and one that is rejected; and a daemon that keeps it.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) registry: FakeRegistry,
    pub(crate) files: Tree,
    /// Its address, such as `http://127.0.0.1:8787`.
    pub(crate) site: String,
}

impl Daemon {
    /// Starts it on a free port. The registry is down.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, which asks for tokens: `wall` may read.
    pub(crate) fn guarded() -> Self {
        Self::start_with(&["--token-file", "tokens"])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let registry = FakeRegistry::start().expect("a free port");
        registry.publish(FakePackage::new("postman", "1.0.0").file("index.js", "exports.send = () => {};"));
        registry.go_down();
        let files = Tree::new(FILES).expect("a directory");
        let (child, address) = serve(&files, &registry, "127.0.0.1:0", arguments);
        Self { child, registry, files, site: format!("http://{address}") }
    }

    /// Ends it at once, and starts another one at the same address.
    pub(crate) fn start_again(&mut self) {
        self.end();
        let address = self.site.trim_start_matches("http://");
        (self.child, _) = serve(&self.files, &self.registry, address, &[]);
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that is ready, and where it listens.
fn serve(files: &Tree, registry: &FakeRegistry, listen: &str, arguments: &[&str]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove"));
    command.env_clear().current_dir(files.root()).stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.env("MANGROVE_NPM_REGISTRY", registry.url());
    command.args(["serve", "--listen", listen, "--log-format", "json", "--grace", "1s"]).args(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let (mut address, mut is_ready) = (None, false);
    for line in lines.by_ref() {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        match event["message"].as_str() {
            Some("listening") => address = event["address"].as_str().map(str::to_owned),
            Some("ready") => is_ready = true,
            _ => {}
        }
        if is_ready && address.is_some() {
            break;
        }
    }
    // Somebody has to read the rest.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address.expect("the daemon says where it listens"))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

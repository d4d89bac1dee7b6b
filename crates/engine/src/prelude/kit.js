// The kit: what the host calls inside the engine. Evaluated once, before any code of an extension; only the host
// holds its exports. Whatever runs after that moment uses intrinsics captured here, so that nothing an extension
// does to the built-ins changes what the host learns (design/inspection.md).

import "mangrove:errors";
import { ADDITIONS, FUNCTIONS, LAST_MATCH, MEASURING, METHODS, OBJECTS, PLAIN, PROCESS_FUNCTIONS, PROCESS_VALUES } from "mangrove:absent";
import { ledTo, makeCalls } from "mangrove:calls";
import { makeContext } from "mangrove:context";
import { makeDrivers } from "mangrove:driver";
import "mangrove:instants";
import "mangrove:sorting";
import { denialOf, denied, forgetRefusals, missing, requirementOf, takeLacked } from "mangrove:refusals";
import { tellSources } from "mangrove:sources";
import { nextTimer, runTimer, timerFunctions } from "mangrove:timers";
import { expected, forgetUncaught, hasTicks, nextTick, ofTheEnd, queueMicrotask, rejected, runTicks, takeUncaught } from "mangrove:uncaught";
import { define, getRandomValues, randomUuid } from "mangrove:web";
import { endWeb, webArrived } from "mangrove:fetch";

const host = globalThis.__mangroveHost;
delete globalThis.__mangroveHost;
const inspecting = host.inspecting;

const { apply, construct, getPrototypeOf, ownKeys, getOwnPropertyDescriptor } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const mapGet = uncurry(WeakMap.prototype.get);
const mapSet = uncurry(WeakMap.prototype.set);
const startsWith = uncurry(String.prototype.startsWith);
const slice = uncurry(String.prototype.slice);
const toWellFormed = uncurry(String.prototype.toWellFormed);
const { create } = Object;
const ProxyIntrinsic = Proxy;
const rangeErrorPrototype = RangeError.prototype;
const internalErrorPrototype = InternalError.prototype;

// Not standard. Without it only the engine itself makes such errors: it is out of memory.
delete globalThis.InternalError;

// ---------------------------------------------------------------------------------------------------------------
// Stand-ins: what an engine without input and output does not have.

const labels = new WeakMap();

// What can be said of these without having them: there is no buffer here that one could be, and nobody gave arguments.
const isBuffer = () => false;
const answered = {
  __proto__: null,
  "Buffer.isBuffer": isBuffer,
  "Deno.args": [],
  "node:buffer.Buffer.isBuffer": isBuffer,
  "node:util.inspect.custom": Symbol.for("nodejs.util.inspect.custom"),
  "node:util.promisify.custom": Symbol.for("nodejs.util.promisify.custom"),
};

// Runner: every use throws an error that names what is missing. To read a function is no use of it; packages keep many for later.
const strictHandler = (path, kind, label) => {
  const members = create(null);
  const owner = startsWith(path, "node:") ? slice(path, 5) : path;
  const refuse = (key) => {
    throw missing(label === "Deno" && typeof key === "string" ? `Deno.${key}` : label);
  };
  return {
    // What `instanceof`, `await` and module interop look at says nothing about work being done.
    get: (target, key) => {
      if (key === "prototype") return target.prototype;
      if (typeof key === "symbol" || key === "then" || key === "__esModule") return undefined;
      if (label === "Deno" && key === "env") return denoEnvironment;
      const below = `${path}.${key}`;
      if (answered[below] !== undefined) return answered[below];
      if (host.hasFunction(owner, key)) return (members[key] ??= standIn(below, kind, label));
      return refuse(key);
    },
    apply: () => refuse(),
    construct: () => refuse(),
    set: (_target, key) => refuse(key),
    has: (_target, key) => refuse(key),
    deleteProperty: (_target, key) => refuse(key),
    defineProperty: (_target, key) => refuse(key),
    ownKeys: () => refuse(),
  };
};

// What Deno answers when nothing is granted and nothing set. Plain data: it leads nobody astray.
const harmless = {
  "Deno.args": [],
  "Deno.build": { os: "linux", arch: "x86_64", target: "x86_64-unknown-linux-gnu", vendor: "unknown" },
  "Deno.env.get": () => undefined,
  "Deno.env.has": () => false,
  "Deno.env.toObject": () => ({}),
  "Deno.cwd": () => "/",
  "Deno.noColor": true,
};
const hasHarmless = (path) => getOwnPropertyDescriptor(harmless, path) !== undefined;

// Inspector: every use is noted under `label` and gives another stand-in.
const inertHandler = (path, kind, label) => {
  const members = create(null);
  const labelOf = (key) => (path === "Deno" ? `Deno.${key}` : label);
  const use = (name) => (kind === "package" ? host.usedPackage() : host.touched(name));
  return {
    get: (target, key) => {
      if (key === "prototype") return target.prototype;
      if (key === "then" || key === "__esModule") return undefined;
      if (key === Symbol.toPrimitive) {
        host.leaked(kind === "package");
        return () => "";
      }
      if (key === Symbol.iterator) {
        host.leaked(kind === "package");
        return () => ({ next: () => ({ done: true, value: undefined }) });
      }
      if (typeof key === "symbol") return undefined;
      use(labelOf(key));
      const below = `${path}.${key}`;
      if (hasHarmless(below)) return harmless[below];
      return (members[key] ??= standIn(below, kind, labelOf(key)));
    },
    apply: () => {
      use(label);
      host.opaque(kind === "package");
      return standIn(`${path}()`, kind, label);
    },
    construct: (target, _parts, newTarget) => {
      use(label);
      host.opaque(kind === "package");
      return newTarget === mapGet(selves, target) ? standIn(`${path}()`, kind, label) : construct(Object, [], newTarget);
    },
    set: () => true,
    has: () => true,
    deleteProperty: () => true,
    defineProperty: () => true,
    ownKeys: (target) => {
      host.leaked(kind === "package");
      return ownKeys(target);
    },
  };
};

const selves = new WeakMap();
const standIn = (path, kind, label = path, target = function () {}) => {
  const proxy = new ProxyIntrinsic(target, inspecting ? inertHandler(path, kind, label) : strictHandler(path, kind, label));
  mapSet(selves, target, proxy);
  mapSet(labels, proxy, path);
  return proxy;
};

const modules = create(null);
/** The stand-in for a whole module; the same one for every importer. */
export const standInModule = (specifier, kind) =>
  (modules[specifier] ??= {
    whole: specifier === "node:process" && !inspecting ? globalThis.process : standIn(specifier, kind),
    specifier,
    kind,
    members: create(null),
  });
/** A named export of such a module. Importing a name is no use of it. */
export const standInMember = ({ whole, specifier, kind, members }, name) =>
  (members[name] ??=
    whole === globalThis.process && name in whole && getOwnPropertyDescriptor(whole, name)?.get === undefined ? whole[name] : standIn(`${specifier}.${name}`, kind, specifier));

for (const name of FUNCTIONS) if (!(name in globalThis)) define(name, standIn(name, "engine"));
for (const name of OBJECTS) if (!(name in globalThis)) define(name, standIn(name, "engine", name, {}));
for (const name of ownKeys(PLAIN)) if (!(name in globalThis)) define(name, PLAIN[name]);
// An inspection reaches nobody; a run has the real one.
if (inspecting) define("fetch", standIn("fetch", "engine"));
for (const name of ["createObjectURL", "revokeObjectURL"]) {
  Reflect.defineProperty(URL, name, { value: standIn(`URL.${name}`, "engine"), writable: true, configurable: true });
}
const asKind = (object, kind) => {
  Reflect.defineProperty(object, Symbol.toStringTag, { value: kind, configurable: true });
  return object;
};
define("crypto", asKind({ getRandomValues, randomUUID: randomUuid, subtle: standIn("crypto.subtle", "engine", "crypto.subtle", {}) }, "Crypto"));

const performance = { now: () => host.now() - host.start, timeOrigin: host.start };
for (const name of MEASURING) performance[name] = standIn(`performance.${name}`, "engine");
define("performance", asKind(performance, "Performance"));
for (const [owner, name] of METHODS) {
  if (!(name in owner)) Reflect.defineProperty(owner, name, { value: standIn(name, "engine"), writable: true, configurable: true });
}
for (const [owner, name] of ADDITIONS) delete owner[name];

tellSources(host.root, (name) => {
  if (host.isBuiltIn(name)) return `node:${name}`;
  throw new TypeError(`Import "${name}" not a dependency`);
});

// What is asked for and is not known, where it is no function: a run says so, an inspection goes on without.
const lackingGetter = (path) => () => {
  if (!inspecting) throw missing(path);
  host.approximated(path);
  return undefined;
};
for (const name of LAST_MATCH) {
  Reflect.defineProperty(RegExp, name, { get: lackingGetter(`RegExp.${name}`), set: () => {}, configurable: true });
}
const { defaultLocale } = host;
const navigator = { userAgent: "Mangrove", hardwareConcurrency: host.processors };
const languages = { language: `${defaultLocale}-u-va-posix`, languages: [`${defaultLocale}-u-va-posix`] };
for (const name of ownKeys(languages)) {
  const get = defaultLocale === undefined ? lackingGetter(`navigator.${name}`) : () => languages[name];
  Reflect.defineProperty(navigator, name, { get, enumerable: true, configurable: true });
}
for (const name of ["gpu", "locks", "platform", "userAgentData"]) {
  Reflect.defineProperty(navigator, name, { get: lackingGetter(`navigator.${name}`), enumerable: true, configurable: true });
}
define("navigator", asKind(navigator, "Navigator"));

// A runner gives the variables that are granted, which are all that a list holds, and refuses the others; an inspector has none, and notes who asks.
// Packages ask for some to choose a variant; anybody else wants a value.
const refused = (name) => denied("env", name, `the environment variable ${name} is not granted`);

const variable = (name) => {
  if (host.mayReadVariable(name)) return host.variable(name);
  if (host.isChoosingVariable(name)) return undefined;
  throw refused(name);
};
const variables = () => {
  const all = create(null);
  for (const name of host.variableNames()) all[name] = host.variable(name);
  return all;
};
const environment = (key) => {
  if (typeof key === "symbol" || key === "toJSON") return undefined;
  if (inspecting) {
    if (!host.isChoosingVariable(key)) host.touched("process.env");
    return undefined;
  }
  return variable(key);
};
const denoEnvironment = {
  get: (name) => variable(`${name}`),
  has: (name) => variable(`${name}`) !== undefined,
  toObject: () => ({ ...variables() }),
};
define("process", {
  env: new ProxyIntrinsic(create(null), {
    get: (_target, key) => environment(key),
    has: (_target, key) => environment(key) !== undefined,
    ownKeys: () => (inspecting ? [] : ownKeys(variables())),
    getOwnPropertyDescriptor: (_target, key) => {
      const value = environment(key);
      return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
    },
  }),
  argv: [],
  platform: "linux",
  arch: host.arch,
  exitCode: undefined,
  // Asked for by who looks where it runs. If it fails for what it did not find, another engine has that.
  versions: new ProxyIntrinsic(create(null), {
    get: (_target, key) => {
      if (typeof key !== "symbol") {
        host.touched("process.versions");
        host.opaque(false);
      }
      return undefined;
    },
  }),
  nextTick,
});
const { process } = globalThis;
asKind(process, "process");
for (const name of PROCESS_FUNCTIONS) process[name] = standIn(`process.${name}`, "engine");
for (const [index, name] of ["stdout", "stderr"].entries()) {
  process[name] = { isTTY: false, fd: index + 1, write: standIn(`process.${name}.write`, "engine") };
}
// Packages choose a variant by these, so they may ask; but who fails while it loads may have failed for want of them.
const versionOfProcess = () => {
  if (!inspecting) {
    host.touched("process.version");
    host.opaque(false);
  }
  return "";
};
Reflect.defineProperty(process, "version", { get: versionOfProcess, set: () => {}, configurable: true });
for (const name of PROCESS_VALUES) {
  Reflect.defineProperty(process, name, { get: lackingGetter(`process.${name}`), set: () => {}, configurable: true });
}

// ---------------------------------------------------------------------------------------------------------------
// Time and chance. Those of the inspector are the same every time.

for (const name of ownKeys(timerFunctions)) define(name, timerFunctions[name]);
define("queueMicrotask", queueMicrotask);
export { expected, hasTicks, nextTimer, rejected, runTicks, runTimer, takeUncaught };
if (inspecting) {
  const bytes = () => host.randomBytes(4);
  Math.random = () => {
    const view = bytes();
    return (view[0] + view[1] * 256 + view[2] * 65536 + view[3] * 16777216) / 4294967296;
  };
}

// ---------------------------------------------------------------------------------------------------------------
// What the host asks about values.

export const { isArray } = Array;
/** True for a stand-in. */
export const isStandIn = (value) => mapGet(labels, value) !== undefined;
export { denialOf, requirementOf, takeLacked };
/** A text without lone surrogates. */
export const wellFormed = (text) => toWellFormed(text);

const overflow = () => {
  const deeper = () => deeper() + 1;
  try {
    return deeper();
  } catch (error) {
    return getOwnPropertyDescriptor(error, "message")?.value;
  }
};
/** `memory` or `stack` if the engine threw this because of a limit. A stack error is compared with a fresh one. */
export const limitBehind = (thrown) => {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const prototype = getPrototypeOf(thrown);
  if (prototype === internalErrorPrototype) return "memory";
  if (prototype !== rangeErrorPrototype) return undefined;
  return getOwnPropertyDescriptor(thrown, "message")?.value === overflow() ? "stack" : undefined;
};

// ---------------------------------------------------------------------------------------------------------------
// Calls.

export { ledTo };
const calls = makeCalls(host.request, host.requestNow, makeContext, makeDrivers, ofTheEnd);
export const { settle, abort, forget } = calls;
export const start = (callee, self, args, context, schema, globalSchema, takes) => {
  forgetRefusals();
  forgetUncaught();
  return calls.start(callee, self, args, context, schema, globalSchema, takes);
};
export { endWeb, webArrived };
if (inspecting) {
  const silent = () => {};
  const mute = {};
  for (const name of ownKeys(calls.console)) mute[name] = silent;
  define("console", mute);
} else {
  define("console", calls.console);
}

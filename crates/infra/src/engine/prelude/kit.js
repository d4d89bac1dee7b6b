// The kit: what the host calls inside the engine. Evaluated once, before any code of an extension; only the host
// holds its exports. Whatever runs after that moment uses intrinsics captured here, so that nothing an extension
// does to the built-ins changes what the host learns (design/inspection.md).

import { bytesOf, define, getRandomValues, randomUuid } from "mangrove:web";

const host = globalThis.__mangroveHost;
delete globalThis.__mangroveHost;
const inspecting = host.inspecting;

const { apply, construct, getPrototypeOf, ownKeys, getOwnPropertyDescriptor } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const mapGet = uncurry(WeakMap.prototype.get);
const mapSet = uncurry(WeakMap.prototype.set);
const replace = uncurry(String.prototype.replace);
const test = uncurry(RegExp.prototype.test);
const toWellFormed = uncurry(String.prototype.toWellFormed);
const { parse, stringify } = JSON;
const { create, freeze } = Object;
const PromiseIntrinsic = Promise;
const ProxyIntrinsic = Proxy;
const ErrorIntrinsic = Error;
const TypeErrorIntrinsic = TypeError;
const AbortSignalIntrinsic = AbortSignal;
const TextDecoderIntrinsic = TextDecoder;
const rangeErrorPrototype = RangeError.prototype;
const internalErrorPrototype = InternalError.prototype;

// Not standard. Without it only the engine itself makes such errors: it is out of memory.
delete globalThis.InternalError;

// ---------------------------------------------------------------------------------------------------------------
// Stand-ins: what an engine without input and output does not have.

const labels = new WeakMap();
const requirements = new WeakMap();

const missing = (label) => {
  const error = new ErrorIntrinsic(`${label} is not available in the embedded engine`);
  error.name = "RequirementMissing";
  mapSet(requirements, error, label);
  return error;
};

// Runner: every use throws an error that names what is missing.
const strictHandler = (label) => {
  const refuse = (key) => {
    throw missing(label === "Deno" && typeof key === "string" ? `Deno.${key}` : label);
  };
  return {
    // What `instanceof`, `await` and module interop look at says nothing about work being done.
    get: (target, key) => {
      if (key === "prototype") return target.prototype;
      if (typeof key === "symbol" || key === "then" || key === "__esModule") return undefined;
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
const standIn = (path, kind, label = path) => {
  const target = function () {};
  const proxy = new ProxyIntrinsic(target, inspecting ? inertHandler(path, kind, label) : strictHandler(label));
  mapSet(selves, target, proxy);
  mapSet(labels, proxy, path);
  return proxy;
};

const modules = create(null);
/** The stand-in for a whole module; the same one for every importer. */
export const standInModule = (specifier, kind) =>
  (modules[specifier] ??= { whole: standIn(specifier, kind), specifier, kind, members: create(null) });
/** A named export of such a module. Importing a name is no use of it. */
export const standInMember = ({ specifier, kind, members }, name) =>
  (members[name] ??= standIn(`${specifier}.${name}`, kind, specifier));

const absent = [
  "Deno", "Buffer", "fetch", "Headers", "Request", "Response", "FormData", "Blob", "File", "WebSocket", "EventSource",
  "Worker", "BroadcastChannel", "MessageChannel", "ReadableStream", "WritableStream", "TransformStream",
  "CompressionStream", "DecompressionStream", "TextDecoderStream", "TextEncoderStream", "WebAssembly", "Intl",
  "localStorage", "sessionStorage", "caches",
];
for (const name of absent) define(name, standIn(name, "engine"));
define("crypto", { getRandomValues, randomUUID: randomUuid, subtle: standIn("crypto.subtle", "engine") });

// The environment is empty. Packages ask for NODE_ENV to choose a variant; anybody else wants a value.
const environment = (key) => {
  if (typeof key === "symbol" || key === "NODE_ENV" || key === "toJSON") return undefined;
  if (!inspecting) throw missing("process.env");
  host.touched("process.env");
  return undefined;
};
define("process", {
  env: new ProxyIntrinsic({}, { get: (_target, key) => environment(key), has: (_target, key) => environment(key) !== undefined }),
  argv: [],
  platform: "linux",
  version: "",
  versions: {},
  nextTick: (callback, ...rest) => globalThis.queueMicrotask(() => callback(...rest)),
});

// ---------------------------------------------------------------------------------------------------------------
// Time. The inspector's clock starts at a fixed instant and moves by one millisecond per look, so that a bundle looks
// the same every time and a busy wait ends.

if (inspecting) {
  const RealDate = Date;
  const FixedDate = function (...parts) {
    if (new.target === undefined) return new RealDate(host.now()).toString();
    return construct(RealDate, parts.length === 0 ? [host.now()] : parts, new.target);
  };
  FixedDate.prototype = RealDate.prototype;
  FixedDate.now = () => host.now();
  FixedDate.parse = RealDate.parse;
  FixedDate.UTC = RealDate.UTC;
  RealDate.prototype.constructor = FixedDate;
  define("Date", FixedDate);
  const bytes = () => host.randomBytes(4);
  Math.random = () => {
    const view = bytes();
    return (view[0] + view[1] * 256 + view[2] * 65536 + view[3] * 16777216) / 4294967296;
  };
}

let timers = null; // a list of { id, due, callback, parts, every, next }, earliest first
let lastTimer = 0;
const schedule = (timer) => {
  let place = null;
  for (let other = timers; other !== null && other.due <= timer.due; other = other.next) place = other;
  if (place === null) {
    timer.next = timers;
    timers = timer;
  } else {
    timer.next = place.next;
    place.next = timer;
  }
};
const startTimer = (callback, delay, parts, repeats) => {
  if (typeof callback !== "function") throw new TypeErrorIntrinsic("The callback is no function");
  const wait = delay > 0 ? +delay : 0;
  lastTimer += 1;
  const id = lastTimer;
  schedule({ id, due: host.now() + wait, callback, parts, every: repeats ? (wait < 1 ? 1 : wait) : null, next: null });
  return id;
};
const stopTimer = (id) => {
  for (let before = null, timer = timers; timer !== null; before = timer, timer = timer.next) {
    if (timer.id !== id) continue;
    if (before === null) timers = timer.next;
    else before.next = timer.next;
    return;
  }
};
define("setTimeout", (callback, delay, ...parts) => startTimer(callback, delay, parts, false));
define("setInterval", (callback, delay, ...parts) => startTimer(callback, delay, parts, true));
define("setImmediate", (callback, ...parts) => startTimer(callback, 0, parts, false));
define("clearTimeout", stopTimer);
define("clearInterval", stopTimer);
define("clearImmediate", stopTimer);

/** When the earliest timer is due, in milliseconds since the epoch; `undefined` without timers. */
export const nextTimer = () => (timers === null ? undefined : timers.due);
/** Runs the earliest timer. */
export const runTimer = () => {
  const timer = timers;
  timers = timer.next;
  if (timer.every !== null) {
    timer.due += timer.every;
    schedule(timer);
  }
  apply(timer.callback, undefined, timer.parts);
};

// ---------------------------------------------------------------------------------------------------------------
// What the host asks about values.

export const { isArray } = Array;
/** True for a stand-in. */
export const isStandIn = (value) => mapGet(labels, value) !== undefined;
/** The name of what is missing, if that is why this was thrown, also as the cause of another error. */
export const requirementOf = (thrown) => {
  for (let depth = 0; depth < 8 && typeof thrown === "object" && thrown !== null; depth += 1) {
    const label = mapGet(requirements, thrown);
    if (label !== undefined) return label;
    thrown = thrown.cause;
  }
  return undefined;
};
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

const pending = create(null);
let lastRequest = 0;

const encode = (value) => {
  const text = stringify(value);
  return text === undefined ? "null" : text;
};
const request = (name, parts) =>
  new PromiseIntrinsic((resolve, reject) => {
    const text = encode(parts);
    lastRequest += 1;
    pending[lastRequest] = { resolve, reject };
    host.request(lastRequest, name, text);
  });
/** The host's answer to a request. */
export const settle = (id, succeeded, text) => {
  const { resolve, reject } = pending[id];
  delete pending[id];
  if (succeeded) resolve(parse(text));
  else reject(new ErrorIntrinsic(text));
};

const isRecord = (value) => typeof value === "object" && value !== null && !(value instanceof ErrorIntrinsic);
const show = (value) => {
  if (typeof value === "string") return value;
  if (isRecord(value)) {
    try {
      return encode(value);
    } catch {
      return "[object]";
    }
  }
  return `${typeof value === "symbol" ? "symbol" : value}`;
};
// `info("made {count} zones", { count: 2, zone: "a" })` says `made 2 zones {"zone":"a"}`: nothing is lost.
const log = (level, parts) => {
  let text = parts.length > 0 ? show(parts[0]) : "";
  let next = 1;
  if (parts.length === 2 && typeof parts[0] === "string" && isRecord(parts[1])) {
    const unused = { ...parts[1] };
    text = replace(text, /\{([\w.]+)\}/g, (whole, key) => {
      if (!(key in parts[1])) return whole;
      delete unused[key];
      return show(parts[1][key]);
    });
    const rest = show(unused);
    if (rest !== "{}") text += ` ${rest}`;
    next = 2;
  }
  for (; next < parts.length; next += 1) text += ` ${show(parts[next])}`;
  host.request(0, "log", encode([level, text]));
};
const silent = () => {};
const say = (level) => (inspecting ? silent : (...parts) => log(level, parts));
define("console", {
  debug: say("debug"), log: say("info"), info: say("info"), warn: say("warn"), error: say("error"), trace: say("debug"),
  dir: say("info"), table: say("info"), assert: silent, group: silent, groupEnd: silent, time: silent, timeEnd: silent,
});

const logger = freeze({ debug: say("debug"), info: say("info"), warn: say("warn"), warning: say("warn"), error: say("error") });

// A file travels as text where its bytes are UTF-8, else as `{ base64 }`.
const fileContent = (content) => {
  if (typeof content === "string") return content;
  const bytes = bytesOf(content);
  try {
    return new TextDecoderIntrinsic("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: bytes.toBase64() };
  }
};
const fileWriter = (spec, instance, overrides) => {
  let lines = "";
  let written = null;
  const write = (content) => (written = request("writeFile", [spec, instance, fileContent(content), overrides]));
  return {
    writeAll: async (content) => write(content),
    writeText: async (text) => write(`${text}`),
    writeLine: async (line) => {
      lines += `${line}\n`;
    },
    writeStream: async (stream) => {
      const decoder = new TextDecoderIntrinsic();
      let text = "";
      for await (const chunk of stream) text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      return write(text + decoder.decode());
    },
    getFilePath: () => request("filePath", [spec, instance]),
    finalize: async () => written ?? write(lines),
  };
};

const contextOf = (data) => ({
  ...data,
  signal: new AbortSignalIntrinsic(),
  logger,
  writeResource: (...parts) => request("writeResource", parts),
  readResource: (...parts) => request("readResource", parts),
  readModelData: (...parts) => request("readModelData", parts),
  queryData: (...parts) => request("queryData", parts),
  runModel: (...parts) => request("runModel", parts),
  extensionFile: (...parts) => request("extensionFile", parts),
  onEvent: (...parts) => request("onEvent", parts),
  createFileWriter: fileWriter,
  vaultService: {
    get: (...parts) => request("vault.get", parts),
    put: (...parts) => request("vault.put", parts),
    list: (...parts) => request("vault.list", parts),
  },
});

// What a schema objects to: `{ issues }` as zod and Standard Schema have it, or an error that was thrown.
const objections = (error) => {
  const issues = error?.issues;
  if (!isArray(issues) || issues.length === 0) return [{ path: [], message: show(error?.message ?? error) }];
  const list = [];
  for (let index = 0; index < issues.length; index += 1) {
    const { path, message } = issues[index];
    const segments = [];
    for (let at = 0; isArray(path) && at < path.length; at += 1) {
      const segment = typeof path[at] === "object" && path[at] !== null ? path[at].key : path[at];
      segments[at] = `${typeof segment === "symbol" ? "symbol" : segment}`;
    }
    list[index] = { path: segments, message: show(message) };
  }
  return list;
};

// What a schema makes of a value: `{ data }` or `{ issues }`. A refinement may be asynchronous.
const parseOnce = async (schema, value) => {
  let result;
  if (typeof schema.safeParseAsync === "function") {
    result = await schema.safeParseAsync(value);
  } else if (typeof schema.safeParse === "function") {
    result = await schema.safeParse(value);
  } else {
    const { issues, value: data } = await schema["~standard"].validate(value);
    return issues === undefined ? { data } : { issues: objections({ issues }) };
  }
  return result.success === true ? { data: result.data } : { issues: objections(result.error) };
};

// Texts from a command line become numbers or booleans where a schema objects to the text. Gives whether any did.
const readTexts = (value, issues) => {
  let changed = false;
  for (let index = 0; index < issues.length; index += 1) {
    const { path } = issues[index];
    let holder = value;
    for (let at = 0; at + 1 < path.length && isRecord(holder); at += 1) {
      holder = getOwnPropertyDescriptor(holder, path[at])?.value;
    }
    const key = path[path.length - 1];
    if (path.length === 0 || !isRecord(holder)) continue;
    const found = getOwnPropertyDescriptor(holder, key)?.value;
    if (typeof found !== "string" || !test(/^(?:true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/, found)) continue;
    holder[key] = parse(found);
    changed = true;
  }
  return changed;
};

const parseWith = async (schema, text) => {
  const first = await parseOnce(schema, parse(text));
  if (first.issues === undefined) return first;
  const value = parse(text);
  if (!readTexts(value, first.issues)) return first;
  const second = await parseOnce(schema, value);
  return second.issues === undefined ? second : first;
};

const isSchema = (value) =>
  (typeof value === "object" || typeof value === "function") && value !== null &&
  (typeof value.safeParse === "function" || typeof value["~standard"]?.validate === "function");

/**
 * Calls a function of the extension with what its schemas make of the arguments. Gives a promise of its result as JSON
 * text, or of `{ checked, issues }`, with the issues as JSON text, if a schema objects.
 */
export const start = async (callee, self, args, context, schema, globalSchema) => {
  const data = parse(context);
  if (isSchema(globalSchema) && isRecord(data.globalArgs)) {
    const { data: made, issues } = await parseWith(globalSchema, encode(data.globalArgs));
    if (issues !== undefined) return { checked: "globalArguments", issues: encode(issues) };
    data.globalArgs = made;
  }
  let given = parse(args);
  if (isSchema(schema)) {
    const { data: made, issues } = await parseWith(schema, args);
    if (issues !== undefined) return { checked: "arguments", issues: encode(issues) };
    given = made;
  }
  return encode(await apply(callee, self, [given, contextOf(data)]));
};

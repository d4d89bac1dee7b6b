// The side of a session that runs inside Deno. A frame to it is a length (4 bytes, little-endian) and JSON; a frame from
// it is a line with a marker that only this file and the host know, and the length, then JSON. Whatever else appears on
// standard output or standard error is what the extension or a program of it prints, and the host logs it (design/running.md).

import { setImmediate as soon } from "node:timers";
import { encode as toJson, ledTo, makeCalls } from "./calls.js";
import { makeContext } from "./context.js";
import { makeDrivers } from "./driver.js";
import { tellSources } from "./sources.js";

const { parse } = JSON;
const { exit, errors: { NotCapable, NotFound } } = Deno;
const read = Deno.stdin.read.bind(Deno.stdin);
const readSync = Deno.stdin.readSync.bind(Deno.stdin);
const writeSync = Deno.stdout.writeSync.bind(Deno.stdout);
const writeErrorSync = Deno.stderr.writeSync.bind(Deno.stderr);
const encoder = new TextEncoder();
const encode = encoder.encode.bind(encoder);
const decoder = new TextDecoder();
const decode = decoder.decode.bind(decoder);
const PromiseIntrinsic = Promise;
// A turn of the event loop; a timer takes milliseconds.
const turn = () => new PromiseIntrinsic((resolve) => soon(resolve));
const Bytes = Uint8Array;
const readVariable = Deno.env.get.bind(Deno.env);
const readVariables = Deno.env.toObject.bind(Deno.env);
// Code may put something else in the place of `process`.
const { process } = globalThis;
const listenersOf = process?.listenerCount.bind(process) ?? (() => 0);

let marker = "";
const send = (message) => {
  const body = encode(toJson(message));
  const head = encode(`\n${marker} ${body.length}\n`);
  const frame = new Bytes(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  for (let at = 0; at < frame.length; ) at += writeSync(frame.subarray(at));
};

const readExactly = async (count) => {
  const bytes = new Bytes(count);
  for (let at = 0; at < count; ) {
    const length = await read(bytes.subarray(at));
    if (length === null) return null;
    at += length;
  }
  return bytes;
};
// `null` when the host wants no more.
const receive = async () => {
  const head = await readExactly(4);
  if (head === null) return null;
  const body = await readExactly(head[0] + head[1] * 2 ** 8 + head[2] * 2 ** 16 + head[3] * 2 ** 24);
  return body === null ? null : parse(decode(body));
};

const readExactlyNow = (count) => {
  const bytes = new Bytes(count);
  for (let at = 0; at < count; ) {
    const length = readSync(bytes.subarray(at));
    if (length === null) exit(1);
    at += length;
  }
  return bytes;
};
const receiveNow = () => {
  const head = readExactlyNow(4);
  return parse(decode(readExactlyNow(head[0] + head[1] * 2 ** 8 + head[2] * 2 ** 16 + head[3] * 2 ** 24)));
};

// Nothing is read while a call is under way and waits for no answer: else Deno could not tell that nothing will ever
// settle what the call waits for.
let isCalled = false;
let answersDue = 0;
let listening = null;
const listen = async () => {
  while (answersDue > 0) {
    const message = await receive();
    if (message === null) exit(1);
    answersDue -= 1;
    calls.settle(message.id, message.succeeded, message.text);
  }
  listening = null;
};
// Two readers of one input would share its frames between them.
const told = new WeakSet();
const ofTheEnd = (error) => {
  told.add(error);
  return error;
};
const { getOwnPropertyDescriptor } = Reflect;
// Also an error that names such a one as its cause.
const isOfTheEnd = (error) => {
  let cause = error;
  try {
    for (let depth = 0; depth < 8 && typeof cause === "object" && cause !== null; depth += 1) {
      if (told.has(cause)) return true;
      cause = getOwnPropertyDescriptor(cause, "cause")?.value;
    }
  } catch {
    // A proxy that does not tell.
  }
  return false;
};
const afterTheEnd = (name) => ofTheEnd(new Error(`ctx.${name} was used after the call had ended`));
const ask = (id, name, text) => {
  if (id !== 0 && !isCalled) throw afterTheEnd(name);
  send({ kind: "request", id, name, text });
  if (id === 0) return;
  answersDue += 1;
  listening ??= listen();
};
const askNow = (name, text) => {
  if (!isCalled) throw afterTheEnd(name);
  if (listening !== null) {
    throw new Error(`ctx: \`${name}\` is answered at once only while nothing else of the context is waited for; await that first`);
  }
  send({ kind: "request", id: -1, name, text });
  return receiveNow();
};
const calls = makeCalls(ask, askNow, makeContext, makeDrivers, ofTheEnd);

// What becomes of the work under way if nothing is left that could settle it, and if something ends it that nobody caught.
let giveUp = null;
let endBy = null;
const orStuck = (work) =>
  PromiseIntrinsic.race([
    work,
    new PromiseIntrinsic((resolve) => {
      giveUp = () => resolve({ kind: "stuck" });
      endBy = resolve;
    }),
  ]).finally(() => {
    giveUp = null;
    endBy = null;
  });
addEventListener("beforeunload", (event) => {
  if (giveUp === null) return;
  event.preventDefault();
  giveUp();
});
// An error that nobody catches ends a process of Deno; here it ends the call. Whoever listens for such errors and prevents what follows
// from them has caught it, so ours is always the last one to be told.
let uncaught = null;
const isHeardByNode = (...names) => names.some((name) => listenersOf(name) > 0);
const endsTheCall = (event, error, what, isHeard) => {
  if (event.defaultPrevented) return;
  event.preventDefault();
  if (isHeard || isOfTheEnd(error)) return;
  const outcome = describe(error);
  outcome.message = `${what}: ${outcome.message}`;
  if (endBy === null) uncaught ??= outcome;
  else endBy(outcome);
};
const ofRejections = (event) => {
  const isHeard = isHeardByNode("unhandledRejection", "uncaughtException");
  endsTheCall(event, event.reason, "nobody handles the rejection of a promise", isHeard);
};
const ofErrors = (event) => {
  endsTheCall(event, event.error, "a timer or a listener throws", isHeardByNode("uncaughtException"));
};
const listenLast = () => {
  for (const [name, listener] of [["unhandledrejection", ofRejections], ["error", ofErrors]]) {
    removeEventListener(name, listener);
    addEventListener(name, listener);
  }
};
listenLast();

// How the host says that the call under way is to end, also while nothing is read. Who listens while a module loads hides
// from Deno that nothing will settle what the module waits for.
const listenForTheEnd = Deno.addSignalListener.bind(Deno, "SIGTERM");
const listenNoMore = Deno.removeSignalListener.bind(Deno, "SIGTERM");
const end = () => calls.abort();

const home = import.meta.url.slice(0, import.meta.url.lastIndexOf("/") + 1);
const member = (thrown, name) => {
  const value = typeof thrown === "object" && thrown !== null ? thrown[name] : undefined;
  return typeof value === "string" ? value : undefined;
};
const textOf = (thrown) => {
  if (typeof thrown !== "object" || thrown === null) return `${typeof thrown === "symbol" ? "symbol" : thrown}`;
  const name = member(thrown, "name");
  const message = member(thrown, "message");
  if (message) return name === undefined ? message : `${name}: ${message}`;
  return name ?? "a value that is not an error";
};
const describe = (thrown) => {
  try {
    let denial = null;
    let cause = thrown;
    for (let depth = 0; denial === null && depth < 8 && typeof cause === "object" && cause !== null; depth += 1) {
      const message = member(cause, "message");
      // Code that tells what failed in words of its own.
      const refusal = refusals.find((refusal) => message?.includes(refusal));
      if (refusal !== undefined) denial = refusal;
      // An import that is refused is a TypeError.
      else if (cause instanceof NotCapable || / access to ".*", run again with the --allow-/.test(message)) denial = message ?? null;
      else cause = cause.cause;
    }
    const lines = (member(thrown, "stack") ?? "").split("\n").filter((text) => text.trim().startsWith("at "));
    const line = lines.find((text) => text.includes(home) && !text.includes(`${home}worker.js`)) ?? lines[0];
    return { kind: "threw", message: `${textOf(thrown)}${ledTo(thrown)}`, place: line?.trim().replaceAll(home, "") ?? null, denial };
  } catch {
    return { kind: "threw", message: "something that cannot be read", place: null, denial: null };
  }
};

// What was refused during a call, also where the code catches it: what looks like a file that is not there, or like a list
// without members, may be one that nobody granted. Variables are asked for by many packages that do without them.
const MOST_REFUSALS = 8;
let refusals = [];
const note = (thrown) => {
  const message = thrown instanceof NotCapable ? member(thrown, "message") : undefined;
  if (message !== undefined && refusals.length < MOST_REFUSALS && !refusals.includes(message)) refusals.push(message);
};
const { apply } = Reflect;
const { then } = Promise.prototype;
const { asyncIterator } = Symbol;
const watchedList = (list) => ({
  async *[asyncIterator]() {
    try {
      yield* list;
    } catch (error) {
      note(error);
      throw error;
    }
  },
});
const watch = (owner, name) => {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name);
  const original = descriptor?.value;
  if (typeof original !== "function" || !descriptor.configurable) return;
  const { [name]: watched } = {
    [name](...args) {
      try {
        const result = apply(original, this, args);
        if (result instanceof PromiseIntrinsic) apply(then, result, [undefined, note]);
        // A list of a directory is refused when it is read.
        return typeof result?.[asyncIterator] === "function" && name === "readDir" ? watchedList(result) : result;
      } catch (error) {
        note(error);
        throw error;
      }
    },
  };
  Object.defineProperty(watched, "length", { value: original.length, configurable: true });
  Object.defineProperty(owner, name, { ...descriptor, value: watched });
};
const watchAll = () => {
  // Those whose names begin with a capital letter are classes.
  for (const name of Object.keys(Deno)) if (/^[a-z]/.test(name)) watch(Deno, name);
  for (const name of ["output", "outputSync", "spawn"]) watch(Deno.Command.prototype, name);
  watch(globalThis, "fetch");
};

// Code that was written for another program reads the versions of data as files below `.swamp/data`. Here they lie elsewhere: whoever
// reads such a file by its path reads what is stored.
const matchVersion = RegExp.prototype.exec.bind(/^(.+)\/([^/]+)\/([^/]+)\/([0-9]{1,9})\/raw$/s);
const readPathname = Object.getOwnPropertyDescriptor(URL.prototype, "pathname").get;
const UrlIntrinsic = URL;
const decodePath = decodeURIComponent;
const storedAt = (path) => {
  const reading = calls.storedData();
  if (!isCalled || reading === null) return null;
  let text = path;
  if (path instanceof UrlIntrinsic) {
    try {
      text = decodePath(apply(readPathname, path, []));
    } catch {
      return null;
    }
  }
  const directory = `${reading.directory}/.swamp/data/`;
  if (typeof text !== "string" || text.slice(0, directory.length) !== directory) return null;
  const found = matchVersion(text.slice(directory.length));
  return found === null ? null : { text, repository: reading.dataRepository, parts: [found[1], found[2], found[3], +found[4]] };
};
const contentOf = (bytes, { text }) => {
  if (bytes === null) throw new NotFound(`No such file or directory (os error 2): readfile '${text}'`);
  return bytes;
};
const asText = (bytes) => decode(bytes);
const asIs = (bytes) => bytes;
const readStored = (name, read, made) => {
  const descriptor = Object.getOwnPropertyDescriptor(Deno, name);
  const original = descriptor?.value;
  if (typeof original !== "function" || !descriptor.configurable) return;
  const { [name]: reads } = {
    [name](...args) {
      const stored = storedAt(args[0]);
      return stored === null ? apply(original, this, args) : read(stored, made);
    },
  };
  Object.defineProperty(reads, "length", { value: original.length, configurable: true });
  Object.defineProperty(Deno, name, { ...descriptor, value: reads });
};
const readStoredAll = () => {
  const later = async (stored, made) => made(contentOf(await stored.repository.getContent(...stored.parts), stored));
  const now = (stored, made) => made(contentOf(stored.repository.getContentSync(...stored.parts), stored));
  readStored("readTextFile", later, asText);
  readStored("readFile", later, asIs);
  readStored("readTextFileSync", now, asText);
  readStored("readFileSync", now, asIs);
};

const below = (value, path) => {
  if (path.length === 0) return undefined;
  for (const segment of path) {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
    value = value[segment];
  }
  return value;
};
const typeOf = (value) => (value === null ? "null" : typeof value);
const call = async (root, { path, args, context, schema, globalSchema, takes }) => {
  let parent;
  let target = root;
  for (const segment of path) {
    if ((typeof target !== "object" && typeof target !== "function") || target === null) break;
    parent = target;
    target = target[segment];
  }
  if (typeof target !== "function") return { kind: "absent", found: typeOf(target) };
  const argumentSchema = below(root, schema);
  const globals = below(root, globalSchema);
  const result = await calls.start(target, parent, args, context, argumentSchema, globals, takes);
  if (typeof result === "string") return { kind: "returned", text: result };
  return result.absent === undefined ? { kind: "rejected", ...result } : { kind: "absent", found: result.absent };
};

// What calls must leave as the module left it when it was loaded, or their process serves no other session: the variables that
// code may read, and what Deno itself counts as open (listeners, listening for signals, programs, files). Responses that nobody
// has read to their end keep nothing from anybody.
const listResources = Deno[Deno.internal]?.core?.resources;
const { entries } = Object;
const stateNow = (names) => {
  const variables = [];
  if (names === null) variables[0] = toJson(readVariables());
  else for (let index = 0; index < names.length; index += 1) variables[index] = readVariable(names[index]) ?? null;
  return { variables: toJson(variables), resources: new Map(entries(listResources())) };
};
const leftSince = (before, names) => {
  const now = stateNow(names);
  const left = [];
  if (now.variables !== before.variables) left[left.length] = "changed variables";
  for (const [number, name] of now.resources) {
    if (before.resources.get(number) !== name && !name.startsWith("fetch")) left[left.length] = name;
  }
  return left;
};
// The state, or `null` where it cannot be known.
const attempt = (look) => {
  try {
    return look();
  } catch {
    return null;
  }
};

// The list of all variables is refused by Deno unless all are granted. Here it holds those that are, and Deno's `node:` modules take
// it from here: they pass it on to programs.
const listOnly = (names) => {
  const toObject = () => {
    const found = {};
    for (let index = 0; index < names.length; index += 1) {
      const value = readVariable(names[index]);
      if (value !== undefined) found[names[index]] = value;
    }
    return found;
  };
  Object.defineProperty(Deno.env, "toObject", { value: toObject, writable: true, configurable: true, enumerable: true });
};

const work = async (load) => {
  const hello = await receive();
  if (hello === null) exit(0);
  marker = hello.marker;
  Object.assign(globalThis.console, calls.console);
  // They would keep data in Deno's own directory, which nobody granted and nobody cleans.
  for (const name of ["localStorage", "sessionStorage", "caches"]) {
    const refuse = () => {
      throw new Error(`${name} is not available; ctx.writeResource keeps data`);
    };
    Object.defineProperty(globalThis, name, { get: refuse, configurable: false });
  }
  if (hello.variables !== null) listOnly(hello.variables);
  watchAll();
  readStoredAll();
  // Names mean here what they mean without a configuration.
  tellSources(hello.root, (name) => import.meta.resolve(name));
  let opened = await orStuck(
    load().then(
      (module) => (hello.exportName in module ? { kind: "opened", module } : { kind: "absent", found: "nothing" }),
      describe,
    ),
  );
  await turn();
  if (uncaught !== null && opened.kind === "opened") opened = uncaught;
  const root = opened.module?.[hello.exportName];
  // Deno opens sockets of its own for the first listener: they are there before the host looks which ones are.
  listenForTheEnd(end);
  listenNoMore(end);
  const before = attempt(() => stateNow(hello.variables));
  send({ ...opened, module: undefined });
  for (;;) {
    const message = await receive();
    if (message === null) exit(0);
    if (message.kind === "begin") {
      send({ kind: "ready" });
      continue;
    }
    if (message.kind === "rest") {
      // Nothing is read, so that Deno tells when nothing is left that could go on beside the calls of others.
      const rested = await orStuck(new PromiseIntrinsic(() => {}));
      calls.forget();
      const left = before === null ? null : attempt(() => leftSince(before, hello.variables));
      if (left !== null && (uncaught !== null || rested.kind === "threw")) left[left.length] = "an error that nobody caught";
      send({ kind: "rested", left });
      continue;
    }
    isCalled = true;
    refusals = [];
    uncaught = null;
    listenLast();
    listenForTheEnd(end);
    let outcome = await orStuck(call(root, message).catch(describe));
    // What was asked for and not waited for is answered all the same, and so is what follows from the answers.
    do {
      await listening;
      await turn();
    } while (listening !== null);
    if (uncaught !== null && outcome.kind !== "threw") outcome = uncaught;
    isCalled = false;
    listenNoMore(end);
    // What was written to standard error, by programs too, ends here.
    writeErrorSync(encode(`${marker}\n`));
    send({ ...outcome, refusals });
  }
};

/**
 * Loads the bundle and serves calls until the host wants no more. Nobody may await this at the top of a module: Deno ends
 * a process whose main module waits for what nothing will settle, before anything could be said about it.
 */
export const serve = (load) => {
  work(load).catch((error) => {
    writeErrorSync(encode(`${textOf(error)}\n`));
    exit(1);
  });
};

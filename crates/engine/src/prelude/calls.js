// Calls into an extension: what its context offers, and what its schemas make of arguments. Every engine runs this very
// file, so that a method finds the same context wherever it runs (design/inspection.md). What it uses of the built-ins
// is captured when `makeCalls` runs, before any code of an extension.

const { apply, getOwnPropertyDescriptor } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const replace = uncurry(String.prototype.replace);
const test = uncurry(RegExp.prototype.test);
const { parse, stringify } = JSON;
const { create } = Object;
const { isArray } = Array;
const PromiseIntrinsic = Promise;
const ErrorIntrinsic = Error;

/** The bytes of a buffer or a view of one. */
export const bytesOf = (source) => {
  if (source === undefined) return new Uint8Array(0);
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return new Uint8Array(source);
};

const isRecord = (value) => typeof value === "object" && value !== null && !(value instanceof ErrorIntrinsic);
/**
 * A value as JSON text that every reader takes. A half of a surrogate pair, such as half an emoji, is no text to anybody
 * but JavaScript: `stringify` writes just those as escapes, and each becomes the character that stands for what cannot be
 * read.
 */
export const encode = (value) => {
  const text = stringify(value);
  if (text === undefined) return "null";
  if (!test(/\\ud[89a-f]/, text)) return text;
  return replace(text, /\\(?:ud[89a-f][\da-f]{2}|[^])/g, (escape) => (escape.length === 6 ? "\ufffd" : escape));
};
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
 * The calls of one engine. `send(id, name, text)` takes a request to the host, with its arguments as JSON text; whoever
 * gets the host's answer passes it to `settle`. The number 0 asks for no answer. `sendNow(name, text)` waits for the answer,
 * `{ succeeded, text }`. `makeContext` is that of `context.js`.
 */
export const makeCalls = (send, sendNow, makeContext) => {
  const pending = create(null);
  let lastRequest = 0;
  const request = (name, parts) =>
    new PromiseIntrinsic((resolve, reject) => {
      const text = encode(parts);
      lastRequest += 1;
      pending[lastRequest] = { resolve, reject };
      send(lastRequest, name, text);
    });
  /** The host's answer to a request. */
  const settle = (id, succeeded, text) => {
    const { resolve, reject } = pending[id];
    delete pending[id];
    if (succeeded) resolve(parse(text));
    else reject(new ErrorIntrinsic(text));
  };

  const requestNow = (name, parts) => {
    const { succeeded, text } = sendNow(name, encode(parts));
    if (!succeeded) throw new ErrorIntrinsic(text);
    return parse(text);
  };

  const tools = { request, requestNow, send: (name, parts) => send(0, name, encode(parts)), show, isRecord, bytesOf };
  const { console, contextOf } = makeContext(tools);
  let abortCall = () => {};
  /** Tells the call under way that it is to end. */
  const abort = (reason) => abortCall(reason);

  // What a function gave whose members are called, and the arguments that it was called with.
  let made = null;
  const startMember = async (maker, self, args, member) => {
    const { name, args: given } = parse(member);
    if (made?.args !== args) made = { args, object: apply(maker, self, parse(args)) };
    let object;
    try {
      object = await made.object;
    } catch (error) {
      // What cannot be made now may be made the next time.
      made = null;
      throw error;
    }
    const callee = isRecord(object) ? object[name] : undefined;
    if (typeof callee !== "function") return { absent: callee === null ? "null" : typeof callee };
    return encode(await apply(callee, object, given));
  };

  /**
   * Calls a function of the extension with what its schemas make of the arguments. Gives a promise of its result as JSON
   * text, of `{ checked, issues }`, with the issues as JSON text, if a schema objects, or of `{ absent }` with what stands
   * there if `member` names no function of what the function gives.
   */
  const start = async (callee, self, args, context, schema, globalSchema, member) => {
    if (typeof member === "string") return startMember(callee, self, args, member);
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
    const made = contextOf(data);
    abortCall = made.abort;
    return encode(await apply(callee, self, [given, made.context]));
  };

  return { settle, start, abort, console };
};

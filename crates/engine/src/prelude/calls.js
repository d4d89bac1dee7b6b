// Calls into an extension: what its context offers, and what its schemas make of arguments. Every engine runs this very
// file, so that a method finds the same context wherever it runs (design/inspection.md). What it uses of the built-ins
// is captured when `makeCalls` runs, before any code of an extension.

const { apply, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const replace = uncurry(String.prototype.replace);
const test = uncurry(RegExp.prototype.test);
const includes = uncurry(String.prototype.includes);
const { parse, stringify } = JSON;
const { create, is } = Object;
const { isArray } = Array;
const { isView } = ArrayBuffer;
const eachOf = { Map: uncurry(Map.prototype.forEach), Set: uncurry(Set.prototype.forEach) };
const sourceOf = uncurry(Function.prototype.toString);
const symbolText = uncurry(Symbol.prototype.toString);
const timeOf = uncurry(Date.prototype.getTime);
const dateText = uncurry(Date.prototype.toISOString);
const DateIntrinsic = Date;
const MapIntrinsic = Map;
const RegExpIntrinsic = RegExp;
const SetIntrinsic = Set;
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
export const encode = (value, replacer) => {
  const text = stringify(value, replacer);
  if (text === undefined) return "null";
  if (!test(/\\ud[89a-f]/, text)) return text;
  return replace(text, /\\(?:ud[89a-f][\da-f]{2}|[^])/g, (escape) => (escape.length === 6 ? "\ufffd" : escape));
};
/** What JSON has no form for, as a text: the message of an error inside of a value must not be lost. */
const told = (_name, value) => {
  if (value instanceof ErrorIntrinsic) return `${value}${ledTo(value)}`;
  return typeof value === "bigint" ? `${value}n` : value;
};
const show = (value) => {
  if (typeof value === "string") return value;
  if (isRecord(value)) {
    try {
      return encode(value, told);
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

const has = (value, key) => getOwnPropertyDescriptor(value, key) !== undefined;

// The schemas of the members of an object, by their names; `undefined` if the schema does not tell.
const shapeOf = (schema) => {
  let inner = schema;
  for (let depth = 0; depth < 8 && inner !== undefined && inner !== null; depth += 1) {
    const { shape } = inner;
    if (isRecord(shape)) return shape;
    // What checks or changes the whole has the object inside.
    const definition = inner._def ?? inner._zod?.def;
    inner = definition?.schema ?? definition?.innerType ?? definition?.in;
  }
  return undefined;
};

// What the schema of one member makes of its value, which may be absent.
const parseMember = async (schema, key, value) => {
  const first = await parseOnce(schema, value);
  if (first.issues === undefined) return first;
  const issues = [];
  for (let index = 0; index < first.issues.length; index += 1) {
    const { path, message } = first.issues[index];
    const whole = [key];
    for (let at = 0; at < path.length; at += 1) whole[at + 1] = path[at];
    issues[index] = { path: whole, message };
  }
  const holder = create(null);
  holder[key] = value;
  if (!readTexts(holder, issues)) return { issues };
  const second = await parseOnce(schema, holder[key]);
  return second.issues === undefined ? second : { issues };
};

// As `parseWith`, of an object of which nothing is required: what is absent gets its default or stays absent.
const parsePartly = async (schema, text) => {
  const whole = await parseWith(schema, text);
  if (whole.issues === undefined) return whole;
  const given = parse(text);
  const found = [];
  for (let index = 0; index < whole.issues.length; index += 1) {
    const issue = whole.issues[index];
    if (issue.path.length === 0 || has(given, issue.path[0])) found[found.length] = issue;
  }
  if (found.length === whole.issues.length) return whole;
  const shape = shapeOf(schema);
  if (shape === undefined) return found.length === 0 ? { data: given } : { issues: found };
  const issues = [];
  const names = ownKeys(shape);
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index];
    const member = shape[name];
    if (typeof name !== "string" || !isSchema(member)) continue;
    const isGiven = has(given, name);
    const made = await parseMember(member, name, isGiven ? given[name] : undefined);
    if (made.issues === undefined) {
      if (made.data !== undefined) given[name] = made.data;
    } else if (isGiven) {
      for (let at = 0; at < made.issues.length; at += 1) issues[issues.length] = made.issues[at];
    }
  }
  return issues.length === 0 ? { data: given } : { issues };
};

// What a function that only looks does not find in its context.
const WRITERS = ["writeResource", "deleteResource", "createFileWriter"];

const isSchema = (value) =>
  (typeof value === "object" || typeof value === "function") && value !== null &&
  (typeof value.safeParse === "function" || typeof value["~standard"]?.validate === "function");

/**
 * The calls of one engine. `send(id, name, text)` takes a request to the host, with its arguments as JSON text; whoever
 * gets the host's answer passes it to `settle`. The number 0 asks for no answer. `sendNow(name, text)` waits for the answer,
 * `{ succeeded, text }`. `makeContext` is that of `context.js`, `makeDrivers` that of `driver.js`. `ofTheEnd` takes, and gives, an
 * error that code gets only after its call has ended.
 */
/** How far an error is followed to what caused it, and how many errors are told of one that stands for several. */
const MOST_CAUSES = 5;
const MOST_ERRORS = 3;
/** What led to an error, to stand behind its own text: its causes, and the errors that it stands for. */
export const ledTo = (thrown, depth = 0) => {
  try {
    if (depth === MOST_CAUSES || typeof thrown !== "object" || thrown === null) return "";
    const { name, message, cause, errors } = thrown;
    let text = "";
    if (name === "AggregateError" && isArray(errors)) {
      for (let index = 0; index < errors.length && index < MOST_ERRORS; index += 1) {
        text += `; ${show(errors[index])}${ledTo(errors[index], depth + 1)}`;
      }
      if (errors.length > MOST_ERRORS) text += `; and ${errors.length - MOST_ERRORS} more`;
    }
    if (cause === undefined || cause === null) return text;
    // Many say it in their own words already.
    const isTold = typeof message === "string" && typeof cause.message === "string" && includes(message, cause.message);
    return `${text}${isTold ? "" : `; caused by ${show(cause)}`}${ledTo(cause, depth + 1)}`;
  } catch {
    return "";
  }
};

/** How deep the console looks into a value, and how many members it prints of one. */
const DEEPEST = 4;
const MOST_MEMBERS = 100;

const inBrackets = ([open, close], parts, more, prefix) => {
  if (parts.length === 0) return `${prefix}${open}${close}`;
  let text = `${prefix}${open} ${parts[0]}`;
  for (let index = 1; index < parts.length; index += 1) text += `, ${parts[index]}`;
  return more > 0 ? `${text}, ... ${more} more items ${close}` : `${text} ${close}`;
};
const memberOf = (value, key, inner) => {
  const { get, set, value: member } = getOwnPropertyDescriptor(value, key);
  if (get === undefined && set === undefined) return inner(member);
  return get === undefined ? "[Setter]" : set === undefined ? "[Getter]" : "[Getter/Setter]";
};
const keyText = (key) => {
  if (typeof key === "symbol") return symbolText(key);
  return test(/^[A-Za-z_$][\w$]*$/, key) ? key : encode(key);
};
const madeBy = (value) => {
  const prototype = getPrototypeOf(value);
  if (prototype === null) return "[Object: null prototype]";
  const maker = getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof maker === "function" && typeof maker.name === "string" ? maker.name : "";
};
/** A value as the console of Deno prints it, but in one line. No getter is called. */
const inspected = (value, depth, around) => {
  switch (typeof value) {
    case "string": return depth === 0 ? value : encode(value);
    case "bigint": return `${value}n`;
    case "symbol": return symbolText(value);
    case "number": return is(value, -0) ? "-0" : `${value}`;
    case "function": return `[${test(/^class\b/, sourceOf(value)) ? "class" : "Function:"} ${value.name || "(anonymous)"}]`;
    case "object": break;
    default: return `${value}`;
  }
  if (value === null) return "null";
  if (value instanceof ErrorIntrinsic) return `${value}${ledTo(value)}`;
  if (value instanceof DateIntrinsic) return timeOf(value) === timeOf(value) ? dateText(value) : "Invalid Date";
  if (value instanceof RegExpIntrinsic) return `${value}`;
  for (let outer = around; outer !== null; outer = outer.around) if (outer.value === value) return "[Circular]";
  const name = madeBy(value);
  if (depth > DEEPEST) return isArray(value) ? "[Array]" : `[${name || "Object"}]`;
  const inner = (member) => inspected(member, depth + 1, { value, around });
  const parts = [];
  let count = 0;
  const add = (make) => {
    count += 1;
    if (count <= MOST_MEMBERS) parts[parts.length] = make();
  };
  if (value instanceof MapIntrinsic || value instanceof SetIntrinsic) {
    const isMap = value instanceof MapIntrinsic;
    eachOf[isMap ? "Map" : "Set"](value, (member, key) => add(() => `${isMap ? `${inner(key)} => ` : ""}${inner(member)}`));
    return inBrackets("{}", parts, count - parts.length, `${name}(${count}) `);
  }
  if (isArray(value) || (isView(value) && typeof value.length === "number")) {
    for (let index = 0; index < value.length && index < MOST_MEMBERS; index += 1) {
      add(() => (isArray(value) && !(index in value) ? "<1 empty item>" : inner(value[index])));
    }
    const isPlain = isArray(value) && name === "Array";
    return inBrackets("[]", parts, value.length - parts.length, isPlain ? "" : `${name}(${value.length}) `);
  }
  const keys = ownKeys(value);
  for (let index = 0; index < keys.length; index += 1) {
    if (!getOwnPropertyDescriptor(value, keys[index])?.enumerable) continue;
    add(() => `${keyText(keys[index])}: ${memberOf(value, keys[index], inner)}`);
  }
  return inBrackets("{}", parts, count - parts.length, name === "" || name === "Object" ? "" : `${name} `);
};
const inspect = (value) => {
  try {
    return inspected(value, 0, null);
  } catch {
    return show(value);
  }
};
/** What a line of a log says of a value: of an error also what led to it. */
const shownInLine = (value) => (value instanceof ErrorIntrinsic ? `${show(value)}${ledTo(value)}` : show(value));

export const makeCalls = (send, sendNow, makeContext, makeDrivers, ofTheEnd) => {
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

  const tools = { send: (name, parts) => send(0, name, encode(parts)), show: shownInLine, inspect, isRecord, bytesOf };
  const { console, contextsOf, outgoing } = makeContext(tools);
  const startDriver = makeDrivers({ ...tools, encode, outgoing });
  // What code kept of the context of an earlier call must not act in the name of a later one. Its logger is as good as any.
  let callUnderWay = 0;
  const contexts = () => {
    callUnderWay += 1;
    const own = callUnderWay;
    const late = (name) => ofTheEnd(new ErrorIntrinsic(`ctx.${name} was used after the call had ended`));
    return contextsOf({
      request: (name, parts) => {
        if (own === callUnderWay) return request(name, parts);
        return new PromiseIntrinsic((_resolve, reject) => reject(late(name)));
      },
      requestNow: (name, parts) => {
        if (own !== callUnderWay) throw late(name);
        return requestNow(name, parts);
      },
    });
  };
  // The repository of the call under way, and its data.
  let reading = null;
  const storedData = () => reading;
  let abortCall = () => {};
  /** Tells the call under way that it is to end. */
  const abort = (reason) => abortCall(reason);

  // What a function gave whose members are called, and the arguments that it was called with.
  let made = null;
  const startMember = async (maker, self, args, { name, args: given }) => {
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
   * there if `takes` names no function of what the function gives. `takes` is JSON text: `null` for arguments and context,
   * `"context"` for a context without what writes, `"report"` for that of a report, `"schemas"` for what the schemas make and no
   * call, `{ name, args }` for a member of what the function gives, `{ driver }` for a driver that it gives.
   */
  const start = async (callee, self, args, context, schema, globalSchema, takes) => {
    const form = parse(takes);
    const { contextOf, reportContextOf, dataRepository } = contexts();
    reading = null;
    if (isRecord(form) && has(form, "driver")) {
      const refusalOf = async (config) => {
        const { issues } = isSchema(schema) ? await parseWith(schema, config) : {};
        return issues === undefined ? undefined : { checked: "arguments", issues: encode(issues) };
      };
      return startDriver(callee, self, args, form.driver, refusalOf, (end) => {
        abortCall = end;
      });
    }
    if (isRecord(form)) return startMember(callee, self, args, form);
    const data = parse(context);
    if (typeof data?.repoDir === "string") reading = { directory: data.repoDir, dataRepository };
    if (form === "report") return encode(await apply(callee, self, [reportContextOf(data)]));
    // A context is made last, and what tells it to end may come before.
    let aborted = false;
    abortCall = () => {
      aborted = true;
    };
    const contextNow = () => {
      const made = contextOf(data);
      abortCall = made.abort;
      if (aborted) made.abort();
      return made.context;
    };
    if (isSchema(globalSchema) && isRecord(data.globalArgs)) {
      const { data: made, issues } = await parsePartly(globalSchema, encode(data.globalArgs));
      if (issues !== undefined) return { checked: "globalArguments", issues: encode(issues) };
      data.globalArgs = made;
    }
    if (form === "context") {
      const looking = contextNow();
      for (let index = 0; index < WRITERS.length; index += 1) deleteProperty(looking, WRITERS[index]);
      return encode(await apply(callee, self, [looking]));
    }
    let given = parse(args);
    if (isSchema(schema)) {
      const { data: made, issues } = await parseWith(schema, args);
      if (issues !== undefined) return { checked: "arguments", issues: encode(issues) };
      given = made;
    }
    if (form === "schemas") return encode({ arguments: given, globalArgs: data.globalArgs ?? {} });
    return encode(await apply(callee, self, [given, contextNow()]));
  };

  /** Ends a session: what was made for its calls is made anew for the next one. */
  const forget = () => {
    made = null;
  };

  return { settle, start, abort, forget, storedData, console };
};

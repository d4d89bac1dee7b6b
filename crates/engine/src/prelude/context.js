// What a method finds in its context. Every engine runs this very file (design/running.md). What it uses of the built-ins is
// captured when `makeContext` runs, before any code of an extension.

const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys, set } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const replace = uncurry(String.prototype.replace);
const lowerCase = uncurry(String.prototype.toLowerCase);
const indexOf = uncurry(String.prototype.indexOf);
const slice = uncurry(String.prototype.slice);
const { freeze } = Object;
const { isArray } = Array;
const { parse, stringify } = JSON;
const ErrorIntrinsic = Error;
const TypeErrorIntrinsic = TypeError;
const DateIntrinsic = Date;
const StringIntrinsic = String;
const { trunc: truncate } = Math;
const BytesIntrinsic = Uint8Array;

/** The name of a model type: of a text, or of the object that a context has. */
const typeName = (type) => (typeof type === "string" ? type : type?.normalized ?? type?.raw ?? null);

/** A model type as a context has it. */
const modelTypeOf = (raw) => {
  const normalized = lowerCase(raw);
  return freeze({
    raw,
    normalized,
    toNormalized: () => normalized,
    toDirectoryPath: () => normalized,
    toString: () => raw,
    equals: (other) => lowerCase(`${typeName(other)}`) === normalized,
  });
};

/**
 * The parts of a context. `send(name, parts)` tells the host and waits for nothing. `tools` are `show`, `inspect`, `isRecord` and
 * `bytesOf` of the calls. Gives the console, `outgoing`, which makes of content what travels, and `contextsOf({ request, requestNow })`, which makes the contexts of one call:
 * `request(name, parts)` asks the host and gives a promise; `requestNow(name, parts)` gives the answer, or throws.
 */
export const makeContext = ({ send, show, inspect, isRecord, bytesOf }) => {
  const { TextDecoder: TextDecoderIntrinsic, TextEncoder: TextEncoderIntrinsic } = globalThis;
  const { AbortController: AbortControllerIntrinsic } = globalThis;
  const newIdentifier = uncurry(globalThis.crypto.randomUUID);
  const { crypto } = globalThis;
  const fromBase64 = BytesIntrinsic.fromBase64;
  const encoder = new TextEncoderIntrinsic();

  // -------------------------------------------------------------------------------------------------------------
  // Logging.

  // `info("made {count} zones", { count: 2, zone: "a" })` says `made 2 zones {"zone":"a"}`: nothing is lost.
  const filled = (text, properties, own) => {
    const unused = { ...own };
    const result = replace(text, /\{\{|\}\}|\{([\w.]+)\}/g, (whole, key) => {
      if (key === undefined) return whole[0];
      if (!(key in properties)) return whole;
      delete unused[key];
      return show(properties[key]);
    });
    const rest = show(unused);
    return rest === "{}" ? result : `${result} ${rest}`;
  };
  const joined = (strings, values) => {
    let text = `${strings[0]}`;
    for (let index = 0; index < values.length; index += 1) text += `${show(values[index])}${strings[index + 1] ?? ""}`;
    return text;
  };
  const isTemplate = (value) => isArray(value) && isArray(value.raw);
  const after = (parts) => {
    const rest = [];
    for (let index = 1; index < parts.length; index += 1) rest[index - 1] = parts[index];
    return rest;
  };
  const lineOf = (parts, properties) => {
    const first = parts[0];
    if (typeof first === "function") {
      const made = first((strings, ...values) => joined(strings, values));
      return isTemplate(made) ? joined(made, []) : show(made);
    }
    if (isTemplate(first)) return joined(first, after(parts));
    const hasOwn = parts.length === 2 && typeof first === "string" && isRecord(parts[1]);
    if (hasOwn) return filled(first, { ...properties, ...parts[1] }, parts[1]);
    const isFilled = parts.length === 1 && typeof first === "string" && ownKeys(properties).length > 0;
    let text = parts.length === 0 ? "" : isFilled ? filled(first, properties, {}) : show(first);
    for (let index = 1; index < parts.length; index += 1) text += ` ${show(parts[index])}`;
    return text;
  };
  const say = (level, properties = {}) => (...parts) => send("log", [level, lineOf(parts, properties)]);
  const loggerOf = (properties) =>
    freeze({
      trace: say("debug", properties),
      debug: say("debug", properties),
      info: say("info", properties),
      warn: say("warn", properties),
      warning: say("warn", properties),
      error: say("error", properties),
      fatal: say("error", properties),
      with: (further) => loggerOf({ ...properties, ...further }),
      getChild: () => loggerOf(properties),
    });
  const logger = loggerOf({});
  const silent = () => {};
  /** What `%s` and its like in the first text make of a value; `undefined` for what is none of them. */
  const formatted = (letter, value) => {
    switch (letter) {
      case "s":
        try {
          return StringIntrinsic(value);
        } catch {
          return inspect(value);
        }
      case "d": case "i":
        if (typeof value === "bigint") return `${value}n`;
        return typeof value === "number" ? `${truncate(value)}` : "NaN";
      case "f": return typeof value === "number" ? `${value}` : "NaN";
      case "o": case "O": return inspect(value);
      // A style, which a log has none of.
      case "c": return "";
      default: return undefined;
    }
  };
  const consoleLine = (parts) => {
    let [text, used] = ["", 0];
    const first = parts[0];
    if (typeof first === "string" && parts.length > 1) {
      used = 1;
      for (let at = 0; at < first.length; at += 1) {
        const letter = first[at + 1];
        const isMark = first[at] === "%" && letter !== undefined && used < parts.length;
        const made = !isMark ? undefined : letter === "%" ? "%" : formatted(letter, parts[used]);
        text += made ?? first[at];
        if (made === undefined) continue;
        at += 1;
        if (letter !== "%") used += 1;
      }
    }
    for (let index = used; index < parts.length; index += 1) text += `${index > 0 ? " " : ""}${inspect(parts[index])}`;
    return text;
  };
  const assertion = (holds, ...parts) => {
    if (holds) return;
    const [first] = parts;
    const rest = after(parts);
    if (typeof first === "string") send("log", ["error", consoleLine([`Assertion failed: ${first}`, ...rest])]);
    else send("log", ["error", consoleLine(["Assertion failed", ...parts])]);
  };
  const print = (level) => (...parts) => send("log", [level, consoleLine(parts)]);
  /** A console whose lines go where those of the logger go. */
  const speakingConsole = {
    debug: print("debug"), log: print("info"), info: print("info"), warn: print("warn"), error: print("error"), trace: print("debug"),
    dir: (value) => send("log", ["info", inspect(value)]), table: print("info"), dirxml: print("info"), timeLog: silent, count: silent, countReset: silent, groupCollapsed: silent,
    assert: assertion, group: print("info"), groupEnd: silent, time: silent, timeEnd: silent,
  };

  // -------------------------------------------------------------------------------------------------------------
  // Content travels as text where its bytes are UTF-8, else as `{ base64 }`.

  const outgoing = (content) => {
    if (typeof content === "string") return content;
    const bytes = bytesOf(content);
    try {
      return new TextDecoderIntrinsic("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return { base64: bytes.toBase64() };
    }
  };
  const incoming = (content) => {
    if (content === null || content === undefined) return null;
    return typeof content === "string" ? encoder.encode(content) : apply(fromBase64, BytesIntrinsic, [content.base64]);
  };
  /** All chunks of a stream together: text if all of them are, else bytes. `onLine` is told of each line. */
  const collected = async (stream, onLine) => {
    const chunks = [];
    const decoder = new TextDecoderIntrinsic();
    let isText = true;
    let length = 0;
    let line = "";
    const tell = (text, isLast) => {
      if (onLine === undefined) return;
      line += text;
      for (let end = indexOf(line, "\n"); end >= 0; end = indexOf(line, "\n")) {
        onLine(slice(line, 0, end));
        line = slice(line, end + 1);
      }
      if (isLast && line !== "") onLine(line);
    };
    for await (const chunk of stream) {
      isText &&= typeof chunk === "string";
      const bytes = typeof chunk === "string" ? encoder.encode(chunk) : bytesOf(chunk);
      chunks[chunks.length] = bytes;
      length += bytes.length;
      tell(decoder.decode(bytes, { stream: true }), false);
    }
    tell(decoder.decode(), true);
    const whole = new BytesIntrinsic(length);
    let at = 0;
    for (let index = 0; index < chunks.length; index += 1) {
      whole.set(chunks[index], at);
      at += chunks[index].length;
    }
    return isText ? new TextDecoderIntrinsic().decode(whole) : whole;
  };

  // -------------------------------------------------------------------------------------------------------------
  // Repositories.

  const dataOf = (plain) => {
    if (plain === null || plain === undefined) return null;
    const data = { ...plain, createdAt: new DateIntrinsic(plain.createdAt), toData: () => ({ ...plain }) };
    const add = (name, get) => defineProperty(data, name, { get, enumerable: true });
    add("type", () => plain.tags?.type);
    add("isDeleted", () => plain.lifecycle === "deleted");
    add("isRenamed", () => plain.renamedTo !== undefined);
    return data;
  };
  const each = (list, make) => {
    const made = [];
    for (let index = 0; index < list.length; index += 1) made[index] = make(list[index]);
    return made;
  };
  const located = ({ data, modelType, modelId }) => ({ data: dataOf(data), modelType: modelTypeOf(modelType), modelId });
  const dataList = (list) => each(list, dataOf);
  const locatedList = (list) => each(list, located);
  const asIs = (value) => value;

  // What is asked with a type first: the host has its name.
  const typed = (parts) => {
    const sent = [typeName(parts[0])];
    for (let index = 1; index < parts.length; index += 1) sent[index] = parts[index];
    return sent;
  };
  const refused = (owner, name) => () => {
    throw new ErrorIntrinsic(`ctx.${owner}.${name} is not supported in this version`);
  };
  const latestVersion = (versions) => (versions.length === 0 ? null : versions[versions.length - 1]);
  const READING = {
    getContent: { sent: typed, made: incoming },
    findByName: { sent: typed, made: dataOf },
    findById: { sent: typed, made: dataOf },
    findAllForModel: { sent: typed, made: dataList },
    findAllForType: { sent: typed, made: locatedList },
    findAllGlobal: { sent: asIs, made: locatedList },
    findByTaggedName: { sent: asIs, made: locatedList },
    listVersions: { sent: typed, made: asIs },
  };
  const NOT_SUPPORTED = ["append", "allocateVersion", "finalizeVersion", "rename", "removeLatestMarker", "collectGarbage"];

  const definitionOf = (plain) => {
    if (plain === null || plain === undefined) return null;
    const data = stringify(plain);
    return {
      ...plain,
      getMethodArguments: (method) => plain.methods?.[method]?.arguments ?? {},
      methodData: plain.methods ?? {},
      toData: () => parse(data),
    };
  };
  const withType = (found) =>
    found === null ? null : { definition: definitionOf(found), type: modelTypeOf(found.type) };

  /** Puts what is stored in place of a sensitive value into the object that was given. */
  const putInto = (object, { path, text }) => {
    let holder = object;
    const last = path.length - 1;
    for (let index = 0; index < last && isRecord(holder); index += 1) holder = holder[path[index]];
    if (isRecord(holder)) set(holder, path[last], text);
  };

  /** The value with `***` in place of what stands at these paths of members. */
  const without = (value, paths) => {
    let copy = value;
    for (let index = 0; index < paths.length; index += 1) copy = masked(copy, paths[index], 0);
    return copy;
  };
  const masked = (value, path, at) => {
    if (value === null || value === undefined) return value;
    if (at === path.length) return "***";
    if (!isRecord(value) || getOwnPropertyDescriptor(value, path[at]) === undefined) return value;
    return { ...value, [path[at]]: masked(value[path[at]], path, at + 1) };
  };

  // -------------------------------------------------------------------------------------------------------------
  // Whatever asks the host belongs to one call.

  const contextsOf = ({ request, requestNow }) => {
    const fileWriter = (spec, instance, overrides = null) => {
      let lines = null;
      let reserved = null;
      let written = null;
      const once = () => {
        if (written !== null) throw new ErrorIntrinsic(`the file \`${show(instance)}\` is written already; a writer writes one version`);
      };
      const write = (content) => {
        once();
        written = request("writeFile", [spec, instance, outgoing(content), overrides]);
        return written;
      };
      return {
        name: instance,
        dataId: undefined,
        writeAll: async (content) => write(content),
        writeText: async (text) => write(`${text}`),
        writeLine: async (line) => {
          once();
          lines = `${lines ?? ""}${line}\n`;
        },
        writeStream: async (stream, options) => {
          once();
          return write(await collected(stream, options?.onLine));
        },
        getFilePath: async () => {
          once();
          reserved ??= request("filePath", [spec, instance, overrides]);
          return (await reserved).path;
        },
        finalize: async () => {
          if (written !== null) return written;
          if (lines !== null) return write(lines);
          if (reserved === null) throw new ErrorIntrinsic(`nothing was written to the file \`${show(instance)}\``);
          const { version } = await reserved;
          written = request("finishFile", [spec, instance, version, overrides]);
          return written;
        },
      };
    };

    const dataRepository = { namespace: "", nextId: () => newIdentifier(crypto) };
    const names = ownKeys(READING);
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index];
      const { sent, made } = READING[name];
      dataRepository[name] = async (...parts) => made(await request(`data.${name}`, sent(parts)));
      dataRepository[`${name}Sync`] = (...parts) => made(requestNow(`data.${name}`, sent(parts)));
    }
    dataRepository.getLatestVersionSync = (...parts) => latestVersion(requestNow("data.listVersions", typed(parts)));
    dataRepository.getContentPath = (...parts) => requestNow("data.contentPath", typed(parts));
    dataRepository.getPath = (...parts) => replace(requestNow("data.contentPath", typed(parts)), /[\\/][^\\/]*$/, "");
    dataRepository.stream = async function* (...parts) {
      const bytes = await dataRepository.getContent(...parts);
      if (bytes !== null) yield bytes;
    };
    dataRepository.save = async (type, id, data, content) => {
      const { name, contentType, lifetime, garbageCollection, streaming, tags } = data;
      const plain = { name, contentType, lifetime, garbageCollection, streaming, tags };
      return request("data.save", [typeName(type), id, plain, outgoing(content)]);
    };
    dataRepository.delete = async (...parts) => request("data.delete", typed(parts));
    for (let index = 0; index < NOT_SUPPORTED.length; index += 1) {
      dataRepository[NOT_SUPPORTED[index]] = refused("dataRepository", NOT_SUPPORTED[index]);
    }
    freeze(dataRepository);

    const definitionRepository = freeze({
      findById: async (...parts) => definitionOf(await request("definition.findById", typed(parts))),
      findByName: async (...parts) => definitionOf(await request("definition.findByName", typed(parts))),
      findByNameGlobal: async (name) => withType(await request("definition.findByNameGlobal", [name])),
      findAll: async (...parts) => each(await request("definition.findAll", typed(parts)), definitionOf),
      findAllGlobal: async () => each(await request("definition.findAllGlobal", []), withType),
      getPath: (...parts) => requestNow("definition.path", typed(parts)),
      nextId: () => newIdentifier(crypto),
      save: refused("definitionRepository", "save"),
      delete: refused("definitionRepository", "delete"),
    });

    const vaultService = freeze({
      get: (...parts) => request("vault.get", parts),
      put: (...parts) => request("vault.put", parts),
      delete: (...parts) => request("vault.delete", parts),
      list: (...parts) => request("vault.list", parts),
      getVaultNames: (...parts) => request("vault.names", parts),
      getDefaultVaultName: (...parts) => request("vault.default", parts),
    });
    const redactor = freeze({
      redact: (text) => requestNow("redact", [`${text}`]),
      get hasSecrets() {
        return requestNow("hasSecrets", []);
      },
    });

    /** An environment for expressions, which finds nothing but the variables that it is given. */
    const expressionEnvironment = () => {
      const evaluate = (expression, variables) => requestNow("expression.evaluate", [`${expression}`, variables ?? {}]);
      const environment = {
        evaluate,
        parse: (expression) => {
          requestNow("expression.parse", [`${expression}`]);
          return (variables) => evaluate(expression, variables);
        },
        // Variables are dynamic: what is said of their types changes no value.
        registerVariable: () => environment,
        registerFunction: refused("createCelEnvironment()", "registerFunction"),
        registerOperator: refused("createCelEnvironment()", "registerOperator"),
        registerType: refused("createCelEnvironment()", "registerType"),
      };
      return freeze(environment);
    };

    /** The handle has a shallow copy of the object, in which references stand for what is sensitive, as in the object itself. */
    const writeResource = async (...parts) => {
      const answer = await request("writeResource", parts);
      if (!isRecord(answer) || !isRecord(parts[2])) return answer;
      const { references = [], ...handle } = answer;
      for (let index = 0; index < references.length; index += 1) putInto(parts[2], references[index]);
      return { ...handle, attributes: { ...parts[2] } };
    };

    /** The context of one call, from the data that the host gives it, and the function that aborts it. */
    const contextOf = (data) => {
      const controller = new AbortControllerIntrinsic();
      const context = {
        ...data,
        signal: controller.signal,
        logger,
        writeResource,
        readResource: (...parts) => request("readResource", parts),
        deleteResource: (...parts) => request("deleteResource", parts),
        readModelData: (...parts) => request("readModelData", parts),
        queryData: (...parts) => request("queryData", parts),
        dataQueryService: freeze({
          query: (predicate, options) => request("queryData", [predicate, options?.select, options?.limit]),
        }),
        // It never throws.
        runModel: async (...parts) => {
          try {
            return await request("runModel", parts);
          } catch (error) {
            return { ok: false, error: { message: `${error.message}` } };
          }
        },
        extensionFile: (...parts) => requestNow("extensionFile", parts),
        onEvent: (...parts) => request("onEvent", parts),
        createFileWriter: fileWriter,
        dataRepository,
        definitionRepository,
        vaultService,
        redactor,
        createCelEnvironment: expressionEnvironment,
      };
      if (typeof data.modelType === "string") context.modelType = modelTypeOf(data.modelType);
      // What could not be evaluated must not be taken for a value.
      const raw = data.unresolvedGlobalArgs;
      if (isRecord(raw) && isRecord(context.globalArgs)) {
        const names = ownKeys(raw);
        for (let index = 0; index < names.length; index += 1) {
          const get = () => {
            throw new TypeErrorIntrinsic(`the global argument \`${names[index]}\` has no value: ${show(raw[names[index]])}`);
          };
          defineProperty(context.globalArgs, names[index], { get, enumerable: true, configurable: true });
        }
      }
      delete context.unresolvedGlobalArgs;
      return { context, abort: (reason) => controller.abort(reason) };
    };

    /** The context of a report: what is known of what has ended, and what finds out more. */
    const reportContextOf = ({ sensitive, ...known }) => {
      const context = {
        ...known,
        logger,
        dataRepository,
        definitionRepository,
        redactSensitiveArgs: (args, which) => without(args, sensitive?.[which === "global" ? "global" : "method"] ?? []),
      };
      if (typeof known.modelType === "string") {
        context.modelType = modelTypeOf(known.modelType);
        context.extensionFile = (...parts) => requestNow("extensionFile", parts);
      }
      return context;
    };

    return { contextOf, reportContextOf, dataRepository };
  };

  return { console: speakingConsole, contextsOf, outgoing };
};

// Having a driver run a method elsewhere. Every engine runs this very file (design/drivers.md). What it uses of the built-ins is
// captured when `makeDrivers` runs, before any code of an extension.

const { apply } = Reflect;
const { create } = Object;
const { isArray } = Array;
const { parse } = JSON;

/**
 * Gives `startDriver`. `tools` are `send`, `show`, `isRecord` and `encode` of the calls, and `outgoing` of the contexts, which
 * makes of bytes what travels.
 */
export const makeDrivers = ({ send, show, isRecord, encode, outgoing }) => {
  const { AbortController: AbortControllerIntrinsic, TextEncoder: TextEncoderIntrinsic } = globalThis;
  const { isView } = ArrayBuffer;
  const ArrayBufferIntrinsic = ArrayBuffer;
  const encoder = new TextEncoderIntrinsic();
  const typeOf = (value) => (value === null ? "null" : typeof value);
  const log = (level, text) => send("log", [level, text]);

  const contentOf = (content) => {
    if (content === undefined || content === null || typeof content === "string") return content ?? null;
    return isView(content) || content instanceof ArrayBufferIntrinsic ? outgoing(content) : { json: content };
  };
  const outputOf = (output) => {
    if (!isRecord(output)) return typeOf(output);
    const { kind, specName, name, type, tags, content } = output;
    return { kind, specName, name, type, tags, content: contentOf(content) };
  };
  const each = (list, make) => {
    if (!isArray(list)) return list;
    const made = [];
    for (let index = 0; index < list.length; index += 1) made[index] = make(list[index]);
    return made;
  };
  // Also an error, whose text is what it says.
  const errorOf = (error) => (error === undefined || error === null ? null : show(error?.message ?? error));

  /** What `execute` gave, as it travels. Lines in its `logs` that were told while it worked are not told again. */
  const resultOf = (result, told) => {
    if (!isRecord(result)) return { found: typeOf(result) };
    const { status, error, outputs, logs } = result;
    each(isArray(logs) ? logs : [], (line) => {
      const text = show(line);
      if (told[text] > 0) told[text] -= 1;
      else log("info", text);
    });
    return { status, error: errorOf(error), outputs: each(outputs, outputOf) };
  };

  /**
   * Makes a driver and has it execute a request. Gives a promise of the result as JSON text, of `{ absent }` with what stands
   * where its `execute` should, or of what `refusalOf` says of the configuration, which reaches the driver as it is written.
   * `onAbort` is given the function that tells the driver to end.
   */
  return async (maker, self, args, { request: given, bundle }, refusalOf, onAbort) => {
    const controller = new AbortControllerIntrinsic();
    onAbort((reason) => controller.abort(reason));
    const refusal = await refusalOf(encode(parse(args)[0]));
    if (refusal !== undefined) return refusal;
    const driver = await apply(maker, self, parse(args));
    const execute = isRecord(driver) ? driver.execute : undefined;
    if (typeof execute !== "function") return { absent: typeOf(isRecord(driver) ? execute : driver) };
    const request = bundle === null ? given : { ...given, bundle: encoder.encode(bundle) };
    const told = create(null);
    const onLog = (line) => {
      const text = show(line);
      told[text] = (told[text] ?? 0) + 1;
      log("info", text);
    };
    const { initialize, shutdown } = driver;
    try {
      if (typeof initialize === "function") await apply(initialize, driver, []);
      return encode(resultOf(await apply(execute, driver, [request, { onLog, signal: controller.signal }]), told));
    } finally {
      if (typeof shutdown === "function") {
        try {
          await apply(shutdown, driver, []);
        } catch (error) {
          // What it was to do is done, or has failed in words of its own.
          log("warn", `the driver cannot shut down: ${show(error?.message ?? error)}`);
        }
      }
    }
  };
};

// `structuredClone`. Evaluated once, before any code of an extension.

import { needs } from "mangrove:events";
import { missing } from "mangrove:refusals";

const ERRORS = { __proto__: null, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const refused = (what) => new DOMException(`${what} could not be cloned.`, "DataCloneError");
// Classes of the web platform that nobody clones; a blob is cloned elsewhere.
const UNCLONABLE = [
  "AbortController", "AbortSignal", "Event", "EventTarget", "FormData", "Headers", "ReadableStream", "Request", "Response",
  "TextDecoder", "TextEncoder", "URL", "URLSearchParams",
];
const isBuffer = (value) => value instanceof ArrayBuffer;

const copyOf = (source, seen) => {
  const clone = (value) => {
    if (typeof value === "function") throw refused(Function.prototype.toString.call(value));
    if (typeof value === "symbol") throw refused(value.toString());
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => {
      seen.set(value, copy);
      return copy;
    };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (isBuffer(value)) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer);
      return keep(new value.constructor(buffer, value.byteOffset, value.length ?? value.byteLength));
    }
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of [...value]) copy.set(clone(key), clone(item));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of [...value]) copy.add(clone(item));
      return copy;
    }
    for (const kind of [WeakMap, WeakSet, WeakRef, Promise]) if (value instanceof kind) throw refused(`#<${kind.name}>`);
    if (value instanceof Error) {
      const copy = keep(new (ERRORS[value.name] ?? Error)(value.message));
      Object.defineProperty(copy, "stack", { value: value.stack, writable: true, configurable: true });
      if ("cause" in value) Object.defineProperty(copy, "cause", { value: clone(value.cause), writable: true, configurable: true });
      return copy;
    }
    for (const name of UNCLONABLE) if (value instanceof globalThis[name]) throw refused(`#<${name}>`);
    if (value instanceof globalThis.Blob) throw missing("structuredClone of a Blob");
    if (value instanceof SharedArrayBuffer) return value;
    for (const kind of [Number, String, Boolean, BigInt]) if (value instanceof kind) return keep(Object(value.valueOf()));
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) {
      Object.defineProperty(copy, key, { __proto__: null, value: clone(value[key]), writable: true, enumerable: true, configurable: true });
    }
    return copy;
  };
  return clone(source);
};

/** The clone that the web platform makes. Buffers that are to be handed over lose their bytes when all went well. */
export const structuredClone = {
  structuredClone(value, options = {}) {
    needs("execute 'structuredClone'", 1, arguments.length);
    const transfer = [...(options?.transfer ?? [])];
    for (const item of transfer) if (!isBuffer(item)) throw missing("structuredClone with transfer of anything but buffers");
    const seen = new Map();
    for (const buffer of transfer) if (buffer.detached) throw refused("A buffer that was handed over");
    const copy = copyOf(value, seen);
    for (const buffer of transfer) buffer.transfer();
    return copy;
  },
}.structuredClone;

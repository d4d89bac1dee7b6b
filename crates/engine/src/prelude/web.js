// The parts of the web platform that work in both engines' modes: text encoding, URLs, cloning, events,
// abort signals, randomness. Natives do the parsing; this file gives them their standard faces.
// Evaluated once, before any code of an extension.

import { bytesOf } from "mangrove:calls";

const host = globalThis.__mangroveHost;

const define = (name, value) =>
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

const wellFormed = (text) => `${text}`.toWellFormed();

class TextEncoder {
  get encoding() {
    return "utf-8";
  }
  encode(text = "") {
    return host.utf8Encode(wellFormed(text));
  }
  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of wellFormed(text)) {
      const bytes = host.utf8Encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

class TextDecoder {
  #fatal;
  #ignoreBom;
  #pending = new Uint8Array(0);
  #started = false;
  constructor(label = "utf-8", options = {}) {
    if (!["utf-8", "utf8", "unicode-1-1-utf-8"].includes(`${label}`.trim().toLowerCase())) {
      throw new RangeError(`The encoding '${label}' is not supported`);
    }
    this.#fatal = Boolean(options.fatal);
    this.#ignoreBom = Boolean(options.ignoreBOM);
  }
  get encoding() {
    return "utf-8";
  }
  get fatal() {
    return this.#fatal;
  }
  get ignoreBOM() {
    return this.#ignoreBom;
  }
  decode(source, options = {}) {
    let bytes = bytesOf(source);
    if (this.#pending.length > 0) {
      const joined = new Uint8Array(this.#pending.length + bytes.length);
      joined.set(this.#pending);
      joined.set(bytes, this.#pending.length);
      bytes = joined;
    }
    const kept = options.stream ? host.utf8Tail(bytes.subarray(-3).toHex()) : 0;
    this.#pending = bytes.slice(bytes.length - kept);
    let text = host.utf8Decode(bytes.subarray(0, bytes.length - kept).toHex(), this.#fatal);
    if (text === undefined) throw new TypeError("The encoded data is not valid UTF-8");
    if (!this.#started && !this.#ignoreBom && text.startsWith("\uFEFF")) text = text.slice(1);
    this.#started = Boolean(options.stream) && (this.#started || text.length > 0);
    return text;
  }
}

const owners = new WeakMap();

class URLSearchParams {
  #pairs = [];
  constructor(source = "") {
    if (typeof source === "object" && source !== null) {
      const pairs = typeof source[Symbol.iterator] === "function" ? [...source] : Object.entries(source);
      for (const pair of pairs) {
        const [name, value, ...rest] = pair;
        if (value === undefined || rest.length > 0) throw new TypeError("Each pair must be a name and a value");
        this.#pairs.push([wellFormed(name), wellFormed(value)]);
      }
    } else {
      this.#pairs = host.formParse(wellFormed(source).replace(/^\?/, ""));
    }
  }
  #changed() {
    owners.get(this)?.(this.toString());
  }
  get size() {
    return this.#pairs.length;
  }
  append(name, value) {
    this.#pairs.push([wellFormed(name), wellFormed(value)]);
    this.#changed();
  }
  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== `${name}` || (value !== undefined && pair[1] !== `${value}`));
    this.#changed();
  }
  get(name) {
    return this.#pairs.find((pair) => pair[0] === `${name}`)?.[1] ?? null;
  }
  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === `${name}`).map((pair) => pair[1]);
  }
  has(name, value) {
    return this.#pairs.some((pair) => pair[0] === `${name}` && (value === undefined || pair[1] === `${value}`));
  }
  set(name, value) {
    const first = this.#pairs.find((pair) => pair[0] === `${name}`);
    if (first === undefined) return this.append(name, value);
    first[1] = wellFormed(value);
    this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== `${name}`);
    this.#changed();
  }
  sort() {
    this.#pairs.sort((left, right) => (left[0] < right[0] ? -1 : left[0] > right[0] ? 1 : 0));
    this.#changed();
  }
  forEach(callback, self) {
    for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
  }
  *entries() {
    for (const [name, value] of this.#pairs) yield [name, value];
  }
  *keys() {
    for (const pair of this.#pairs) yield pair[0];
  }
  *values() {
    for (const pair of this.#pairs) yield pair[1];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    return host.formSerialize(this.#pairs.flat());
  }
  static reset(params, text) {
    params.#pairs = host.formParse(text);
  }
}
const resetParams = URLSearchParams.reset;
delete URLSearchParams.reset;

class URL {
  #href;
  #params;
  constructor(url, base) {
    const href = host.urlParse(wellFormed(url), base === undefined ? undefined : wellFormed(base));
    if (href === undefined) throw new TypeError(`Invalid URL: '${url}'`);
    this.#href = href;
  }
  static canParse(url, base) {
    return URL.parse(url, base) !== null;
  }
  static parse(url, base) {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }
  static {
    for (const part of ["protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"]) {
      Object.defineProperty(this.prototype, part, {
        enumerable: true,
        configurable: true,
        get() {
          return host.urlGet(this.#href, part);
        },
        set(value) {
          this.#href = host.urlSet(this.#href, part, wellFormed(value));
          if (part === "search") this.#refresh();
        },
      });
    }
  }
  #refresh() {
    if (this.#params) resetParams(this.#params, this.search.slice(1));
  }
  get origin() {
    return host.urlGet(this.#href, "origin");
  }
  get href() {
    return this.#href;
  }
  set href(value) {
    const href = host.urlParse(wellFormed(value), undefined);
    if (href === undefined) throw new TypeError(`Invalid URL: '${value}'`);
    this.#href = href;
    this.#refresh();
  }
  get searchParams() {
    if (!this.#params) {
      this.#params = new URLSearchParams(this.search);
      owners.set(this.#params, (text) => {
        this.#href = host.urlSet(this.#href, "search", text);
      });
    }
    return this.#params;
  }
  toString() {
    return this.#href;
  }
  toJSON() {
    return this.#href;
  }
}

const cloneError = (what) => new DOMException(`${what} could not be cloned`, "DataCloneError");

const structuredClone = (source) => {
  const seen = new Map();
  const clone = (value) => {
    if (typeof value === "function" || typeof value === "symbol") throw cloneError(typeof value);
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => {
      seen.set(value, copy);
      return copy;
    };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer);
      return keep(new value.constructor(buffer, value.byteOffset, value.length ?? value.byteLength));
    }
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of value) copy.set(clone(key), clone(item));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of value) copy.add(clone(item));
      return copy;
    }
    if (value instanceof WeakMap || value instanceof WeakSet || value instanceof Promise) throw cloneError("The object");
    if (value instanceof Error) {
      const copy = keep(new Error(value.message));
      copy.name = value.name;
      copy.stack = value.stack;
      if ("cause" in value) copy.cause = clone(value.cause);
      return copy;
    }
    if (value instanceof Number || value instanceof String || value instanceof Boolean) return keep(Object(value.valueOf()));
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) copy[key] = clone(value[key]);
    return copy;
  };
  return clone(source);
};

class Event {
  constructor(type, options = {}) {
    this.type = `${type}`;
    this.cancelable = Boolean(options.cancelable);
    this.defaultPrevented = false;
    this.target = null;
  }
  preventDefault() {
    this.defaultPrevented = this.cancelable;
  }
}

class CustomEvent extends Event {
  constructor(type, options = {}) {
    super(type, options);
    this.detail = options.detail ?? null;
  }
}

class EventTarget {
  #listeners = [];
  addEventListener(type, listener, options) {
    if (listener && !this.#listeners.some((known) => known.type === type && known.listener === listener)) {
      this.#listeners.push({ type, listener, once: typeof options === "object" && Boolean(options?.once) });
    }
  }
  removeEventListener(type, listener) {
    this.#listeners = this.#listeners.filter((known) => known.type !== type || known.listener !== listener);
  }
  dispatchEvent(event) {
    event.target = this;
    // One that throws keeps the others from nothing.
    const thrown = [];
    for (const known of this.#listeners.filter((listener) => listener.type === event.type)) {
      if (known.once) this.removeEventListener(known.type, known.listener);
      try {
        if (typeof known.listener === "function") known.listener.call(this, event);
        else known.listener.handleEvent(event);
      } catch (error) {
        thrown.push(error);
      }
    }
    if (thrown.length > 0) throw thrown[0];
    return !event.defaultPrevented;
  }
}

class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  onabort = null;
  get aborted() {
    return this.#aborted;
  }
  get reason() {
    return this.#reason;
  }
  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }
  static abort(reason) {
    const signal = new AbortSignal();
    fire(signal, reason);
    return signal;
  }
  static any(signals) {
    const joined = new AbortSignal();
    for (const signal of signals) {
      if (signal.aborted) fire(joined, signal.reason);
      else signal.addEventListener("abort", () => fire(joined, signal.reason), { once: true });
    }
    return joined;
  }
  static timeout(milliseconds) {
    const signal = new AbortSignal();
    globalThis.setTimeout(() => fire(signal, new DOMException("The operation timed out", "TimeoutError")), milliseconds);
    return signal;
  }
  static fire(signal, reason = new DOMException("The operation was aborted", "AbortError")) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason;
    const event = new Event("abort");
    try {
      signal.onabort?.(event);
    } finally {
      signal.dispatchEvent(event);
    }
  }
}
const fire = AbortSignal.fire;
delete AbortSignal.fire;

class AbortController {
  #signal = new AbortSignal();
  get signal() {
    return this.#signal;
  }
  abort(reason) {
    fire(this.#signal, reason);
  }
}

const randomUuid = () => {
  const bytes = host.randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

const getRandomValues = (view) => {
  const bytes = bytesOf(view);
  if (bytes.length > 65536) throw new DOMException("At most 65536 bytes at once", "QuotaExceededError");
  bytes.set(host.randomBytes(bytes.length));
  return view;
};

const web = {
  TextEncoder,
  TextDecoder,
  URL,
  URLSearchParams,
  structuredClone,
  Event,
  CustomEvent,
  EventTarget,
  AbortSignal,
  AbortController,
};
for (const name of Object.keys(web)) define(name, web[name]);
define("performance", { now: () => host.now() - host.start, timeOrigin: host.start, mark() {}, measure() {} });
define("self", globalThis);
define("global", globalThis);
define("navigator", { userAgent: "Mangrove", hardwareConcurrency: 1, language: "en" });

export { define, getRandomValues, randomUuid };

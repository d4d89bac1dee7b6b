// The parts of the web platform that work in both engines' modes: text encoding, URLs, cloning, events,
// abort signals, randomness. Natives do the parsing; this file gives them their standard faces.
// Evaluated once, before any code of an extension.

import { bytesOf } from "mangrove:calls";
import { structuredClone } from "mangrove:cloning";
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget, needs, tagged } from "mangrove:events";

const host = globalThis.__mangroveHost;

const define = (name, value) =>
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

const wellFormed = (text) => `${text}`.toWellFormed();

const isBytes = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;

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
  #encoding;
  #fatal;
  #ignoreBom;
  /** Decodes the text under way: its bytes may come in parts. */
  #decode;
  constructor(label = "utf-8", options = {}) {
    this.#encoding = host.encodingOf(wellFormed(label));
    if (this.#encoding === undefined) throw new RangeError(`The encoding label provided ('${label}') is invalid.`);
    this.#fatal = Boolean(options.fatal);
    this.#ignoreBom = Boolean(options.ignoreBOM);
  }
  get encoding() {
    return this.#encoding;
  }
  get fatal() {
    return this.#fatal;
  }
  get ignoreBOM() {
    return this.#ignoreBom;
  }
  decode(source, options = {}) {
    if (source !== undefined && !isBytes(source)) {
      throw new TypeError("Failed to execute 'decode' on 'TextDecoder': Argument 1 is not an ArrayBuffer, SharedArrayBuffer, or a view on one");
    }
    const decode = (this.#decode ??= host.newDecoder(this.#encoding, this.#fatal, this.#ignoreBom));
    const isLast = !options.stream;
    if (isLast) this.#decode = undefined;
    const text = decode(bytesOf(source).toHex(), isLast);
    if (text === undefined) throw new TypeError("The encoded data is not valid");
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
        const parts = [...pair];
        if (parts.length !== 2) throw new TypeError("Each query pair must be an iterable [name, value] tuple");
        this.#pairs.push([wellFormed(parts[0]), wellFormed(parts[1])]);
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
  // What is taken away or added meanwhile counts.
  *entries() {
    for (let index = 0; index < this.#pairs.length; index += 1) yield [...this.#pairs[index]];
  }
  *keys() {
    for (const pair of this.entries()) yield pair[0];
  }
  *values() {
    for (const pair of this.entries()) yield pair[1];
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

const randomUuid = () => {
  const bytes = host.randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

const WHOLE_NUMBERS = /^(?:Big)?(?:Ui|I)nt\d+(?:Clamped)?Array$/;
const getRandomValues = (view) => {
  if (!ArrayBuffer.isView(view) || !WHOLE_NUMBERS.test(view[Symbol.toStringTag])) {
    throw new DOMException("The provided value is not an integer-type TypedArray", "TypeMismatchError");
  }
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
for (const constructor of [TextEncoder, TextDecoder, URL, URLSearchParams]) tagged(constructor, constructor.name);
for (const name of ["atob", "btoa"]) {
  const plain = globalThis[name];
  const strict = {
    [name](text) {
      needs(`execute '${name}'`, 1, arguments.length);
      return plain(text);
    },
  };
  define(name, strict[name]);
}
if (Symbol.metadata === undefined) Object.defineProperty(Symbol, "metadata", { value: Symbol("Symbol.metadata") });
define("self", globalThis);
define("global", globalThis);

export { define, getRandomValues, randomUuid };

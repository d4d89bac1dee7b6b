// What requests and answers carry: blobs, forms, and the bodies themselves. Evaluated once, before any code of an extension.

import { bytesOf } from "mangrove:calls";
import { missing } from "mangrove:refusals";
import { ReadableStream, isDisturbed } from "mangrove:streams";
import "mangrove:web";

const { TextDecoder, TextEncoder, URLSearchParams } = globalThis;
const utf8 = (text) => new TextEncoder().encode(text);
const join = (chunks) => {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
};
const streamOf = (bytes) =>
  new ReadableStream(
    {
      pull(controller) {
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );

const contents = new WeakMap();
class Blob {
  #type;
  constructor(parts = [], { type = "" } = {}) {
    if (typeof parts !== "object" || parts === null) throw new TypeError("The parts are no list");
    const chunks = [];
    for (const part of parts) {
      if (part instanceof Blob) chunks.push(contents.get(part));
      else if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) chunks.push(bytesOf(part).slice());
      else chunks.push(utf8(`${part}`));
    }
    contents.set(this, join(chunks));
    const wanted = `${type}`;
    this.#type = /[^\x20-\x7e]/.test(wanted) ? "" : wanted.toLowerCase();
  }
  get size() {
    return contents.get(this).length;
  }
  get type() {
    return this.#type;
  }
  async bytes() {
    return contents.get(this).slice();
  }
  async arrayBuffer() {
    return contents.get(this).slice().buffer;
  }
  async text() {
    return new TextDecoder().decode(contents.get(this));
  }
  stream() {
    return streamOf(contents.get(this).slice());
  }
  slice(start, end, type = "") {
    return new Blob([contents.get(this).slice(start, end)], { type });
  }
  get [Symbol.toStringTag]() {
    return "Blob";
  }
}

class File extends Blob {
  #name;
  #lastModified;
  constructor(parts, name, options = {}) {
    super(parts, options);
    this.#name = `${name}`;
    this.#lastModified = options.lastModified ?? Date.now();
  }
  get name() {
    return this.#name;
  }
  get lastModified() {
    return this.#lastModified;
  }
  get [Symbol.toStringTag]() {
    return "File";
  }
}

class FormData {
  #entries = [];
  constructor(form) {
    if (form !== undefined) throw new TypeError("There are no forms to read");
  }
  #entry(name, value, filename) {
    if (!(value instanceof Blob)) return [`${name}`.toWellFormed(), `${value}`.toWellFormed()];
    if (value instanceof File && filename === undefined) return [`${name}`.toWellFormed(), value];
    return [`${name}`.toWellFormed(), new File([value], filename ?? "blob", { type: value.type })];
  }
  append(name, value, filename) {
    this.#entries.push(this.#entry(name, value, filename));
  }
  set(name, value, filename) {
    const entry = this.#entry(name, value, filename);
    const at = this.#entries.findIndex(([known]) => known === entry[0]);
    this.delete(name);
    if (at < 0) this.#entries.push(entry);
    else this.#entries.splice(at, 0, entry);
  }
  delete(name) {
    this.#entries = this.#entries.filter(([known]) => known !== `${name}`);
  }
  get(name) {
    return this.#entries.find(([known]) => known === `${name}`)?.[1] ?? null;
  }
  getAll(name) {
    return this.#entries.filter(([known]) => known === `${name}`).map(([, value]) => value);
  }
  has(name) {
    return this.#entries.some(([known]) => known === `${name}`);
  }
  forEach(callback, self) {
    for (const [name, value] of this.#entries) callback.call(self, value, name, this);
  }
  *entries() {
    for (const [name, value] of this.#entries) yield [name, value];
  }
  *keys() {
    for (const [name] of this.#entries) yield name;
  }
  *values() {
    for (const [, value] of this.#entries) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  get [Symbol.toStringTag]() {
    return "FormData";
  }
}

// As the HTML standard wants it: lines end in CRLF, and what would end a name is written as a percent sign and a number.
const lines = (text) => text.replace(/\r\n?|\n/g, "\r\n");
const quoted = (text) => text.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
const multipart = (form) => {
  const digits = Array.from(globalThis.crypto.getRandomValues(new Uint8Array(28)), (byte) => byte % 10).join("");
  const boundary = `----${digits}`;
  const chunks = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(lines(name))}"`;
    if (typeof value === "string") {
      chunks.push(utf8(`${head}\r\n\r\n${lines(value)}\r\n`));
    } else {
      const type = value.type || "application/octet-stream";
      chunks.push(utf8(`${head}; filename="${quoted(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`));
      chunks.push(contents.get(value), utf8("\r\n"));
    }
  }
  chunks.push(utf8(`--${boundary}--`));
  return { bytes: join(chunks), type: `multipart/form-data; boundary=${boundary}` };
};

const consumed = () => new TypeError("Body already consumed");

/** The body of a request or an answer: bytes, or a stream of them. */
class Body {
  #bytes;
  #stream;
  #isUsed = false;
  constructor({ bytes = null, stream = null }) {
    this.#bytes = bytes;
    this.#stream = stream;
  }
  /** The body that a value makes, and the type of its content; `{ body: null }` of none. */
  static of(value) {
    if (value === undefined || value === null) return { body: null, type: null };
    const made = (bytes, type) => ({ body: new Body({ bytes }), type });
    if (value instanceof ReadableStream) {
      if (value.locked || isDisturbed(value)) throw new TypeError("ReadableStream is locked or disturbed");
      return { body: new Body({ stream: value }), type: null };
    }
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return made(bytesOf(value).slice(), null);
    if (value instanceof Blob) return made(contents.get(value), value.type || null);
    if (value instanceof URLSearchParams) {
      return made(utf8(value.toString()), "application/x-www-form-urlencoded;charset=UTF-8");
    }
    if (value instanceof FormData) {
      const { bytes, type } = multipart(value);
      return made(bytes, type);
    }
    if (typeof value[Symbol.asyncIterator] === "function") {
      return { body: new Body({ stream: ReadableStream.from(value) }), type: null };
    }
    return made(utf8(`${value}`), "text/plain;charset=UTF-8");
  }
  /** Its bytes where they are known without reading a stream, else `null`. Nobody can use it afterwards. */
  takeKnown() {
    if (this.isUnusable) throw consumed();
    if (this.#bytes === null) return null;
    this.#isUsed = true;
    return this.#bytes;
  }
  get stream() {
    if (this.#stream === null) {
      this.#stream = streamOf(this.#bytes);
      if (this.#isUsed) this.#stream.cancel();
    }
    return this.#stream;
  }
  get isUsed() {
    return this.#isUsed || (this.#stream !== null && isDisturbed(this.#stream));
  }
  get isUnusable() {
    return this.isUsed || (this.#stream !== null && this.#stream.locked);
  }
  async take() {
    if (this.isUnusable) throw consumed();
    this.#isUsed = true;
    if (this.#bytes !== null) return this.#bytes.slice();
    const chunks = [];
    for await (const chunk of this.#stream) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError("A body has chunks of bytes");
      chunks.push(chunk);
    }
    return join(chunks);
  }
  copy() {
    if (this.isUnusable) throw new TypeError("Body is unusable: it is locked or has been read");
    if (this.#bytes !== null) return new Body({ bytes: this.#bytes });
    const [mine, other] = this.#stream.tee();
    this.#stream = mine;
    return new Body({ stream: other });
  }
}

/** What requests and answers have of their bodies. `read(self)` gives the body or `null`, and the type of its content. */
const withBody = (prototype, read) => {
  const bytes = async (self) => (await read(self).body?.take()) ?? new Uint8Array(0);
  const text = async (self) => new TextDecoder().decode(await bytes(self));
  const members = {
    async text() {
      return text(this);
    },
    async json() {
      return JSON.parse(await text(this));
    },
    async bytes() {
      return bytes(this);
    },
    async arrayBuffer() {
      return (await bytes(this)).buffer;
    },
    async blob() {
      return new Blob([await bytes(this)], { type: read(this).type ?? "" });
    },
    async formData() {
      const type = (read(this).type ?? "").split(";")[0].trim().toLowerCase();
      if (type === "multipart/form-data") throw missing("formData() of a body in parts");
      if (type !== "application/x-www-form-urlencoded") throw new TypeError("Body can not be decoded as form data");
      const form = new FormData();
      for (const [name, value] of new URLSearchParams(await text(this))) form.append(name, value);
      return form;
    },
  };
  for (const name of Object.keys(members)) {
    Object.defineProperty(prototype, name, { value: members[name], writable: true, configurable: true, enumerable: true });
  }
  const getters = {
    body: (self) => read(self).body?.stream ?? null,
    bodyUsed: (self) => read(self).body?.isUsed ?? false,
  };
  for (const name of Object.keys(getters)) {
    const get = function () {
      return getters[name](this);
    };
    Object.defineProperty(prototype, name, { get, configurable: true, enumerable: true });
  }
};

export { Blob, Body, File, FormData, withBody };

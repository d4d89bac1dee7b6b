// The headers of requests and answers. Evaluated once, before any code of an extension.

const name = (text) => {
  const written = `${text}`;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(written)) throw new TypeError(`Invalid header name: "${written}"`);
  return written.toLowerCase();
};
const value = (text) => {
  const written = `${text}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  // A character stands for a byte.
  if (/[^\x01-\x09\x0b\x0c\x0e-\xff]/.test(written)) throw new TypeError(`Invalid header value: "${written}"`);
  return written;
};

class Headers {
  #lines = [];
  constructor(source) {
    if (source === undefined || source === null) return;
    if (typeof source !== "object") throw new TypeError("Headers are an object or a list of pairs");
    const pairs = typeof source[Symbol.iterator] === "function" ? source : Object.entries(source);
    for (const pair of pairs) {
      const parts = [...pair];
      if (parts.length !== 2) throw new TypeError(`Invalid header. Length must be 2, but is ${parts.length}`);
      this.append(parts[0], parts[1]);
    }
  }
  append(key, text) {
    this.#lines.push([name(key), value(text)]);
  }
  set(key, text) {
    const line = [name(key), value(text)];
    const at = this.#lines.findIndex(([known]) => known === line[0]);
    if (at < 0) {
      this.#lines.push(line);
    } else {
      this.#lines = this.#lines.filter(([known], index) => index <= at || known !== line[0]);
      this.#lines[at] = line;
    }
  }
  delete(key) {
    const wanted = name(key);
    this.#lines = this.#lines.filter(([known]) => known !== wanted);
  }
  get(key) {
    const wanted = name(key);
    const found = this.#lines.filter(([known]) => known === wanted);
    return found.length === 0 ? null : found.map(([, text]) => text).join(", ");
  }
  getSetCookie() {
    return this.#lines.filter(([known]) => known === "set-cookie").map(([, text]) => text);
  }
  has(key) {
    const wanted = name(key);
    return this.#lines.some(([known]) => known === wanted);
  }
  forEach(callback, self) {
    for (const [key, text] of this) callback.call(self, text, key, this);
  }
  *entries() {
    const grouped = new Map();
    for (const [key, text] of this.#lines) {
      const found = grouped.get(key);
      if (found === undefined) grouped.set(key, [text]);
      else found.push(text);
    }
    for (const key of [...grouped.keys()].sort()) {
      const found = grouped.get(key);
      if (key === "set-cookie") for (const cookie of found) yield [key, cookie];
      else yield [key, found.join(", ")];
    }
  }
  *keys() {
    for (const [key] of this.entries()) yield key;
  }
  *values() {
    for (const [, text] of this.entries()) yield text;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  get [Symbol.toStringTag]() {
    return "Headers";
  }
}

export { Headers };

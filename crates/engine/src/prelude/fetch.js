// Requests over the network, with the faces that the Fetch standard gives them. The host does the work: it checks every hop
// against the grants, follows redirects, and passes bodies on as they are asked for (design/running.md). Evaluated once,
// before any code of an extension.

import { Blob, Body, File, FormData, withBody } from "mangrove:bodies";
import { Headers } from "mangrove:headers";
import { denied, missing } from "mangrove:refusals";
import { ReadableStream } from "mangrove:streams";
import { ofTheEnd } from "mangrove:uncaught";
import { define } from "mangrove:web";

const host = globalThis.__mangroveHost;
const { AbortController, AbortSignal, TextEncoder, URL } = globalThis;
const { parse, stringify } = JSON;

/** The longest body of a request, in bytes. */
const LONGEST_BODY = 64 * 1024 * 1024;

const STANDARD_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];
const methodOf = (text) => {
  const method = `${text}`;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError("Method is not valid");
  const upper = method.toUpperCase();
  if (["CONNECT", "TRACE", "TRACK"].includes(upper)) throw new TypeError("Method is forbidden");
  return STANDARD_METHODS.includes(upper) ? upper : method;
};
const redirectOf = (text) => {
  if (["follow", "manual", "error"].includes(text)) return text;
  throw new TypeError(`redirect is "follow", "manual" or "error", not ${stringify(text)}`);
};

const requests = new WeakMap();
class Request {
  constructor(input, init = {}) {
    const given = input instanceof Request ? requests.get(input) : null;
    const options = init ?? {};
    if (options.client !== undefined) throw missing("fetch with a client of its own");
    const url = given?.url ?? new URL(`${input}`).href;
    const method = options.method === undefined ? (given?.method ?? "GET") : methodOf(options.method);
    const headers = new Headers(options.headers ?? given?.headers);
    const redirect = options.redirect === undefined ? (given?.redirect ?? "follow") : redirectOf(options.redirect);
    const source = options.signal === undefined ? given?.signal : options.signal;
    if (source !== undefined && source !== null && !(source instanceof AbortSignal)) {
      throw new TypeError("The signal is no AbortSignal");
    }
    const signal = source ?? null;
    const hasOwn = options.body !== undefined && options.body !== null;
    if ((hasOwn || (given !== null && given.body !== null)) && (method === "GET" || method === "HEAD")) {
      throw new TypeError("Request with GET/HEAD method cannot have body");
    }
    let body = null;
    if (hasOwn) {
      const made = Body.of(options.body);
      ({ body } = made);
      if (made.type !== null && !headers.has("content-type")) headers.set("content-type", made.type);
    } else if (given !== null && given.body !== null) {
      const known = given.body.takeKnown();
      body = known === null ? new Body({ stream: given.body.stream }) : new Body({ bytes: known });
    }
    requests.set(this, { url, method, headers, redirect, signal, ownSignal: null, body });
  }
  get url() {
    return requests.get(this).url;
  }
  get method() {
    return requests.get(this).method;
  }
  get headers() {
    return requests.get(this).headers;
  }
  get redirect() {
    return requests.get(this).redirect;
  }
  get signal() {
    const state = requests.get(this);
    // Made when somebody asks: each listens to the other one for as long as that lives.
    return (state.ownSignal ??= state.signal ? AbortSignal.any([state.signal]) : new AbortController().signal);
  }
  clone() {
    const { url, method, headers, redirect, signal, body } = requests.get(this);
    const copy = new Request(url, { method, headers, redirect, signal });
    requests.get(copy).body = body?.copy() ?? null;
    return copy;
  }
  get [Symbol.toStringTag]() {
    return "Request";
  }
}
withBody(Request.prototype, (self) => {
  const { body, headers } = requests.get(self);
  return { body, type: headers.get("content-type") };
});

const WITHOUT_BODY = [101, 103, 204, 205, 304];
const responses = new WeakMap();
class Response {
  constructor(body, init = {}) {
    const { status = 200, statusText = "", headers } = init ?? {};
    if (!(status >= 200 && status <= 599)) throw new RangeError(`The status provided (${status}) is outside the range [200, 599]`);
    const made = Body.of(body);
    if (made.body !== null && WITHOUT_BODY.includes(status)) {
      throw new TypeError("Response with null body status cannot have body");
    }
    const lines = new Headers(headers);
    if (made.type !== null && !lines.has("content-type")) lines.set("content-type", made.type);
    const state = { status, statusText: `${statusText}`, headers: lines, body: made.body, type: "default", url: "", redirected: false };
    responses.set(this, state);
  }
  static error() {
    const response = new Response();
    Object.assign(responses.get(response), { status: 0, type: "error" });
    return response;
  }
  static json(data, init = {}) {
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    const text = stringify(data);
    if (text === undefined) throw new TypeError("The data is no JSON");
    return new Response(new TextEncoder().encode(text), { ...init, headers });
  }
  static redirect(url, status = 302) {
    if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`Invalid redirection status code: ${status}`);
    return new Response(null, { status, headers: { location: new URL(`${url}`).href } });
  }
  get status() {
    return responses.get(this).status;
  }
  get ok() {
    return this.status >= 200 && this.status <= 299;
  }
  get statusText() {
    return responses.get(this).statusText;
  }
  get headers() {
    return responses.get(this).headers;
  }
  get type() {
    return responses.get(this).type;
  }
  get url() {
    return responses.get(this).url;
  }
  get redirected() {
    return responses.get(this).redirected;
  }
  clone() {
    const state = responses.get(this);
    const body = state.body?.copy() ?? null;
    const copy = new Response();
    Object.assign(responses.get(copy), state, { body, headers: new Headers(state.headers) });
    return copy;
  }
  get [Symbol.toStringTag]() {
    return "Response";
  }
}
withBody(Response.prototype, (self) => {
  const { body, headers } = responses.get(self);
  return { body, type: headers.get("content-type") };
});

const answerOf = ({ url, status, statusText, headers, redirected }, body) => {
  const response = new Response();
  Object.assign(responses.get(response), { url, status, statusText, headers: new Headers(headers), redirected, type: "basic", body });
  return response;
};

// `data:` addresses hold their answer themselves: a type, and text or bytes behind a comma.
const fromData = (url) => {
  const comma = url.indexOf(",");
  if (comma < 0) throw new TypeError("Fetch failed: the data: address has no comma");
  const fragment = url.indexOf("#");
  const head = url.slice("data:".length, comma).trim();
  const coded = /; *base64$/i.test(head);
  let type = (coded ? head.replace(/; *base64$/i, "") : head).trim();
  if (type === "" || type.startsWith(";")) type = `text/plain${type || ";charset=US-ASCII"}`;
  const text = url.slice(comma + 1, fragment < comma ? undefined : fragment);
  const bytes = [];
  for (let at = 0; at < text.length; at += 1) {
    const hex = text.slice(at + 1, at + 3);
    if (text[at] === "%" && /^[\da-f]{2}$/i.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else {
      bytes.push(...new TextEncoder().encode(text[at]));
    }
  }
  let content = Uint8Array.from(bytes);
  if (coded) {
    const letters = Array.from(content, (byte) => String.fromCharCode(byte)).join("").replace(/[\t\n\f\r ]/g, "");
    try {
      content = Uint8Array.from(globalThis.atob(letters), (letter) => letter.charCodeAt(0));
    } catch {
      throw new TypeError("Fetch failed: the data: address is not base64");
    }
  }
  const answer = { url, status: 200, statusText: "OK", headers: [["content-type", type]], redirected: false };
  return answerOf(answer, new Body({ bytes: content }));
};

// What goes on over the network: by number, what to do with what arrives.
const open = new Map();
let lastNumber = 0;

const send = ({ url, method, headers, redirect, signal }, bytes) =>
  new Promise((resolve, reject) => {
    lastNumber += 1;
    const number = lastNumber;
    let chunk = null; // what waits for the next part of the body
    let fail = reject;
    const stop = () => {
      open.delete(number);
      signal?.removeEventListener("abort", aborted);
    };
    const aborted = () => {
      stop();
      host.webStop(number);
      fail(signal.reason);
    };
    const settle = () => {
      const waiting = chunk;
      chunk = null;
      waiting?.resolve();
    };
    const begin = (head) => {
      const hasBody = method !== "HEAD" && !WITHOUT_BODY.includes(head.status);
      if (!hasBody) {
        stop();
        host.webStop(number);
        resolve(answerOf(head, null));
        return;
      }
      let controller;
      const stream = new ReadableStream(
        {
          type: "bytes",
          start(made) {
            controller = made;
          },
          pull() {
            chunk = Promise.withResolvers();
            host.webRead(number);
            return chunk.promise;
          },
          cancel() {
            stop();
            host.webStop(number);
          },
        },
        { highWaterMark: 0 },
      );
      fail = (error) => {
        controller.error(error);
        settle();
      };
      open.get(number).controller = controller;
      resolve(answerOf(head, new Body({ stream })));
    };
    open.set(number, {
      arrived(kind, text, part) {
        if (kind === "head") {
          begin(parse(text));
        } else if (kind === "chunk") {
          open.get(number).controller.enqueue(part);
          settle();
        } else if (kind === "end") {
          open.get(number).controller.close();
          stop();
          settle();
        } else {
          stop();
          fail(errorOf(kind, text));
        }
      },
      giveUp() {
        stop();
        host.webStop(number);
        fail(ofTheEnd(new TypeError("fetch: the call that sent this request has ended")));
      },
    });
    signal?.addEventListener("abort", aborted);
    host.webBegin(number, method, url, [...headers].flat(), redirect, bytes?.toHex());
  });

const errorOf = (kind, text) => {
  if (kind === "refused") {
    return denied("net", text, `Requires net access to "${text}", run again with the --allow-net flag`);
  }
  if (kind === "lacking") return missing(text);
  const { message, cause } = parse(text);
  return cause === undefined ? new TypeError(message) : new TypeError(message, { cause: new Error(cause) });
};

const perform = async (input, init) => {
  const request = new Request(input, init);
  const state = requests.get(request);
  const { signal, url } = state;
  signal?.throwIfAborted();
  const scheme = url.slice(0, url.indexOf(":"));
  if (scheme === "data") return fromData(url);
  if (scheme === "blob" || scheme === "file") throw missing(`fetch of ${scheme}: addresses`);
  if (scheme !== "http" && scheme !== "https") throw new TypeError(`Url scheme '${scheme}' not supported`);
  let bytes;
  if (state.body !== null) {
    bytes = state.body.takeKnown();
    if (bytes === null) throw missing("fetch with a stream as its body");
    if (bytes.length > LONGEST_BODY) throw missing("fetch with a body of more than 64 MiB");
  }
  return send(state, bytes);
};

/** Something arrived for a request: the beginning of its answer, a part of the body, its end, or why there is none. */
export const webArrived = (number, kind, text, part) => {
  open.get(number)?.arrived(kind, text, part);
};
/** Gives up what is under way: the call has ended. */
export const endWeb = () => {
  for (const { giveUp } of [...open.values()]) giveUp();
};

for (const [name, value] of Object.entries({ Blob, File, FormData, Headers, ReadableStream, Request, Response })) {
  define(name, value);
}
if (!host.inspecting) {
  define("fetch", (input, init) => {
    // While a module loads, nobody passes requests on.
    if (!host.webIsThere()) throw missing("fetch");
    return perform(input, init);
  });
}

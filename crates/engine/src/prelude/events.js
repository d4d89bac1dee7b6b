// Events, listeners and abort signals, as other engines have them. Evaluated once, before any code of an extension.

import { guarded, uncaught } from "mangrove:uncaught";

const host = globalThis.__mangroveHost;
const { now } = host;
const started = host.start;

const needs = (what, count, given) => {
  const noun = count === 1 ? "argument" : "arguments";
  if (given < count) throw new TypeError(`Failed to ${what}: ${count} ${noun} required, but only ${given} present`);
};
const tagged = (constructor, name) =>
  Object.defineProperty(constructor.prototype, Symbol.toStringTag, { value: name, configurable: true });

let carry; // (event, target): gives an event its target, or takes it away
let hasStopped; // (event): no further listener is told

class Event {
  #type;
  #options;
  #target = null;
  #isStopped = false;
  #isAtOnce = false;
  #isPrevented = false;
  #timeStamp = now() - started;
  constructor(type, options = {}) {
    needs(`construct '${new.target.name}'`, 1, arguments.length);
    this.#type = `${type}`;
    this.#options = { bubbles: Boolean(options?.bubbles), cancelable: Boolean(options?.cancelable), composed: Boolean(options?.composed) };
  }
  get type() {
    return this.#type;
  }
  get bubbles() {
    return this.#options.bubbles;
  }
  get cancelable() {
    return this.#options.cancelable;
  }
  get composed() {
    return this.#options.composed;
  }
  get target() {
    return this.#target;
  }
  get srcElement() {
    return this.#target;
  }
  get currentTarget() {
    return this.#isAtOnce ? this.#target : null;
  }
  get eventPhase() {
    return this.#isAtOnce ? 2 : 0;
  }
  get defaultPrevented() {
    return this.#isPrevented;
  }
  get returnValue() {
    return !this.#isPrevented;
  }
  get cancelBubble() {
    return this.#isStopped;
  }
  get isTrusted() {
    return false;
  }
  get timeStamp() {
    return this.#timeStamp;
  }
  composedPath() {
    return this.#isAtOnce ? [this.#target] : [];
  }
  preventDefault() {
    this.#isPrevented ||= this.#options.cancelable;
  }
  stopPropagation() {
    this.#isStopped = true;
  }
  stopImmediatePropagation() {
    this.#isStopped = true;
    this.#stopsAtOnce = true;
  }
  #stopsAtOnce = false;
  static {
    carry = (event, target) => {
      event.#isAtOnce = target !== null;
      if (target === null) return;
      event.#target = target;
      event.#stopsAtOnce = false;
    };
    hasStopped = (event) => event.#stopsAtOnce;
    for (const [name, value] of [["NONE", 0], ["CAPTURING_PHASE", 1], ["AT_TARGET", 2], ["BUBBLING_PHASE", 3]]) {
      Object.defineProperty(this, name, { value, enumerable: true });
      Object.defineProperty(this.prototype, name, { value, enumerable: true });
    }
  }
}
tagged(Event, "Event");

class CustomEvent extends Event {
  #detail;
  constructor(type, options = {}) {
    needs("construct 'CustomEvent'", 1, arguments.length);
    super(type, options);
    this.#detail = options?.detail;
  }
  get detail() {
    return this.#detail;
  }
}
tagged(CustomEvent, "CustomEvent");

class EventTarget {
  #listeners = [];
  addEventListener(type, listener, options) {
    needs("execute 'addEventListener' on 'EventTarget'", 2, arguments.length);
    const wishes = typeof options === "object" && options !== null ? options : { capture: Boolean(options) };
    const { signal } = wishes;
    if (!listener || signal?.aborted) return;
    const isKnown = (known) => known.type === `${type}` && known.listener === listener && known.capture === Boolean(wishes.capture);
    if (this.#listeners.some(isKnown)) return;
    this.#listeners.push({ type: `${type}`, listener, capture: Boolean(wishes.capture), once: Boolean(wishes.once), isGone: false });
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener, wishes), { once: true });
  }
  removeEventListener(type, listener, options) {
    const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
    const isIt = (known) => known.type === `${type}` && known.listener === listener && known.capture === capture;
    for (const known of this.#listeners) if (isIt(known)) known.isGone = true;
    this.#listeners = this.#listeners.filter((known) => !known.isGone);
  }
  dispatchEvent(event) {
    needs("execute 'dispatchEvent' on 'EventTarget'", 1, arguments.length);
    if (!(event instanceof Event)) throw new TypeError("Failed to execute 'dispatchEvent' on 'EventTarget': Argument 1 is not an Event");
    if (event.eventPhase !== Event.NONE) throw new DOMException("The event is dispatched already", "InvalidStateError");
    carry(event, this);
    const told = this.#listeners.filter((known) => known.type === event.type);
    for (const known of [...told.filter((each) => each.capture), ...told.filter((each) => !each.capture)]) {
      if (known.isGone) continue;
      if (known.once) this.removeEventListener(known.type, known.listener, known.capture);
      try {
        if (typeof known.listener === "function") known.listener.call(this, event);
        else known.listener.handleEvent(event);
      } catch (error) {
        // One that throws keeps the others from nothing.
        uncaught(error, `a listener for "${event.type}" throws`);
      }
      if (hasStopped(event)) break;
    }
    carry(event, null);
    return !event.defaultPrevented;
  }
}
tagged(EventTarget, "EventTarget");

let mayConstruct = false;
let fire; // (signal, reason): aborts it
const newSignal = () => {
  mayConstruct = true;
  try {
    return new AbortSignal();
  } finally {
    mayConstruct = false;
  }
};

class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  #onabort = null;
  constructor() {
    if (!mayConstruct) throw new TypeError("Illegal constructor");
    super();
  }
  get aborted() {
    return this.#aborted;
  }
  get reason() {
    return this.#reason;
  }
  get onabort() {
    return this.#onabort;
  }
  set onabort(listener) {
    this.#onabort = typeof listener === "function" ? listener : null;
  }
  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }
  static abort(reason) {
    const signal = newSignal();
    fire(signal, reason);
    return signal;
  }
  static any(signals) {
    const joined = newSignal();
    for (const signal of signals) {
      if (signal.aborted) fire(joined, signal.reason);
      else signal.addEventListener("abort", () => fire(joined, signal.reason), { once: true });
    }
    return joined;
  }
  static timeout(milliseconds) {
    if (!(milliseconds >= 0 && milliseconds <= Number.MAX_SAFE_INTEGER)) {
      throw new TypeError("Failed to execute 'timeout' on 'AbortSignal': Argument 1 is no number of milliseconds");
    }
    const signal = newSignal();
    const reason = new DOMException("The operation was aborted due to timeout", "TimeoutError");
    globalThis.setTimeout(() => fire(signal, reason), milliseconds);
    return signal;
  }
  static {
    fire = (signal, reason = new DOMException("The signal has been aborted", "AbortError")) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason;
      const event = new Event("abort");
      carry(event, signal);
      guarded(() => signal.#onabort?.call(signal, event), 'a listener for "abort" throws');
      carry(event, null);
      signal.dispatchEvent(event);
    };
  }
}
tagged(AbortSignal, "AbortSignal");

class AbortController {
  #signal = newSignal();
  get signal() {
    return this.#signal;
  }
  abort(reason) {
    fire(this.#signal, reason);
  }
}
tagged(AbortController, "AbortController");

export { AbortController, AbortSignal, CustomEvent, Event, EventTarget, needs, tagged };

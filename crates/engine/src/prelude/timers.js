// Timers. They run when nothing else is left to do: the host asks when the earliest one is due, and has it run.

import { guarded, runTicks } from "mangrove:uncaught";

const { apply } = Reflect;
const host = globalThis.__mangroveHost;
const TypeErrorIntrinsic = TypeError;
const { trunc } = Math;

const LONGEST = 2 ** 31 - 1; // milliseconds; what is longer, or no number, is one millisecond
const delayOf = (delay) => (delay >= 1 && delay <= LONGEST ? trunc(delay) : 1);

let timers = null; // a list of { id, due, wait, callback, parts, repeats, handle, isOn, next }, earliest first
let lastTimer = 0;

const schedule = (timer) => {
  let place = null;
  for (let other = timers; other !== null && other.due <= timer.due; other = other.next) place = other;
  if (place === null) {
    timer.next = timers;
    timers = timer;
  } else {
    timer.next = place.next;
    place.next = timer;
  }
  timer.isOn = true;
};
const unschedule = (isIt) => {
  for (let before = null, timer = timers; timer !== null; before = timer, timer = timer.next) {
    if (!isIt(timer)) continue;
    if (before === null) timers = timer.next;
    else before.next = timer.next;
    timer.isOn = false;
    return;
  }
};

let timerOf; // (handle): its timer, or `undefined`
// What timers are called by. Whether one keeps a process alive makes no difference here: a call ends when its work does.
class Timeout {
  #timer;
  #isReferenced = true;
  constructor(timer) {
    this.#timer = timer;
  }
  ref() {
    this.#isReferenced = true;
    return this;
  }
  unref() {
    this.#isReferenced = false;
    return this;
  }
  hasRef() {
    return this.#isReferenced;
  }
  refresh() {
    const timer = this.#timer;
    if (!timer.isOn) return this;
    unschedule((other) => other === timer);
    timer.due = host.now() + timer.wait;
    schedule(timer);
    return this;
  }
  close() {
    const timer = this.#timer;
    unschedule((other) => other === timer);
    return this;
  }
  [Symbol.toPrimitive]() {
    return this.#timer.id;
  }
  [Symbol.dispose]() {
    this.close();
  }
  static {
    timerOf = (handle) => (typeof handle === "object" && handle !== null && #timer in handle ? handle.#timer : undefined);
  }
}
class Immediate extends Timeout {}
for (const name of ["refresh", "close"]) Reflect.defineProperty(Immediate.prototype, name, { value: undefined });

const start = (Handle, callback, wait, parts, repeats) => {
  if (typeof callback !== "function") throw new TypeErrorIntrinsic('The "callback" argument must be of type function');
  lastTimer += 1;
  const timer = { id: lastTimer, due: host.now() + wait, wait, callback, parts, repeats, handle: null, isOn: true, next: null };
  timer.handle = new Handle(timer);
  schedule(timer);
  return timer.handle;
};
const stop = (handle) => {
  const timer = timerOf(handle);
  if (timer !== undefined) unschedule((other) => other === timer);
  else if (typeof handle === "number" || typeof handle === "string") unschedule((other) => other.id === +handle);
};

/** When the earliest timer is due, in milliseconds since the epoch; `undefined` without timers. */
export const nextTimer = () => (timers === null ? undefined : timers.due);
/** Runs the earliest timer, and what it leaves for the next tick. */
export const runTimer = () => {
  const timer = timers;
  timers = timer.next;
  timer.isOn = false;
  if (timer.repeats) {
    timer.due += timer.wait;
    schedule(timer);
  }
  guarded(() => apply(timer.callback, timer.handle, timer.parts), "a timer throws");
  runTicks();
};

/** The functions that code has. */
export const timerFunctions = {
  setTimeout: (callback, delay, ...parts) => start(Timeout, callback, delayOf(delay), parts, false),
  setInterval: (callback, delay, ...parts) => start(Timeout, callback, delayOf(delay), parts, true),
  setImmediate: (callback, ...parts) => start(Immediate, callback, 0, parts, false),
  clearTimeout: (handle) => stop(handle),
  clearInterval: (handle) => stop(handle),
  clearImmediate: (handle) => stop(handle),
};

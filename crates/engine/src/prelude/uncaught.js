// Errors that nobody catches: rejections without a handler, and what callbacks throw. Each of them ends a process of Deno, so each
// of them ends the call here: the host asks when nothing else is left to run. Evaluated once, before any code of an extension.

const { apply, getOwnPropertyDescriptor } = Reflect;
const { then } = Promise.prototype;

const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const has = uncurry(WeakSet.prototype.has);
const add = uncurry(WeakSet.prototype.add);
const { set, delete: remove, clear, values } = Map.prototype;
const [mapSet, mapDelete, mapClear, mapValues] = [set, remove, clear, values].map((method) => uncurry(method));
const nextOf = uncurry(Object.getPrototypeOf(new Map().values()).next);
const ours = new WeakSet();
const DEEPEST_CAUSE = 8;

const rejections = new Map(); // from a promise to { reason }, the first rejection first
let thrown = null; // { error, told } of the first callback that threw

/** This error tells of the end of a call: who does not handle it ends nothing. */
export const ofTheEnd = (error) => {
  add(ours, error);
  return error;
};
/** True for such an error, and for one that names it as its cause. */
const isOfTheEnd = (error) => {
  let cause = error;
  try {
    for (let depth = 0; depth < DEEPEST_CAUSE && typeof cause === "object" && cause !== null; depth += 1) {
      if (has(ours, cause)) return true;
      cause = getOwnPropertyDescriptor(cause, "cause")?.value;
    }
  } catch {
    // A proxy that does not tell.
  }
  return false;
};
/** Notes what a callback threw; `told` says where, for people. */
export const uncaught = (error, told) => {
  thrown ??= { error, told };
};
/** A promise was rejected without a handler, or got one afterwards. */
export const rejected = (promise, reason, isHandled) => {
  if (isHandled) mapDelete(rejections, promise);
  else if (!isOfTheEnd(reason)) mapSet(rejections, promise, { reason });
};
/** What nobody caught, the first of it: `{ error, told }`, or `undefined`. */
export const takeUncaught = () => {
  let first = thrown ?? undefined;
  if (thrown === null) {
    const { done, value } = nextOf(mapValues(rejections));
    if (!done) first = { error: value.reason, told: "nobody handles the rejection of a promise" };
  }
  forgetUncaught();
  return first;
};
/** Whatever was not caught until now ends nothing. */
export const forgetUncaught = () => {
  mapClear(rejections);
  thrown = null;
};
const nothing = () => {};
/** The host waits for this promise, and learns of its rejection itself. */
export const expected = (promise) => {
  apply(then, promise, [nothing, nothing]);
};

// Functions that run when the work under way is done, before promises go on that became ready meanwhile.
let ticks = null; // a list of { callback, parts, next }, the first one first
let lastTick = null;
export const nextTick = (callback, ...parts) => {
  if (typeof callback !== "function") throw new TypeError('The "callback" argument must be of type function');
  const tick = { callback, parts, next: null };
  if (ticks === null) ticks = tick;
  else lastTick.next = tick;
  lastTick = tick;
};
/** True if any are left. */
export const hasTicks = () => ticks !== null;
/** Runs them, also those that they add. True if there were any. */
export const runTicks = () => {
  const ran = ticks !== null;
  while (ticks !== null) {
    const { callback, parts } = ticks;
    ticks = ticks.next;
    guarded(() => apply(callback, undefined, parts), "a callback of process.nextTick throws");
  }
  return ran;
};
/** Runs a function; what it throws nobody catches. */
export const guarded = (work, told) => {
  try {
    work();
  } catch (error) {
    uncaught(error, told);
  }
};
const queue = globalThis.queueMicrotask;
/** `queueMicrotask`, whose callbacks may throw. */
export const queueMicrotask = (callback) => {
  if (typeof callback !== "function") throw new TypeError("Failed to execute 'queueMicrotask': Argument 1 is not a function");
  queue(() => guarded(callback, "a callback of queueMicrotask throws"));
};

// Readable streams, as far as bodies of requests and answers need them. What belongs to writing and transforming throws and
// names itself. Evaluated once, before any code of an extension.

import { missing } from "mangrove:refusals";

const states = new WeakMap();
const stateOf = (stream) => {
  const state = states.get(stream);
  if (state === undefined) throw new TypeError("This is no ReadableStream");
  return state;
};
const deferred = () => {
  const made = Promise.withResolvers();
  // Nobody has to wait for it.
  made.promise.catch(() => {});
  return made;
};

const finish = (state) => {
  state.status = "closed";
  for (const read of state.reads.splice(0)) read.resolve({ value: undefined, done: true });
  state.reader?.closed.resolve();
};
const fail = (state, error) => {
  if (state.status !== "readable") return;
  state.status = "errored";
  state.error = error;
  state.chunks = [];
  for (const read of state.reads.splice(0)) read.reject(error);
  state.reader?.closed.reject(error);
};
const pull = (state) => {
  const isWanted = state.reads.length > 0 || state.size < state.highWaterMark;
  if (!state.started || state.status !== "readable" || state.closing || !isWanted) return;
  if (state.pulling) {
    state.again = true;
    return;
  }
  state.pulling = true;
  state.again = false;
  const ended = () => {
    state.pulling = false;
    if (state.again) pull(state);
  };
  new Promise((resolve) => resolve(state.source.pull?.(state.controller))).then(ended, (error) => fail(state, error));
};
const take = (state) => {
  const { chunk, size } = state.chunks.shift();
  state.size -= size;
  if (state.closing && state.chunks.length === 0) finish(state);
  else pull(state);
  return chunk;
};
const read = (state) => {
  state.disturbed = true;
  if (state.status === "errored") return Promise.reject(state.error);
  if (state.chunks.length > 0) return Promise.resolve({ value: take(state), done: false });
  if (state.status === "closed") return Promise.resolve({ value: undefined, done: true });
  const made = deferred();
  state.reads.push(made);
  pull(state);
  return made.promise;
};
const cancel = async (state, reason) => {
  state.disturbed = true;
  if (state.status === "closed") return;
  if (state.status === "errored") throw state.error;
  state.chunks = [];
  finish(state);
  await state.source.cancel?.(reason);
};

class ReadableStreamDefaultController {
  #state;
  constructor(state) {
    this.#state = state;
  }
  get desiredSize() {
    const { status, highWaterMark, size } = this.#state;
    return status === "readable" ? highWaterMark - size : status === "closed" ? 0 : null;
  }
  enqueue(chunk) {
    const state = this.#state;
    if (state.status !== "readable" || state.closing) throw new TypeError("The stream takes no more");
    if (state.reads.length > 0) {
      state.reads.shift().resolve({ value: chunk, done: false });
    } else {
      const size = state.measure(chunk);
      state.chunks.push({ chunk, size });
      state.size += size;
    }
    pull(state);
  }
  close() {
    const state = this.#state;
    if (state.status !== "readable" || state.closing) throw new TypeError("The stream is closed");
    state.closing = true;
    if (state.chunks.length === 0) finish(state);
  }
  error(error) {
    fail(this.#state, error);
  }
}

class ReadableStreamDefaultReader {
  #state;
  constructor(stream) {
    const state = stateOf(stream);
    if (state.reader !== null) throw new TypeError("ReadableStream is locked.");
    const closed = deferred();
    this.#state = state;
    state.reader = { closed };
    this.#closed = closed.promise;
    if (state.status === "closed") closed.resolve();
    if (state.status === "errored") closed.reject(state.error);
  }
  #closed;
  #held() {
    if (this.#state === null) throw new TypeError("The reader has been released");
    return this.#state;
  }
  get closed() {
    return this.#closed;
  }
  async read() {
    return read(this.#held());
  }
  async cancel(reason) {
    return cancel(this.#held(), reason);
  }
  releaseLock() {
    const state = this.#state;
    if (state === null) return;
    const released = new TypeError("The reader has been released");
    for (const waiting of state.reads.splice(0)) waiting.reject(released);
    state.reader.closed.reject(released);
    state.reader = null;
    this.#state = null;
  }
}

class ReadableStream {
  constructor(source = {}, { highWaterMark, size } = {}) {
    if (source === null || typeof source !== "object") throw new TypeError("The source is no object");
    if (source.autoAllocateChunkSize !== undefined) throw missing("ReadableStream with autoAllocateChunkSize");
    const state = {
      status: "readable", error: undefined, chunks: [], size: 0, reads: [], reader: null, source, closing: false,
      disturbed: false, started: false, pulling: false, again: false, measure: size ?? (() => 1),
      highWaterMark: highWaterMark ?? (source.type === "bytes" ? 0 : 1),
    };
    states.set(this, state);
    state.controller = new ReadableStreamDefaultController(state);
    const started = source.start?.(state.controller);
    Promise.resolve(started).then(
      () => {
        state.started = true;
        pull(state);
      },
      (error) => fail(state, error),
    );
  }
  static from(items) {
    const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
    return new ReadableStream(
      {
        async pull(controller) {
          const { value, done } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(await value);
        },
        cancel: (reason) => iterator.return?.(reason),
      },
      { highWaterMark: 0 },
    );
  }
  get locked() {
    return stateOf(this).reader !== null;
  }
  async cancel(reason) {
    if (this.locked) throw new TypeError("ReadableStream is locked.");
    return cancel(stateOf(this), reason);
  }
  getReader({ mode } = {}) {
    if (mode !== undefined) throw missing("a reader of a ReadableStream that fills buffers");
    return new ReadableStreamDefaultReader(this);
  }
  pipeThrough() {
    throw missing("ReadableStream.pipeThrough");
  }
  pipeTo() {
    throw missing("ReadableStream.pipeTo");
  }
  tee() {
    const reader = this.getReader();
    const branches = [];
    let reading = null;
    const ask = () =>
      (reading ??= reader.read().then(
        ({ value, done }) => {
          reading = null;
          for (const { controller, isCancelled } of branches) {
            if (isCancelled) continue;
            if (done) controller.close();
            else controller.enqueue(value);
          }
        },
        (error) => {
          for (const { controller } of branches) controller.error(error);
        },
      ));
    for (let index = 0; index < 2; index += 1) {
      const branch = { controller: null, isCancelled: false };
      branches.push(branch);
      branch.stream = new ReadableStream(
        {
          start(controller) {
            branch.controller = controller;
          },
          pull: ask,
          async cancel(reason) {
            branch.isCancelled = true;
            if (branches.every(({ isCancelled }) => isCancelled)) await reader.cancel(reason);
          },
        },
        { highWaterMark: 0 },
      );
    }
    return branches.map(({ stream }) => stream);
  }
  async *values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let isOver = false;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) {
          isOver = true;
          return;
        }
        yield value;
      }
    } catch (error) {
      isOver = true;
      throw error;
    } finally {
      if (!isOver && !preventCancel) await reader.cancel();
      reader.releaseLock();
    }
  }
  [Symbol.asyncIterator](options) {
    return this.values(options);
  }
  get [Symbol.toStringTag]() {
    return "ReadableStream";
  }
}

/** True if somebody has read from a stream or given it up. */
export const isDisturbed = (stream) => stateOf(stream).disturbed;
export { ReadableStream };

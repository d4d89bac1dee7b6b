// The order in which things that wait go on.
export const result = async () => { const log: string[] = []; const say = (text: string) => { log.push(text); };
  const a = (async () => { say("a1"); await null; say("a2"); await new Promise<void>((r) => queueMicrotask(r)); say("a3"); })();
  const b = (async () => { say("b1"); for await (const x of [1, Promise.resolve(2)]) say(`b${x + 1}`); })();
  Promise.resolve().then(() => say("then")).finally(() => say("finally")).catch(() => say("never"));
  const c = (async () => { try { await Promise.reject(new Error("r")); } catch (error) { say((error as Error).message); } finally { say("c"); } return "c"; })();
  const d = (async () => { return await (async () => { throw new TypeError("d"); })(); })().catch((error: Error) => say(error.name));
  say("sync"); const settled = await Promise.allSettled([a, b, c, d, Promise.any([Promise.reject(1), Promise.resolve(2)]), Promise.race([c, d])]);
  const failed = await Promise.any([Promise.reject(new Error("x"))]).catch((error: AggregateError) => [error.name, error.errors.length]);
  const { promise, resolve } = Promise.withResolvers<number>(); resolve(3);
  return [log, settled.map((s) => s.status), failed, await promise, await { then: (r: (v: string) => void) => r("thenable") }]; };

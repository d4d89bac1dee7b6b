// Resources are disposed of in reverse, also when something throws.
const log: string[] = [];
const resource = (name: string) => ({ name, [Symbol.dispose]() { log.push(`closed ${name}`); } });
const later = (name: string) => ({ async [Symbol.asyncDispose]() { await null; log.push(`later closed ${name}`); } });
const scoped = () => { using a = resource("a"); using b = resource("b"); using none = null; log.push(`used ${a.name} ${b.name} ${none}`); return "returned"; };
const failing = () => { using broken = { [Symbol.dispose]() { throw new Error("dispose"); } }; void broken; throw new Error("body"); };
export const result = async () => {
  const value = scoped();
  for (using item of [resource("c"), resource("d")]) log.push(`loop ${item.name}`);
  { await using one = later("e"); void one; using two = resource("f"); void two; }
  let caught: unknown;
  try { failing(); } catch (error) { caught = error; }
  const both = caught as SuppressedError;
  const stack = new DisposableStack(); stack.defer(() => log.push("deferred")); stack.use(resource("g")); stack.dispose();
  return [value, log, both.constructor.name, (both.error as Error).message, (both.suppressed as Error).message];
};

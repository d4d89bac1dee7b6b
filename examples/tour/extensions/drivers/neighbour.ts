// A driver: has methods run somewhere else. `mangrove.yaml` says whose. This one asks a neighbour, who answers at once; others
// send the code to another machine, or start it in a container.

import { object, text } from "../models/_lib/schema.ts";

/** What a driver is told. */
interface Request {
  modelType: string;
  methodName: string;
  /** What the schemas of the model made of the arguments. */
  methodArgs: { frames: number; key: string };
  definitionMeta: { name: string };
  resourceSpecs: Record<string, unknown>;
  /** The code of the model as one module that imports nothing. */
  bundle: Uint8Array;
}

/** Where lines go while the work is done, and what says that it is to end. */
interface Callbacks {
  onLog(line: string): void;
  signal: AbortSignal;
}

const bytes = (text: string) => new TextEncoder().encode(text);

export const driver = {
  type: "@tour/neighbour",
  name: "Neighbour",
  description: "Has a neighbour do what a method would do",
  configSchema: object({ who: text() }),
  createDriver: ({ who }: { who: string }) => ({
    type: "@tour/neighbour",
    execute({ methodName, methodArgs, definitionMeta, resourceSpecs, bundle }: Request, { onLog, signal }: Callbacks) {
      onLog(`${who} is asked to ${methodName} the ${definitionMeta.name}`);
      if (signal.aborted) return { status: "error", error: "never mind", outputs: [], logs: [] };
      const honey = { jars: methodArgs.frames * 2, from: who, key: methodArgs.key, code: bundle.byteLength > 0 };
      return {
        status: "success",
        // What the method would have written: it is stored as if it had.
        outputs: [
          { kind: "pending", type: "resource", specName: Object.keys(resourceSpecs)[0], name: "honey", content: bytes(JSON.stringify(honey)), tags: { by: who } },
          { kind: "pending", type: "file", specName: "receipt", name: "receipt", content: bytes(`${honey.jars} jars\n`) },
        ],
        logs: [`${who} is done`],
      };
    },
  }),
};

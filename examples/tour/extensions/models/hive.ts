// A model whose methods a driver runs elsewhere: `mangrove.yaml` says so, and the model does not know.

import type { Context } from "./_lib/context.ts";
import { number, object, record, text } from "./_lib/schema.ts";

const KEPT = { lifetime: "infinite", garbageCollection: 10 };

export const model = {
  type: "@tour/hive",
  version: "2026.05.23.1",
  resources: { honey: { description: "What was harvested", schema: record(), ...KEPT } },
  files: { receipt: { description: "Who got how much", contentType: "text/plain", ...KEPT } },
  methods: {
    harvest: {
      description: "Take frames out of the hive",
      kind: "action",
      arguments: object({ frames: number({ default: 2 }), key: text() }),
      execute: async ({ frames }: { frames: number }, context: Context) => {
        await context.writeResource("honey", "honey", { jars: frames, from: "here" });
      },
    },
  },
};

// A datastore: somewhere else to keep data. It is built, judged and described; nothing keeps data in it yet.

import { object, text } from "../models/_lib/schema.ts";

export const datastore = {
  type: "@tour/barn",
  name: "Barn",
  description: "Would keep what does not fit into the shed",
  configSchema: object({ path: text() }),
  createProvider: (config: { path: string }) => ({ path: config.path }),
};

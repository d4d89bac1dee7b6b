// A vault: where secrets are kept. This one keeps them in memory, which is enough to try things on.

import { object, text } from "../models/_lib/schema.ts";

export const vault = {
  type: "@local/memory",
  name: "Memory",
  description: "Keeps secrets as long as the process lives",
  configSchema: object({ prefix: text() }),
  createProvider: (name: string, config: { prefix: string }) => {
    const secrets = new Map<string, string>();
    return {
      get: async (key: string) => secrets.get(config.prefix + key),
      put: async (key: string, value: string) => {
        secrets.set(config.prefix + key, value);
      },
      list: async () => [...secrets.keys()],
      getName: () => name,
    };
  },
};

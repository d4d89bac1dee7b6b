// A vault: where secrets are kept. This one knows what its configuration says, and is no place for real ones.

import { object, record } from "../models/_lib/schema.ts";

export const vault = {
  type: "@tour/shed",
  name: "Garden shed",
  description: "Keeps what its configuration says",
  configSchema: object({ secrets: record() }),
  createProvider: (name: string, config: { secrets: Record<string, string> }) => ({
    get: async (key: string) => config.secrets[key],
    put: async (key: string) => {
      throw new Error(`${name} is locked: ${key} cannot be put into it`);
    },
    list: async () => Object.keys(config.secrets),
    getName: () => name,
  }),
};

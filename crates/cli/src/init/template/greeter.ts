// A model: a type with methods. Change it, then run `mangrove scan`, or just run the workflow again.

import { object, text } from "./_lib/schema.ts";

interface Context {
  logger: { info(line: string): void };
  writeResource(spec: string, instance: string, data: unknown): Promise<unknown>;
}

export const model = {
  type: "@local/greeter",
  version: "2026.05.23.1",
  resources: {
    greeting: {
      description: "What was said, and to whom",
      schema: object({ name: text(), greeting: text() }),
      lifetime: "infinite",
      garbageCollection: 10,
    },
  },
  methods: {
    greet: {
      description: "Greet somebody by name",
      kind: "create",
      arguments: object({ name: text(), word: text() }),
      execute: async (args: { name: string; word: string }, context: Context) => {
        const greeting = `${args.word}, ${args.name}!`;
        context.logger.info(greeting);
        return { dataHandles: [await context.writeResource("greeting", "main", { name: args.name, greeting })] };
      },
    },
  },
};

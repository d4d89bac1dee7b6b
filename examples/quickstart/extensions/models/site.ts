// A model: one type with two methods. Everything here is plain code, so it runs in the embedded engine.

import { broken, type Page } from "./_lib/links.ts";
import { list, number, object, text } from "./_lib/schema.ts";

interface Context {
  globalArgs: { pages: Page[] };
  logger: { info(line: string): void; warn(line: string): void };
  writeResource(spec: string, instance: string, data: unknown): Promise<unknown>;
  readResource(instance: string): Promise<{ pages: Page[] } | null>;
}

const page = object({ path: text(), links: list(text()) });

export const model = {
  type: "@quickstart/site",
  version: "2026.05.23.1",
  globalArguments: object({ pages: list(page) }),
  resources: {
    inventory: {
      description: "The pages of the site and their links",
      schema: object({ pages: list(page) }),
      lifetime: "infinite",
      garbageCollection: 10,
    },
    report: {
      description: "Links that lead nowhere",
      schema: object({ greeting: text(), checked: number(), broken: list(text()) }),
      lifetime: "infinite",
      garbageCollection: 10,
    },
  },
  methods: {
    collect: {
      description: "Write down which pages there are",
      kind: "create",
      arguments: object({}),
      execute: async (_args: unknown, context: Context) => {
        const { pages } = context.globalArgs;
        context.logger.info(`found ${pages.length} pages`);
        return { dataHandles: [await context.writeResource("inventory", "inventory", { pages })] };
      },
    },
    check: {
      description: "Look for links that lead nowhere; fails if there are more than allowed",
      kind: "action",
      arguments: object({ greeting: text(), allowed: number() }),
      execute: async (args: { greeting: string; allowed: number }, context: Context) => {
        const inventory = await context.readResource("inventory");
        if (inventory === null) {
          throw new Error("nothing collected yet: run the method `collect` first");
        }
        const found = broken(inventory.pages);
        for (const link of found) {
          context.logger.warn(`leads nowhere: ${link}`);
        }
        context.logger.info(`${args.greeting}: ${inventory.pages.length} pages checked, ${found.length} broken links`);
        const report = { greeting: args.greeting, checked: inventory.pages.length, broken: found };
        const handle = await context.writeResource("report", "report", report);
        if (found.length > args.allowed) {
          throw new Error(`${found.length} broken links, at most ${args.allowed} allowed`);
        }
        return { dataHandles: [handle] };
      },
    },
  },
};

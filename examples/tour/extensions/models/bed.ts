// A model with everything that a model may have. The methods that an add-on brings are in `bed-fertiliser.ts`.

import type { Context } from "./_lib/context.ts";
import { list, number, object, optional, text } from "./_lib/schema.ts";

const KEPT = { lifetime: "infinite", garbageCollection: 10 };

export const model = {
  type: "@tour/bed",
  version: "2026.05.23.2",
  // What holds for all methods of a definition. A default is filled in, and nothing is required before a method reads it.
  globalArguments: object({ label: optional(text()), area: number({ default: 1 }), soil: text({ default: "loam" }) }),
  // From one version of the model to the next: definitions that say an older `typeVersion` are upgraded for each call.
  upgrades: [
    {
      toVersion: "2026.05.23.2",
      description: "`size` is called `area`",
      upgradeAttributes: ({ size, ...others }: Record<string, unknown>) => ({ area: size, ...others }),
    },
  ],
  resources: {
    plant: {
      description: "What grows in the bed",
      schema: object({ crop: text(), count: number(), label: text(), area: number(), soil: text(), litres: optional(number()), fed: optional(text()) }),
      tags: { kingdom: "plants" },
      ...KEPT,
    },
    gate: {
      description: "How to get in: the code is kept in a vault, and the data holds a reference",
      schema: object({ hint: text(), code: text({ sensitive: true, vaultName: "safe", vaultKey: "gate-code" }) }),
      ...KEPT,
    },
    keys: {
      description: "All keys of the garden: every value is kept in a vault",
      schema: object({ front: text(), back: text() }),
      sensitiveOutput: true,
      vaultName: "safe",
      ...KEPT,
    },
  },
  files: {
    photo: { description: "How it looks", contentType: "application/octet-stream", ...KEPT },
    diary: { description: "What happened", contentType: "text/plain", ...KEPT },
  },
  // What may object before a method that changes something.
  checks: {
    "not-too-wet": {
      description: "At most ten litres at once",
      labels: ["water"],
      appliesTo: ["water"],
      execute: ({ unresolvedMethodArgs: { litres } }: Context) =>
        Number(litres) <= 10 ? { pass: true } : { pass: false, errors: [`${litres} litres drown everything`] },
    },
  },
  reports: ["@tour/bed-report"],
  methods: {
    plant: {
      description: "Plant something",
      kind: "create",
      arguments: object({ crop: text(), count: number({ default: 1 }) }),
      execute: async ({ crop, count }: { crop: string; count: number }, context: Context) => {
        const { label, area, soil } = context.globalArgs;
        context.logger.info("planted {count} {crop}", { count, crop });
        // Tags of a call are added to those of the specification.
        return { dataHandles: [await context.writeResource("plant", crop, { crop, count, label, area, soil }, { tags: { crop } })] };
      },
    },
    water: {
      description: "Water a plant; a check objects to too much",
      kind: "update",
      arguments: object({ crop: text(), litres: number() }),
      execute: async ({ crop, litres }: { crop: string; litres: number }, context: Context) => {
        const plant = await context.readResource(crop);
        if (plant === null) throw new Error(`no ${crop} here`);
        await context.writeResource("plant", crop, { ...plant, litres: Number(plant.litres ?? 0) + litres });
      },
    },
    look: {
      description: "Look at a plant, now and as it was at first; no check runs before a method that only reads",
      kind: "read",
      arguments: object({ crop: text() }),
      execute: async ({ crop }: { crop: string }, context: Context) => {
        const [now, first] = [await context.readResource(crop), await context.readResource(crop, 1)];
        context.logger.info("{crop}: {first} litres at first, {now} now", { crop, first: first?.litres ?? 0, now: now?.litres ?? 0 });
      },
    },
    "write-diary": {
      description: "Write a file, line by line",
      kind: "action",
      arguments: object({ lines: list(text()) }),
      execute: async ({ lines }: { lines: string[] }, context: Context) => {
        const writer = context.createFileWriter("diary", "diary");
        for (const line of lines) await writer.writeLine(line);
        return { dataHandles: [await writer.finalize()] };
      },
    },
    lock: {
      description: "Make a code for the gate, which a vault keeps",
      kind: "action",
      arguments: object({}),
      execute: async (_args: unknown, context: Context) => {
        await context.writeResource("gate", "gate", { hint: "four digits, four words", code: "4711-correct-horse" });
        const read = await context.readResource("gate");
        // Whoever reads the resource gets the secret; who prints it, three stars.
        context.logger.info(`the code has ${String(read?.code).length} letters: ${read?.code}`);
      },
    },
    "hand-over": {
      description: "Leave the keys to whoever comes next",
      kind: "action",
      arguments: object({}),
      execute: async (_args: unknown, context: Context) => {
        await context.writeResource("keys", "keys", { front: "first-key-of-the-garden", back: "second-key-of-the-garden" });
      },
    },
    photograph: {
      description: "Write files in other ways: bytes at once, and a stream of them",
      kind: "action",
      arguments: object({}),
      execute: async (_args: unknown, context: Context) => {
        const bytes = new Uint8Array([255, 216, 0, 1]);
        await context.createFileWriter("photo", "bytes").writeAll(bytes);
        const stream = new ReadableStream({
          start(controller) {
            controller.enqueue(bytes);
            controller.enqueue(bytes);
            controller.close();
          },
        });
        await context.createFileWriter("photo", "stream").writeStream(stream);
      },
    },
    clear: {
      description: "Dig everything up: each resource gets a last version that says that it is deleted",
      kind: "delete",
      arguments: object({}),
      execute: (_args: unknown, context: Context) => context.logger.warn(`cleared ${context.definition.name}`),
    },
  },
};

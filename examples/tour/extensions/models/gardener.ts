// A model whose methods show what a method finds in its context.

import type { Context } from "./_lib/context.ts";
import { number, object, optional, record, text } from "./_lib/schema.ts";

const KEPT = { lifetime: "infinite", garbageCollection: 10 };

export const model = {
  type: "@tour/gardener",
  version: "2026.05.23.1",
  globalArguments: object({ tool: optional(text()), years: optional(number()) }),
  resources: {
    note: { description: "What the gardener was told or found out", schema: record(), ...KEPT },
  },
  methods: {
    remember: {
      description: "Keep all arguments, whatever they are called, as the note `as`",
      kind: "action",
      arguments: record(),
      execute: async ({ as = "note", ...values }: Record<string, unknown>, context: Context) => {
        const { tool, years } = context.globalArgs;
        await context.writeResource("note", String(as), { ...values, ...(tool && { tool }), ...(years && { years }) });
      },
    },
    tell: {
      description: "Log in every form that the logger takes",
      kind: "action",
      arguments: object({ name: text() }),
      execute: ({ name }: { name: string }, { logger }: Context) => {
        logger.info("text");
        logger.info("{count} beds of {name}, {{so}}", { count: 3, name });
        logger.info({ only: "properties" });
        logger.info`hello ${name}`;
        logger.info((tag: (strings: TemplateStringsArray, ...values: unknown[]) => unknown) => tag`called back by ${name}`);
        logger.with({ bed: "north" }).warn("dry: {bed}");
        logger.getChild("deep").debug("a detail");
        console.log("console");
      },
    },
    forget: {
      description: "Keep a scrap for as long as this run is remembered, and take a note away with all its versions",
      kind: "action",
      arguments: object({ note: text() }),
      execute: async ({ note }: { note: string }, context: Context) => {
        await context.writeResource("note", "scrap", { about: note }, { lifetime: "workflow" });
        await context.deleteResource(note);
      },
    },
    delegate: {
      description: "Have another model do something: read a file that comes with this extension, and fail",
      kind: "action",
      arguments: object({}),
      execute: async (_args: unknown, context: Context) => {
        const almanac = context.extensionFile("models/notes/almanac.txt");
        // A type and a name: the definition is made where it is missing. It never throws.
        const read = await context.runModel({
          modelType: "command/shell", name: "reader", method: "execute", arguments: { run: `head -n 1 '${almanac}'` },
        });
        const wrong = await context.runModel({ definition: "north", method: "water", arguments: { crop: "beans", litres: 11 } });
        // An environment for expressions of its own.
        const sum = context.createCelEnvironment().evaluate("size(beds) + 1", { beds: ["north", "south"] });
        await context.writeResource("note", "delegated", {
          read: read.ok ? read.resources.map(({ name }) => name).sort() : read.error.message,
          wrong: wrong.ok ? "nothing was wrong" : wrong.error.message,
          sum,
        });
      },
    },
    survey: {
      description: "Find data of other models in every way that a method has",
      kind: "read",
      arguments: object({ of: text() }),
      execute: async ({ of }: { of: string }, context: Context) => {
        const found = await context.definitionRepository.findByNameGlobal(of);
        if (found === null) throw new Error(`nobody knows ${of}`);
        const { definition, type } = found;
        const repository = context.dataRepository;
        const bytes = await repository.getContent(type, definition.id, "beans");
        await context.writeResource("note", "survey", {
          type: type.raw,
          // A predicate and a selection over records, in CEL.
          queried: await context.queryData(`modelName == "${of}" && specName == "plant" && attributes.count > 1`, "name"),
          records: (await context.readModelData(of, "plant")).map(({ name }) => name).sort(),
          // Reports about the model are data of it, too.
          names: (await repository.findAllForModel(type, definition.id))
            .filter(({ tags }) => tags.type !== "report")
            .map(({ name }) => name)
            .sort(),
          versions: await repository.listVersions(type, definition.id, "beans"),
          content: bytes && JSON.parse(new TextDecoder().decode(bytes)).crop,
          vaults: (await context.vaultService.getVaultNames()).sort(),
          door: (await context.vaultService.get("shed", "door-code")).length,
          masked: context.redactor.redact("the door opens with 0000-open-sesame"),
        });
        // Data that no specification declares.
        const data = { name: "herbarium", contentType: "text/plain", lifetime: "30d", garbageCollection: 3, tags: { type: "file" } };
        await repository.save(context.modelType, context.modelId, data, new TextEncoder().encode("pressed leaves\n"));
      },
    },
  },
};

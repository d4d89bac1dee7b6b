// A model that is mounted: `.swamp-sources.yaml` names the directory in which it lies.

const any = { _def: {}, parse: (it: unknown) => it, safeParse: (it: unknown) => ({ success: true, data: it }) };

export const model = {
  type: "@tour/compass",
  version: "2026.05.23.1",
  resources: { bearing: { description: "Where something is", schema: any, lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    point: {
      description: "Say where something is",
      kind: "action",
      arguments: any,
      execute: async ({ at }: { at: string }, context: { writeResource(spec: string, name: string, data: unknown): Promise<unknown> }) => {
        await context.writeResource("bearing", at, { at, degrees: at === "north" ? 0 : 180 });
      },
    },
  },
};

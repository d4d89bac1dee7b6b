// An add-on: brings a method and a check to a model that is somewhere else.

import type { Context } from "./_lib/context.ts";
import { object, text } from "./_lib/schema.ts";

export const extension = {
  type: "@tour/bed",
  methods: [
    {
      fertilise: {
        description: "Give a plant something to eat",
        kind: "update",
        arguments: object({ crop: text(), with: text({ default: "compost" }) }),
        execute: async (args: { crop: string; with: string }, context: Context) => {
          context.logger.info`${args.crop} gets ${args.with}`;
          await context.writeResource("plant", args.crop, { ...(await context.readResource(args.crop)), fed: args.with });
        },
      },
    },
  ],
  checks: [
    {
      "no-plastic": {
        description: "Nothing that does not rot",
        appliesTo: ["fertilise"],
        execute: ({ unresolvedMethodArgs }: Context) => ({ pass: unresolvedMethodArgs.with !== "plastic", errors: ["plastic does not rot"] }),
      },
    },
  ],
};

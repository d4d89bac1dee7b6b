// A report about one call of a method: made after each of `@tour/bed`, since that model names it.

interface Context {
  definition: { name: string };
  methodName: string;
  executionStatus: string;
  methodArgs: Record<string, unknown>;
  dataHandles: { name: string; version: number }[];
}

export const report = {
  name: "@tour/bed-report",
  description: "What was done in a bed",
  scope: "model",
  labels: ["garden"],
  execute: ({ definition, methodName, executionStatus, methodArgs, dataHandles }: Context) => ({
    markdown: `# ${definition.name}\n\n\`${methodName}\` ${executionStatus}, ${dataHandles.length} written\n`,
    json: { method: methodName, arguments: methodArgs, written: dataHandles.map(({ name, version }) => `${name}@${version}`) },
  }),
};

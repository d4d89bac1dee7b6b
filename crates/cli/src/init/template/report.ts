// A report: what is told after a run.

interface Context {
  workflow?: { name: string; status: string };
}

export const report = {
  name: "@local/summary",
  description: "Tell in one line how a run went",
  scope: "workflow",
  labels: ["example"],
  execute: async (context: Context) => {
    const { name, status } = context.workflow ?? { name: "?", status: "?" };
    return { markdown: `**${name}** ${status}`, json: { name, status } };
  },
};

// A report about one run of a workflow, made where a workflow requires it.

interface Step {
  stepName: string;
  modelName: string;
  methodName: string;
  status: string;
}

export const report = {
  name: "@tour/season",
  description: "What was done in the garden",
  scope: "workflow",
  execute: (context: { workflowName: string; workflowStatus: string; stepExecutions: Step[] }) => ({
    markdown: [
      `# ${context.workflowName}: ${context.workflowStatus}`,
      "",
      ...context.stepExecutions.map(({ stepName, modelName, methodName, status }) => `- ${stepName}: ${modelName}.${methodName} ${status}`),
      "",
    ].join("\n"),
    json: { status: context.workflowStatus, steps: context.stepExecutions.map(({ stepName }) => stepName) },
  }),
};

((globalThis as unknown as { marks: string[] }).marks ??= []).push("marks-empty"); export const unusedName = 1;

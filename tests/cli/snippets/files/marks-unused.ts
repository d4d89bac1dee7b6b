((globalThis as unknown as { marks: string[] }).marks ??= []).push("marks-unused"); export const unusedName = 1;

((globalThis as unknown as { marks: string[] }).marks ??= []).push("marks"); export const unusedName = 1;

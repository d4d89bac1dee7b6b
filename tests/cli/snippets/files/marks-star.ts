((globalThis as unknown as { marks: string[] }).marks ??= []).push("marks-star"); export const unusedName = 1;

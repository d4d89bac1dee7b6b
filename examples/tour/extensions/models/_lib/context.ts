// What the methods of the tour use of their context.

export interface Handle {
  name: string;
  specName: string;
  version: number;
  size: number;
}

export interface DataRecord {
  name: string;
  version: number;
  attributes: Record<string, unknown>;
}

interface Logger {
  (...parts: unknown[]): void;
}

export interface Context {
  definition: { id: string; name: string; tags: Record<string, string> };
  modelType: { raw: string };
  modelId: string;
  // deno-lint-ignore no-explicit-any
  globalArgs: any;
  unresolvedMethodArgs: Record<string, unknown>;
  logger: Record<"debug" | "info" | "warn" | "error", Logger> & {
    with(properties: Record<string, unknown>): Context["logger"];
    getChild(name: string): Context["logger"];
  };
  writeResource(spec: string, name: string, data: unknown, overrides?: unknown): Promise<Handle>;
  deleteResource(name: string): Promise<void>;
  readResource(name: string, version?: number): Promise<Record<string, unknown> | null>;
  readModelData(model: string, spec?: string): Promise<DataRecord[]>;
  queryData(predicate: string, select?: string): Promise<unknown[]>;
  runModel(options: unknown): Promise<{ ok: true; resources: Handle[] } | { ok: false; error: { message: string } }>;
  extensionFile(path: string): string;
  createCelEnvironment(): { evaluate(expression: string, variables?: unknown): unknown };
  createFileWriter(spec: string, name: string): {
    writeLine(line: string): Promise<void>;
    writeText(text: string): Promise<Handle>;
    writeAll(bytes: Uint8Array): Promise<Handle>;
    writeStream(stream: ReadableStream<Uint8Array>): Promise<Handle>;
    finalize(): Promise<Handle>;
  };
  dataRepository: {
    getContent(type: unknown, id: string, name: string, version?: number): Promise<Uint8Array | null>;
    findAllForModel(type: unknown, id: string): Promise<{ name: string; tags: Record<string, string> }[]>;
    listVersions(type: unknown, id: string, name: string): Promise<number[]>;
    save(type: unknown, id: string, data: unknown, bytes: Uint8Array): Promise<{ version: number }>;
  };
  definitionRepository: {
    findByNameGlobal(name: string): Promise<{ definition: { id: string }; type: { raw: string } } | null>;
  };
  vaultService: { get(vault: string, key: string): Promise<string>; getVaultNames(): Promise<string[]> };
  redactor: { redact(text: string): string };
}

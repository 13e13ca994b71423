/** What we use of WebAssembly's interface: TypeScript knows it from `lib.dom` alone, which has no place in a server. */
declare namespace WebAssembly {
  class Memory {
    /** Sizes in pages of 64 KiB. */
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer | SharedArrayBuffer
    /** Adds pages; returns how many there were. */
    grow(pages: number): number
  }
  class Module {
    constructor(bytes: Uint8Array)
    static imports(module: Module): Array<{ module: string; name: string; kind: string }>
    static exports(module: Module): Array<{ name: string; kind: string }>
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, Memory>>)
    readonly exports: Record<string, unknown>
  }
}

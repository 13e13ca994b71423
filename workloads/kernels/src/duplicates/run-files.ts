/**
 * Files that are written once, kept until they are removed, and read in pieces: the volume as runs of ids need it. All of it is
 * synchronous, because whether a row is a duplicate is decided before the next row is looked at.
 */
export type RunFiles = Readonly<{
  /** Begins a file under a name that was never used. Errors: the disk's. */
  create: () => RunFileWriter
  /** Errors: the disk's, also when there is no such file. */
  open: (name: string) => RunFileReader
  /** From here on nobody needs the file; when its bytes go is the volume's business. */
  remove: (name: string) => void
  /** Bytes of memory that the files take: none when they lie on a volume. */
  residentBytes: () => number
}>

export type RunFileWriter = Readonly<{
  name: string
  append: (bytes: Uint8Array) => void
  /** Makes all of it durable, and only then gives it its name. Errors: the disk's; then `abort`. */
  commit: () => RunFileReader
  abort: () => void
}>

export type RunFileReader = Readonly<{
  name: string
  size: number
  /** Fills `into` from `offset` on. Errors: the disk's, also when the file ends before. */
  read: (into: Uint8Array, offset: number) => void
  close: () => void
}>

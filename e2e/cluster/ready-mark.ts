import type { Toolbox } from './toolbox.ts'

/** What the mark of a finished bring-up remembers: whoever attaches needs the same tools and settings. */
export type ReadyMark = Readonly<{ toolbox: Toolbox; audit: boolean }>

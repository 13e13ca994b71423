import type { Question } from './bench-questions.ts'

/** Another engine in this process that holds the same rows. */
export type Peer = Readonly<{
  name: string
  useThreads: (threads: number) => Promise<void>
  ask: (question: Question) => Promise<readonly (readonly unknown[])[]>
  close: () => void
}>

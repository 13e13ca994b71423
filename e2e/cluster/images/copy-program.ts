import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { mustRun } from '../run-command.ts'

/** Where Debian's dynamic linker looks without being told. */
const libraryDirectory = 'usr/lib/x86_64-linux-gnu'
/** Loaded by name at run time, so ldd does not list them: name look-ups of the C library. */
const nameServiceLibraries = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2']

/** The lines of ldd's answer: libraries by path. Throws when one is missing, with its name. */
export function parseLdd(answer: string, program: string): string[] {
  const missing = [...answer.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1])
  if (missing.length > 0) {
    throw new Error(
      `${program} needs ${missing.join(', ')}: add their Debian packages to debian/package-sets.ts`,
    )
  }
  return [...answer.matchAll(/(?:=> |^\s*)(\/.+) \(0x/gm)].flatMap((match) => match[1] ?? [])
}

/** Copies a program, or a library with what it loads, into an image directory, and all shared libraries with it. */
export async function copyProgram(
  source: string,
  directory: string,
  target: string,
  librarySearch: readonly string[] = [],
): Promise<void> {
  copyInto(source, join(directory, target))
  await copyLibraries(source, directory, librarySearch)
}

/** Copies the shared libraries of one program or library. */
export async function copyLibraries(
  source: string,
  directory: string,
  librarySearch: readonly string[] = [],
): Promise<void> {
  const answer = await mustRun(['ldd', source], { environment: { LD_LIBRARY_PATH: librarySearch.join(':') } })
  for (const library of parseLdd(answer, source)) {
    const isLoader = basename(library).startsWith('ld-linux')
    copyInto(library, join(directory, isLoader ? 'lib64' : libraryDirectory, basename(library)))
    if (!basename(library).startsWith('libc.so')) continue
    for (const name of nameServiceLibraries) {
      const beside = join(dirname(library), name)
      if (existsSync(beside)) copyInto(beside, join(directory, libraryDirectory, name))
    }
  }
}

function copyInto(source: string, target: string): void {
  if (existsSync(target)) return
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(source, target)
  chmodSync(target, 0o755)
}

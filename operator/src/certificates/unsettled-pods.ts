import type { TlsReport } from '@truenow/chassis/tls-report.ts'
import { type Authorities, nameOf } from './authorities.ts'

/** What a pod said of its certificates. `plain`: that it has none. Undefined: nothing, which proves nothing. */
export type PodAnswer = TlsReport | 'plain' | undefined

/**
 * Which pods have not taken over what is written, each with why, in words. Only a positive, present statement counts; a pod that
 * says nothing is not done. Where the cluster goes without certificates, a pod that has none is.
 */
export function unsettledPods(
  { current, next, previous, phase }: Authorities,
  pods: ReadonlyArray<Readonly<{ name: string; answer: PodAnswer }>>,
  { seconds, plainIsFine }: Readonly<{ seconds: number; plainIsFine: boolean }>,
): string[] {
  const issuer = nameOf(current.certificatePem)
  const others = [next?.certificatePem, previous].flatMap((pem) => (pem === undefined ? [] : [nameOf(pem)]))
  const trust = [issuer, ...others].toSorted().join()
  const whyNot = (answer: PodAnswer): string | undefined => {
    if (answer === undefined) return 'does not answer'
    if (answer === 'plain') return plainIsFine && phase === 'accept' ? undefined : 'has no certificates and waits for its restart' // biome-ignore format: one line
    if (answer.phase !== phase) return `is in phase ${answer.phase}`
    if ([...answer.trusted].toSorted().join() !== trust) return 'trusts other authorities'
    if (answer.authority !== issuer) return 'shows a certificate of another authority'
    if (answer.heldSeconds < seconds) return `holds that for ${answer.heldSeconds} of ${seconds} s`
    return undefined
  }
  return pods.flatMap(({ name, answer }) => {
    const why = whyNot(answer)
    return why === undefined ? [] : [`${name} ${why}`]
  })
}

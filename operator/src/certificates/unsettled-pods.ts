import type { TlsReport } from '@truenow/chassis/tls-report.ts'
import { type Authorities, nameOf, namesOf, trustOf } from './authorities.ts'

/** What a pod said of its certificates. `plain`: that it has none. Undefined: nothing, which proves nothing. */
export type PodAnswer = TlsReport | 'plain' | undefined

/**
 * Which pods have not taken over what is written, each with why, in words. Only a positive, present statement counts; a pod that
 * says nothing is not done. Where the cluster goes without certificates, a pod that has none is.
 */
export function unsettledPods(
  authorities: Authorities,
  pods: ReadonlyArray<Readonly<{ name: string; answer: PodAnswer }>>,
  { seconds, plainIsFine }: Readonly<{ seconds: number; plainIsFine: boolean }>,
): string[] {
  const { current, phase } = authorities
  const trusted = namesOf(trustOf(authorities))
  const trust = trusted.toSorted().join()
  // Where the key is lost, leaves of whichever authority is trusted are all there is.
  const issuers = current.keyPem === '' ? trusted : [nameOf(current.certificatePem)]
  const whyNot = (answer: PodAnswer): string | undefined => {
    if (answer === undefined) return 'does not answer'
    if (answer === 'plain') return plainIsFine && phase === 'accept' ? undefined : 'has no certificates and waits for its restart' // biome-ignore format: one line
    if (answer.phase !== phase) return `is in phase ${answer.phase}`
    if ([...answer.trusted].toSorted().join() !== trust) return 'trusts other authorities'
    if (!issuers.includes(answer.authority)) return 'shows a certificate of another authority'
    if (answer.heldSeconds < seconds) return `holds that for ${answer.heldSeconds} of ${seconds} s`
    return undefined
  }
  return pods.flatMap(({ name, answer }) => {
    const why = whyNot(answer)
    return why === undefined ? [] : [`${name} ${why}`]
  })
}

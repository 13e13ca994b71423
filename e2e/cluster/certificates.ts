import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clusterNetwork } from './cluster-network.ts'
import { mustRun } from './run-command.ts'

/** One certificate of the cluster: who it names, what it is for. */
export type Certificate = Readonly<{
  name: string
  subject: string
  usage: 'serverAuth' | 'clientAuth'
  alternativeNames: readonly string[]
}>

const { nodeName, nodeAddress, apiService, domain } = clusterNetwork
const client = (name: string, subject: string): Certificate => ({
  name,
  subject,
  usage: 'clientAuth',
  alternativeNames: [],
})

export const clusterCertificates: readonly Certificate[] = [
  {
    name: 'apiserver',
    subject: '/CN=kube-apiserver',
    usage: 'serverAuth',
    alternativeNames: [
      'DNS:localhost',
      'DNS:kubernetes',
      'DNS:kubernetes.default',
      'DNS:kubernetes.default.svc',
      `DNS:kubernetes.default.svc.${domain}`,
      'IP:127.0.0.1',
      `IP:${nodeAddress}`,
      `IP:${apiService}`,
    ],
  },
  {
    name: 'kubelet-server',
    subject: `/O=system:nodes/CN=system:node:${nodeName}`,
    usage: 'serverAuth',
    alternativeNames: [`DNS:${nodeName}`, 'IP:127.0.0.1', `IP:${nodeAddress}`],
  },
  client('admin', '/O=system:masters/CN=admin'),
  client('apiserver-kubelet', '/O=system:masters/CN=kube-apiserver-kubelet-client'),
  client('controller-manager', '/CN=system:kube-controller-manager'),
  client('scheduler', '/CN=system:kube-scheduler'),
  client('kube-proxy', '/CN=system:kube-proxy'),
  client('kubelet', `/O=system:nodes/CN=system:node:${nodeName}`),
  client('volume-provisioner', '/CN=system:truenow-volume-provisioner'),
]

/** The extensions of a certificate, as `openssl req -addext` takes them. */
export function certificateExtensions({ usage, alternativeNames }: Certificate): string[] {
  return [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    `extendedKeyUsage=${usage}`,
    ...(alternativeNames.length > 0 ? [`subjectAltName=${alternativeNames.join(',')}`] : []),
  ]
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc']
const lifeDays = '3650'

/** Makes the instance's own certificate authority, every certificate of the list and the service-account key, once. */
export async function makeCertificates(pki: string, environment: Readonly<Record<string, string>>) {
  if (existsSync(join(pki, 'complete'))) return
  mkdirSync(pki, { recursive: true, mode: 0o700 })
  const configuration = join(pki, 'openssl.cnf')
  writeFileSync(configuration, '[req]\ndistinguished_name = none\n[none]\n')
  const settings = { environment: { ...environment, OPENSSL_CONF: configuration } }
  const path = (file: string) => join(pki, file)
  const authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
  const make = (name: string, subject: string, extensions: readonly string[], issuer: readonly string[]) =>
    mustRun(
      [
        ...[
          'openssl',
          'req',
          '-x509',
          '-config',
          configuration,
          ...newKey,
          '-days',
          lifeDays,
          '-subj',
          subject,
        ],
        ...extensions.flatMap((extension) => ['-addext', extension]),
        ...issuer,
        ...['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)],
      ],
      settings,
    )
  await make('ca', '/CN=truenow-local-cluster', authority, [])
  const issuer = ['-CA', path('ca.crt'), '-CAkey', path('ca.key')]
  for (const certificate of clusterCertificates) {
    await make(certificate.name, certificate.subject, certificateExtensions(certificate), issuer)
  }
  const key = path('service-account.key')
  await mustRun(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key], settings)
  await mustRun(['openssl', 'ec', '-in', key, '-pubout', '-out', path('service-account.pub')], settings)
  writeFileSync(path('complete'), '')
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A kubeconfig with everything inside, so that it can be handed on as one file. JSON is YAML, too. */
export function kubeconfig(pki: string, certificate: string): string {
  const base64 = (file: string) => readFileSync(join(pki, file)).toString('base64')
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'truenow',
    clusters: [
      {
        name: 'truenow',
        cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority-data': base64('ca.crt') },
      },
    ],
    users: [
      {
        name: certificate,
        user: {
          'client-certificate-data': base64(`${certificate}.crt`),
          'client-key-data': base64(`${certificate}.key`),
        },
      },
    ],
    contexts: [{ name: 'truenow', context: { cluster: 'truenow', user: certificate } }],
  })
}

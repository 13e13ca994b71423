import { redisImageName } from '../images/redis-image.ts'

const labels = { app: 'sample' }

/** A small workload under Pod Security restricted: a StatefulSet that keeps its data on a volume, and its Service. */
export const sampleWorkload = (namespace: string): string => {
  const metadata = { name: 'sample', namespace }
  const items = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ port: 80, targetPort: 6379 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: 'sample',
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } } },
          },
        ],
      },
    },
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

const podSpec = {
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  terminationGracePeriodSeconds: 2,
  containers: [
    {
      name: 'redis',
      image: redisImageName,
      imagePullPolicy: 'Never',
      args: ['--appendonly', 'yes'],
      readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      volumeMounts: [
        { name: 'data', mountPath: '/data' },
        { name: 'tmp', mountPath: '/tmp' },
      ],
    },
  ],
  volumes: [{ name: 'tmp', emptyDir: {} }],
}

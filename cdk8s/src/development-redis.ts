import {
  IntOrString,
  KubeDeployment,
  KubeSecret,
  KubeService,
  Quantity,
} from 'cdk8s-plus-27/lib/imports/k8s.js'
import { Construct } from 'constructs'
import { restrictedContainer, restrictedPod } from './restricted-security.ts'

/** One Redis without persistence, for development: it is a cache. `urlSecret` names the Secret that holds its address. */
export class DevelopmentRedis extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: Readonly<{ namespace: string; image: string; urlSecret: string }>,
  ) {
    super(scope, id)
    const labels = { 'app.kubernetes.io/name': 'redis', 'app.kubernetes.io/part-of': 'truenow-quickstart' }
    const metadata = { name: 'redis', namespace: props.namespace, labels }
    new KubeSecret(this, 'secret', {
      metadata: { ...metadata, name: props.urlSecret },
      stringData: { url: `redis://redis.${props.namespace}.svc:6379` },
    })
    new KubeService(this, 'service', {
      metadata,
      spec: {
        selector: labels,
        ports: [{ name: 'redis', port: 6379, targetPort: IntOrString.fromNumber(6379) }],
      },
    })
    new KubeDeployment(this, 'server', {
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            ...restrictedPod,
            containers: [
              {
                name: 'redis',
                image: props.image,
                imagePullPolicy: 'IfNotPresent',
                ports: [{ name: 'redis', containerPort: 6379 }],
                readinessProbe: { tcpSocket: { port: IntOrString.fromNumber(6379) }, periodSeconds: 1 },
                resources: {
                  requests: { cpu: Quantity.fromString('20m'), memory: Quantity.fromString('32Mi') },
                  limits: { memory: Quantity.fromString('128Mi') },
                },
                securityContext: restrictedContainer,
                volumeMounts: [
                  { name: 'data', mountPath: '/data' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [
              { name: 'data', emptyDir: { sizeLimit: Quantity.fromString('128Mi') } },
              { name: 'tmp', emptyDir: { sizeLimit: Quantity.fromString('16Mi') } },
            ],
          },
        },
      },
    })
  }
}

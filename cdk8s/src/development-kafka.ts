import { IntOrString, KubeService, KubeStatefulSet, Quantity } from 'cdk8s-plus-27/lib/imports/k8s.js'
import { Construct } from 'constructs'
import { restrictedContainer, restrictedPod } from './restricted-security.ts'

/** One broker in KRaft mode, for development: no replication, one volume. Clients reach it at `kafka:9092`. */
export class DevelopmentKafka extends Construct {
  constructor(scope: Construct, id: string, props: Readonly<{ namespace: string; image: string }>) {
    super(scope, id)
    const labels = { 'app.kubernetes.io/name': 'kafka', 'app.kubernetes.io/part-of': 'truenow-quickstart' }
    const metadata = { name: 'kafka', namespace: props.namespace, labels }
    new KubeService(this, 'service', {
      metadata,
      spec: {
        selector: labels,
        ports: [{ name: 'kafka', port: 9092, targetPort: IntOrString.fromNumber(9092) }],
      },
    })
    new KubeStatefulSet(this, 'broker', {
      metadata,
      spec: {
        serviceName: 'kafka',
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            ...restrictedPod,
            containers: [
              {
                name: 'kafka',
                image: props.image,
                imagePullPolicy: 'IfNotPresent',
                env: [
                  {
                    name: 'KAFKA_ADVERTISED_LISTENERS',
                    value: `PLAINTEXT://kafka.${props.namespace}.svc:9092`,
                  },
                  { name: 'KAFKA_HEAP_OPTS', value: '-Xms128m -Xmx512m' },
                ],
                ports: [{ name: 'kafka', containerPort: 9092 }],
                readinessProbe: {
                  tcpSocket: { port: IntOrString.fromNumber(9092) },
                  periodSeconds: 1,
                  failureThreshold: 60,
                },
                resources: {
                  requests: { cpu: Quantity.fromString('100m'), memory: Quantity.fromString('512Mi') },
                  limits: { memory: Quantity.fromString('1Gi') },
                },
                securityContext: restrictedContainer,
                volumeMounts: [
                  { name: 'log', mountPath: '/var/lib/kafka' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [{ name: 'tmp', emptyDir: { sizeLimit: Quantity.fromString('256Mi') } }],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'log' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              resources: { requests: { storage: Quantity.fromString('10Gi') } },
            },
          },
        ],
      },
    })
  }
}

import {
  IntOrString,
  KubeSecret,
  KubeService,
  KubeStatefulSet,
  Quantity,
} from 'cdk8s-plus-27/lib/imports/k8s.js'
import { Construct } from 'constructs'
import { restrictedContainer, restrictedPod } from './restricted-security.ts'

/** One PostgreSQL with a password of its own, for development. `urlSecret` names the Secret that holds its address. */
export class DevelopmentPostgres extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: Readonly<{ namespace: string; image: string; password: string; urlSecret: string }>,
  ) {
    super(scope, id)
    const labels = { 'app.kubernetes.io/name': 'postgres', 'app.kubernetes.io/part-of': 'truenow-quickstart' }
    const metadata = { name: 'postgres', namespace: props.namespace, labels }
    const address = `postgres.${props.namespace}.svc:5432`
    new KubeSecret(this, 'secret', {
      metadata: { ...metadata, name: props.urlSecret },
      stringData: {
        password: props.password,
        url: `postgres://truenow:${props.password}@${address}/truenow`,
      },
    })
    new KubeService(this, 'service', {
      metadata,
      spec: {
        selector: labels,
        ports: [{ name: 'postgres', port: 5432, targetPort: IntOrString.fromNumber(5432) }],
      },
    })
    new KubeStatefulSet(this, 'server', {
      metadata,
      spec: {
        serviceName: 'postgres',
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            ...restrictedPod,
            containers: [
              {
                name: 'postgres',
                image: props.image,
                imagePullPolicy: 'IfNotPresent',
                env: [{ name: 'POSTGRES_PASSWORD_FILE', value: '/run/secrets/postgres/password' }],
                ports: [{ name: 'postgres', containerPort: 5432 }],
                readinessProbe: {
                  exec: { command: ['/usr/lib/postgresql/15/bin/pg_isready', '-h', '127.0.0.1'] },
                  periodSeconds: 1,
                  failureThreshold: 60,
                },
                resources: {
                  requests: { cpu: Quantity.fromString('50m'), memory: Quantity.fromString('128Mi') },
                  limits: { memory: Quantity.fromString('512Mi') },
                },
                securityContext: restrictedContainer,
                volumeMounts: [
                  { name: 'data', mountPath: '/var/lib/postgresql' },
                  { name: 'tmp', mountPath: '/tmp' },
                  { name: 'password', mountPath: '/run/secrets/postgres', readOnly: true },
                ],
              },
            ],
            volumes: [
              { name: 'tmp', emptyDir: { sizeLimit: Quantity.fromString('64Mi') } },
              {
                name: 'password',
                secret: { secretName: props.urlSecret, items: [{ key: 'password', path: 'password' }] },
              },
            ],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              resources: { requests: { storage: Quantity.fromString('1Gi') } },
            },
          },
        ],
      },
    })
  }
}

import { join } from 'node:path'
import { clusterNetwork } from '../cluster-network.ts'
import type { Component } from './component.ts'

/**
 * The API server. Requests without a certificate or token are refused; Pod Security and
 * ValidatingAdmissionPolicy are on by default in this version.
 */
export const kubeApiserver: Component = ({ layout, toolbox, audit, withNode }) => {
  const pki = (file: string) => join(layout.pki, file)
  const policy = join(layout.configuration, 'audit-policy.json')
  return {
    files: audit ? { [policy]: JSON.stringify(auditPolicy) } : {},
    daemon: {
      name: 'kube-apiserver',
      namespaces: 'both',
      environment: toolbox.environment,
      command: [
        join(toolbox.kubernetes, 'kube-apiserver'),
        '--etcd-servers=http://127.0.0.1:2379',
        `--advertise-address=${clusterNetwork.nodeAddress}`,
        '--secure-port=6443',
        `--service-cluster-ip-range=${clusterNetwork.serviceRange}`,
        '--anonymous-auth=false',
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--allow-privileged=true',
        '--profiling=false',
        ...(withNode ? [] : ['--enable-aggregator-routing=true']), // Addresses of Services lead nowhere without a proxy.
        `--client-ca-file=${pki('ca.crt')}`,
        `--tls-cert-file=${pki('apiserver.crt')}`,
        `--tls-private-key-file=${pki('apiserver.key')}`,
        `--kubelet-certificate-authority=${pki('ca.crt')}`,
        `--kubelet-client-certificate=${pki('apiserver-kubelet.crt')}`,
        `--kubelet-client-key=${pki('apiserver-kubelet.key')}`,
        '--kubelet-preferred-address-types=InternalIP', // The node's name resolves nowhere.
        `--service-account-issuer=https://kubernetes.default.svc.${clusterNetwork.domain}`,
        `--service-account-key-file=${pki('service-account.pub')}`,
        `--service-account-signing-key-file=${pki('service-account.key')}`,
        ...(audit
          ? [
              `--audit-policy-file=${policy}`,
              `--audit-log-path=${layout.auditLog}`,
              '--audit-log-maxsize=200',
            ]
          : []),
      ],
    },
  }
}

/** Who wrote what: every change and every read by a service account; not the traffic of Kubernetes' own parts. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    {
      level: 'None',
      users: [
        'system:apiserver',
        'system:kube-controller-manager',
        'system:kube-scheduler',
        'system:kube-proxy',
        'system:truenow-volume-provisioner',
      ],
    },
    { level: 'None', userGroups: ['system:nodes', 'system:serviceaccounts:kube-system'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
    { level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
  ],
}

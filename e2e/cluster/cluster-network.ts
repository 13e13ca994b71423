/** Addresses inside the instance's own network namespace: nobody else is there, so they are the same for all. */
export const clusterNetwork = {
  nodeName: 'truenow',
  bridge: 'node0',
  nodeAddress: '10.243.0.1',
  podBridge: 'pods0',
  podRange: '10.244.0.0/22',
  serviceRange: '10.96.0.0/16',
  apiService: '10.96.0.1',
  dnsService: '10.96.0.10',
  domain: 'cluster.local',
} as const

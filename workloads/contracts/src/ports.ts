/** The roles, in the order data flows, with their ports: HTTP, gRPC. */
export const ROLE_PORTS = {
  gateway: { http: 8088, grpc: 9088 },
  ingester: { http: 8100, grpc: 9100 },
  'hot-tier': { http: 9090, grpc: 9091 },
  query: { http: 8081, grpc: 9081 },
  watermark: { http: 8084, grpc: 9084 },
  'control-plane': { http: 8001, grpc: 9080 },
  operator: { http: 8086, grpc: 9086 },
} as const
export type Role = keyof typeof ROLE_PORTS

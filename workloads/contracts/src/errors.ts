/**
 * Every failure that a person who uses or runs TrueNow can meet; docs/errors.md lists exactly these (tested).
 * `grpcStatus` is the number of the standard gRPC status code.
 */
export const ERROR_CODES = {
  TN_CONFIG_INVALID: { statusCode: 500, grpcStatus: 9, retriable: false },
  TN_REQUEST_INVALID: { statusCode: 400, grpcStatus: 3, retriable: false },
  TN_BODY_TOO_LARGE: { statusCode: 413, grpcStatus: 8, retriable: false },
  TN_MEDIA_TYPE_UNSUPPORTED: { statusCode: 415, grpcStatus: 3, retriable: false },
  TN_EVENT_INVALID: { statusCode: 422, grpcStatus: 3, retriable: false },
  TN_TABLE_UNKNOWN: { statusCode: 404, grpcStatus: 5, retriable: false },
  TN_TABLE_INVALID: { statusCode: 422, grpcStatus: 3, retriable: false },
  TN_TABLE_CONFLICT: { statusCode: 409, grpcStatus: 9, retriable: false },
  TN_COLUMN_UNKNOWN: { statusCode: 400, grpcStatus: 3, retriable: false },
  TN_QUERY_INVALID: { statusCode: 400, grpcStatus: 3, retriable: false },
  TN_QUERY_LIMIT: { statusCode: 422, grpcStatus: 8, retriable: false },
  TN_QUERY_INCOMPLETE: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_QUERY_TIMEOUT: { statusCode: 504, grpcStatus: 4, retriable: true },
  TN_OVERLOADED: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_KAFKA_UNAVAILABLE: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_POSTGRES_UNAVAILABLE: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_CATALOG_UNAVAILABLE: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_PEER_UNAVAILABLE: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_SHARD_UNAVAILABLE: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_OFFSET_OUT_OF_RANGE: { statusCode: 410, grpcStatus: 11, retriable: false },
  TN_BLOCK_CORRUPT: { statusCode: 422, grpcStatus: 15, retriable: false },
  TN_MEMORY_FULL: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_SNAPSHOT_CORRUPT: { statusCode: 500, grpcStatus: 15, retriable: false },
  TN_ID_RUN_UNREADABLE: { statusCode: 500, grpcStatus: 15, retriable: false },
  TN_GENERATION_STALE: { statusCode: 409, grpcStatus: 9, retriable: false },
  TN_LEADER_STALE: { statusCode: 409, grpcStatus: 9, retriable: false },
  TN_MOVE_REFUSED: { statusCode: 409, grpcStatus: 9, retriable: false },
  TN_SHARD_RETIRED: { statusCode: 409, grpcStatus: 9, retriable: false },
  TN_SHUTTING_DOWN: { statusCode: 503, grpcStatus: 14, retriable: true },
  TN_INTERNAL: { statusCode: 500, grpcStatus: 13, retriable: false },
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** A failure at an edge: the code is for machines, the message names the place, the rule and the remedy. */
export class TrueNowError extends Error {
  override readonly name = 'TrueNowError'
  readonly code: ErrorCode
  /** Machine-readable facts beside the message, such as the path of the field or the limit's name. */
  readonly details: Readonly<Record<string, unknown>>
  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & { details?: Readonly<Record<string, unknown>> },
  ) {
    super(message, options)
    this.code = code
    this.details = options?.details ?? {}
  }
  get statusCode(): number {
    return ERROR_CODES[this.code].statusCode
  }
  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable
  }
}

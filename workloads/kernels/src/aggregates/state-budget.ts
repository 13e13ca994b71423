import { TrueNowError } from '@truenow/contracts/errors.ts'

/** What the states of one query may take together; beyond it the query ends, named. 0 = no limit. */
export class StateBudget {
  private readonly limit: string
  private readonly max: number
  private readonly remedy: string
  private taken = 0

  /** `limit` is the name of the limit, `remedy` what to do instead. */
  constructor(limit: string, max: number, remedy: string) {
    this.limit = limit
    this.max = max
    this.remedy = remedy
  }

  /** Errors: TN_QUERY_LIMIT. */
  take(amount: number): void {
    this.taken += amount
    if (this.max === 0 || this.taken <= this.max) return
    const message = `The query's aggregates hold more than ${this.limit} (${this.max}) allows; ${this.remedy}.`
    throw new TrueNowError('TN_QUERY_LIMIT', message, { details: { limit: this.limit, max: this.max } })
  }
}

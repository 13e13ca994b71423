import { type ErrorCode, TrueNowError } from '@truenow/contracts/errors.ts'
import { nearestName } from './nearest-name.ts'

/** A refusal of a statement that names the place (`filters.and[1].region`), the rule and the remedy. */
export function statementError(path: string, rule: string, code: ErrorCode = 'TN_QUERY_INVALID') {
  return new TrueNowError(code, `${path}: ${rule}`, { details: { path } })
}

/** A refusal that names the limit, so that a machine can tell which one was met. */
export function limitError(path: string, limit: string, max: number, given: number): TrueNowError {
  return new TrueNowError('TN_QUERY_LIMIT', `${path}: ${given} is more than ${limit} (${max}) allows.`, {
    details: { path, limit, max, given },
  })
}

/** A refusal of a name that is not there, with the one that was probably meant. */
export function unknownColumn(path: string, name: string, names: Iterable<string>): TrueNowError {
  const known = [...names]
  const nearest = nearestName(name, known)
  const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name
  const remedy =
    nearest === undefined
      ? `There are: ${known.slice(0, 20).join(', ')}${known.length > 20 ? ', …' : ''}.`
      : `Did you mean '${nearest}'?`
  return new TrueNowError('TN_COLUMN_UNKNOWN', `${path}: no column '${shown}'. ${remedy}`, {
    details: { path, ...(nearest === undefined ? {} : { did_you_mean: nearest }) },
  })
}

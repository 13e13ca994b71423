import { QueryStatement } from '@truenow/contracts/query-statement.ts'
import { nearestName } from '@truenow/kernels/query/nearest-name.ts'
import { statementError } from '@truenow/kernels/query/statement-error.ts'
import { Value } from 'typebox/value'

type Problem = ReturnType<typeof Value.Errors>[number]
/** Errors that are looked at; a statement with ten thousand bad values still gets one short refusal. */
const PROBLEMS_MAX = 64

/**
 * Anything that a client sent becomes a well-formed statement, or a refusal that names the first place that is wrong.
 * What needs the table (names, types) is judged by kernels/query/plan-statement.ts.
 * Errors: TN_QUERY_INVALID with `details.path`.
 */
export function parseStatement(body: unknown): QueryStatement {
  if (!Value.Check(QueryStatement, body)) throw refusal(body)
  const times = [
    ['start_time', body.start_time],
    ['end_time', body.end_time],
    ...Object.entries(body.at_least ?? {}).map(([slot, offset]) => [`at_least.${slot}`, offset] as const),
  ] as const
  for (const slot of Object.keys(body.at_least ?? {})) {
    if (!/^(0|[1-9][0-9]{0,8})$/.test(slot))
      throw statementError('at_least', `'${slot.slice(0, 64)}' is no slot number.`)
  }
  for (const [path, value] of times) {
    if (!Number.isSafeInteger(value)) throw statementError(path, `${value} is beyond 2^53 - 1.`)
  }
  return body
}

function refusal(body: unknown) {
  const problems = Value.Errors(QueryStatement, body).slice(0, PROBLEMS_MAX)
  for (const problem of problems) {
    if (problem.keyword === 'additionalProperties')
      return unknownField(problem, problem.params.additionalProperties)
    if (problem.keyword !== 'required') continue
    const path = join(problem.instancePath, problem.params.requiredProperties[0] ?? '')
    return statementError(path, 'is required.')
  }
  const deepest = problems
    .filter(({ keyword }) => keyword !== 'boolean' && keyword !== 'anyOf')
    .reduce<Problem | undefined>((best, each) => (depthOf(each) > depthOf(best) ? each : best), undefined)
  if (deepest === undefined) return statementError('', 'the body must be a JSON object.')
  const allowed = problems.flatMap((each) =>
    each.keyword === 'const' && each.instancePath === deepest.instancePath ? [each.params.allowedValue] : [],
  )
  const rule = allowed.length > 0 ? `must be one of ${allowed.join(', ')}` : deepest.message
  return statementError(join(deepest.instancePath, ''), `${rule}.`)
}

function unknownField(problem: Problem, fields: readonly string[]) {
  const field = fields[0] ?? ''
  const known = problem.instancePath === '' ? Object.keys(QueryStatement.properties) : NESTED_FIELDS
  const nearest = nearestName(field, known)
  const remedy = nearest === undefined ? `There are: ${known.join(', ')}.` : `Did you mean '${nearest}'?`
  return statementError(join(problem.instancePath, field.slice(0, 64)), `no such field. ${remedy}`)
}

const NESTED_FIELDS = ['aggregate', 'metric', 'q', 'k', 'as', 'column', 'descending', 'time_bucket']
const depthOf = (problem: Problem | undefined) => problem?.instancePath.split('/').length ?? 0

/** `/group_by/0/time_bucket` and a field become `group_by[0].time_bucket.field`. */
function join(pointer: string, field: string): string {
  const steps = pointer.split('/').slice(1)
  if (field !== '') steps.push(field)
  return steps.reduce((path, step) => {
    if (/^\d+$/.test(step) && path !== '' && !path.startsWith('at_least')) return `${path}[${step}]`
    return path === '' ? step : `${path}.${step}`
  }, '')
}

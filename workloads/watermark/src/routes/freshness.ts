import type { HttpApp } from '@truenow/chassis/http-server.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { NAME_PATTERN } from '@truenow/contracts/table-definition.ts'
import { Type } from 'typebox'
import { freshnessJson } from '../freshness-json.ts'
import type { JudgeNow } from '../judge-table.ts'

const Params = Type.Object({
  namespace: Type.String({ pattern: NAME_PATTERN }),
  table: Type.String({ pattern: NAME_PATTERN }),
})

/** GET /v1/freshness: every table. GET /v1/namespaces/:namespace/tables/:table/freshness: one; 404 if there is none. */
export function freshnessRoutes(app: HttpApp, { judgeNow }: Readonly<{ judgeNow: JudgeNow }>): void {
  app.get('/v1/freshness', async () => ({ tables: judgeNow().map(freshnessJson) }))
  const path = '/v1/namespaces/:namespace/tables/:table/freshness'
  app.get(path, { schema: { params: Params } }, async ({ params: { namespace, table } }) => {
    const [freshness] = judgeNow({ namespace, name: table })
    if (freshness === undefined) {
      const message = `There is no table ${namespace}.${table}; GET /v1/freshness lists them.`
      throw new TrueNowError('TN_TABLE_UNKNOWN', message)
    }
    return freshnessJson(freshness)
  })
}

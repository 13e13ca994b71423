import { parseArgs } from 'node:util'

/** The little of curl that the README uses: `-s -H 'name: value' -d body url`, for machines that have none. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    header: { type: 'string', short: 'H' },
    data: { type: 'string', short: 'd' },
  },
})
const [name = '', value = ''] = values.header?.split(': ') ?? []
const request = { method: 'POST', headers: { [name]: value }, body: values.data ?? '' }
const response = await fetch(`http://${positionals[0]}`, request)
process.stdout.write(await response.text())

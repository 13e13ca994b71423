import { copyFileSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Toolbox } from '../toolbox.ts'
import type { ImageRecipe } from './build-image.ts'
import { addAccounts } from './busybox-image.ts'

export const coreDnsImageName = 'localhost/truenow-coredns:1.13.2'

/** CoreDNS from the Go build, alone. The directory of the binaries is named by their content. */
export const coreDnsImage = (_root: string, toolbox: Toolbox): ImageRecipe => ({
  name: coreDnsImageName,
  key: basename(toolbox.kubernetes),
  fill: async (directory) => {
    addAccounts(directory)
    mkdirSync(join(directory, 'bin'))
    copyFileSync(join(toolbox.kubernetes, 'coredns'), join(directory, 'bin/coredns'))
  },
  entrypoint: ['/bin/coredns'],
})

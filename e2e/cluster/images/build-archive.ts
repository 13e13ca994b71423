import { createProgress } from '../../progress.ts'
import { unpackPackages } from '../debian/unpack-packages.ts'
import { checkoutHash } from '../instance-layout.ts'
import { machineLock } from '../machine-lock.ts'
import { debianToolbox } from '../toolbox.ts'
import { type BuiltImage, buildImage } from './build-image.ts'
import { nodeImage } from './node-image.ts'

const buildWaitMs = 1_200_000

/** Builds TrueNow's image without a cluster: `podman load -i <archive>`, or push it with any tool that reads OCI archives. */
export async function buildArchive(root: string, log: (line: string) => void): Promise<BuiltImage> {
  const step = createProgress(log)
  const free = await machineLock(`truenow-build-${checkoutHash(root)}`, buildWaitMs, () =>
    log('… waiting for another instance of this checkout that builds'),
  )
  try {
    const debian = await step('Debian packages unpacked into .cache', () => unpackPackages(root, 'tools', []))
    const toolbox = debianToolbox(debian)
    return await step('image built', () => buildImage(root, toolbox, nodeImage(root, toolbox)))
  } finally {
    await free()
  }
}

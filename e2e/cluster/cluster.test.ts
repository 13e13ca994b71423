import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { attachCluster, type Cluster, startCluster, stopCluster } from './cluster.ts'
import { pidFile } from './daemon.ts'
import { redisImage } from './images/redis-image.ts'
import { checkoutHash, instanceLayout } from './instance-layout.ts'
import { machineLock } from './machine-lock.ts'
import { runningPid } from './pid-file.ts'
import { pollUntil } from './poll-until.ts'
import { preflight, thisMachine } from './preflight.ts'
import { type HostTraces, hostTraces } from './test/host-traces.ts'
import { sampleWorkload } from './test/sample-workload.ts'
import { secondClone } from './test/second-clone.ts'

const root = resolve(dirname(import.meta.filename), '..', '..')
const instance = `selftest-${checkoutHash(root)}`
const layout = instanceLayout(root, instance)
const lines: string[] = []
const log = (line: string) => lines.push(line)
const unable = preflight(thisMachine(), undefined)
const skip = unable === undefined ? false : `SKIPPED, needs a cluster of its own: ${unable}`

describe('the local cluster', { skip, concurrency: 1 }, () => {
  let cluster: Cluster
  let traces: HostTraces
  let iptablesSave: string[]
  const start = async () => startCluster({ instance, root, log, auditLog: true })
  const must = async (...args: string[]) => {
    const { stdout, stderr, code } = await cluster.kubectl(args)
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const leavesNothing = async () => {
    const now = await hostTraces(layout, iptablesSave)
    for (const kind of Object.keys(traces)) assert.deepEqual(now[kind], traces[kind], kind)
    assert.equal(existsSync(layout.directory), false)
  }

  let free = async () => {}
  before(async () => {
    free = await machineLock(`truenow-run-${instance}`, 600_000) // Two runs in one checkout take turns.
    await stopCluster(instance, root)
    traces = await hostTraces(layout, [])
    cluster = await start()
    iptablesSave = [join(cluster.toolbox.debian, 'links/iptables-save')]
    const { iptables } = await hostTraces(layout, iptablesSave)
    traces = { ...traces, iptables: iptables ?? [] } // The tool came with the start; no rule of ours may be here.
    assert.ok(!iptables?.some((line) => line.includes('KUBE-')))
  })
  after(async () => {
    await stopCluster(instance, root)
    await free()
  })

  test('a running cluster is left as it is by a second start', async () => {
    const pid = runningPid(pidFile(layout, 'kube-apiserver'))
    await start()
    assert.equal(runningPid(pidFile(layout, 'kube-apiserver')), pid)
  })

  test('the host keeps its own kernel settings', async () => {
    assert.deepEqual((await hostTraces(layout, iptablesSave)).settings, traces.settings)
  })

  test('a restricted workload with a volume gets ready and answers by the name of its Service', async () => {
    await cluster.buildAndLoad(redisImage)
    const applied = await cluster.kubectl(['apply', '-f', '-'], sampleWorkload('sample'))
    assert.equal(applied.code, 0, applied.stderr)
    await must('-n', 'sample', 'rollout', 'status', 'statefulset/sample', '--timeout=60s')
    // From another pod's view: name service, Service address, and back to the very pod (hairpin).
    const client = ['redis-cli', '-h', 'sample.sample.svc', '-p', '80']
    const set = ['-n', 'sample', 'exec', 'sample-0', '--', ...client, 'set', 'kept', 'yes']
    // A Service follows its pods a moment later.
    await pollUntil('the Service to lead to its pod', 10_000, async () =>
      (await cluster.kubectl(set)).stdout === 'OK\n' ? true : undefined,
    )
    const claims = await must('-n', 'sample', 'get', 'pvc', 'data-sample-0', '-o', 'jsonpath={.status.phase}')
    assert.equal(claims, 'Bound')
  })

  test('names of Services resolve for a program of the host that exec runs', async () => {
    const { stdout } = await cluster.exec(['getent', 'hosts', 'sample.sample.svc'])
    assert.match(stdout, /^10\.96\.\d+\.\d+\s+sample\.sample\.svc\.cluster\.local/)
  })

  test('unknown names are answered at once, not after a timeout', async () => {
    const started = performance.now()
    const { code } = await cluster.exec(['getent', 'hosts', 'nobody.example'])
    assert.notEqual(code, 0)
    assert.ok(performance.now() - started < 2_000)
  })

  test('a relay leads from the loopback of the host to a Service', async () => {
    const relay = await cluster.relay({ namespace: 'sample', service: 'sample', port: 80 })
    try {
      assert.match(relay.url, /^http:\/\/127\.0\.0\.1:\d+$/)
      assert.equal(await ask(relay.port, 'GET kept\r\nQUIT\r\n'), '$3\r\nyes\r\n+OK\r\n')
    } finally {
      await relay.close()
    }
  })

  test('requests without an identity are refused', async () => {
    const script = `require('node:https').get('https://127.0.0.1:6443/api', { rejectUnauthorized: false },
      (answer) => { console.log(answer.statusCode); process.exit() })`
    const { stdout } = await cluster.exec([process.execPath, '-e', script])
    assert.equal(stdout, '401\n')
  })

  test('a privileged pod is refused where restricted is enforced', async () => {
    const run = ['-n', 'sample', 'run', 'root', '--image=localhost/truenow-busybox:1', '--privileged']
    const { stderr, code } = await cluster.kubectl(run)
    assert.notEqual(code, 0)
    assert.match(stderr, /violates PodSecurity "restricted/)
  })

  test('what was killed is started again; data and pods stay', async () => {
    const daemons = ['kube-apiserver', 'etcd', 'kubelet', 'containerd', 'agent']
    for (const name of daemons) {
      const pid = runningPid(pidFile(layout, name))
      assert.ok(pid, name)
      process.kill(pid, 'SIGKILL')
    }
    // The kernel takes its time with a program of many threads; until then it counts as running.
    await pollUntil(
      'the killed to end',
      10_000,
      () => daemons.every((name) => runningPid(pidFile(layout, name)) === undefined) || undefined,
    )
    cluster = await start()
    await must('-n', 'sample', 'wait', '--for=condition=Ready', 'pod/sample-0', '--timeout=30s')
    // A restarted kubelet learns of its pods a moment later than their last status says.
    const get = ['-n', 'sample', 'exec', 'sample-0', '--', 'redis-cli', 'get', 'kept']
    await pollUntil('answer of the old pod', 15_000, async () =>
      (await cluster.kubectl(get)).stdout === 'yes\n' ? true : undefined,
    )
  })

  test('another clone, killed in its Go build, comes up beside this one and goes, and neither notices', async () => {
    const clone = secondClone(root, cluster.toolbox)
    const beside = instanceLayout(clone.root, 'beside')
    try {
      const before = await hostTraces(beside, iptablesSave)
      const killed = clone.up('beside')
      await pollUntil('the Go build to begin', 20_000, () => existsSync(clone.buildMark) || undefined)
      killed.kill('SIGKILL')
      const second = clone.up('beside')
      const said = text(second.stdout as NodeJS.ReadableStream)
      assert.deepEqual(await once(second, 'exit'), [0, null], await said)
      assert.match(await said, /remains of an earlier attempt removed/)
      const other = await attachCluster('beside', clone.root)
      assert.equal((await other.kubectl(['create', 'namespace', 'only-there'])).code, 0)
      assert.match((await cluster.kubectl(['get', 'namespace', 'only-there'])).stderr, /NotFound/)
      assert.equal((await other.kubectl(['get', 'namespace', 'sample'])).code, 1)
      await stopCluster('beside', clone.root)
      assert.deepEqual(await hostTraces(beside, iptablesSave), before)
      const get = ['-n', 'sample', 'exec', 'sample-0', '--', 'redis-cli', 'get', 'kept']
      assert.equal(await must(...get), 'yes\n')
      const restarts = '-o=jsonpath={.status.containerStatuses[0].restartCount}'
      assert.equal(await must('-n', 'sample', 'get', 'pod', 'sample-0', restarts), '0')
    } finally {
      await stopCluster('beside', clone.root)
      clone.remove()
    }
  })

  test('a deleted claim takes its volume and the data with it', async () => {
    assert.equal(readdirSync(layout.volumes).length, 1)
    await must('delete', 'namespace', 'sample', '--wait', '--timeout=60s')
    await pollUntil('removal of the volume', 20_000, async () => {
      const left = await must('get', 'pv', '-o', 'name')
      return left === '' && readdirSync(layout.volumes).length === 0 ? true : undefined
    })
  })

  test('down leaves nothing, also when containerd was killed under running pods', async () => {
    const applied = await cluster.kubectl(['apply', '-f', '-'], sampleWorkload('again'))
    assert.equal(applied.code, 0, applied.stderr)
    await must('-n', 'again', 'rollout', 'status', 'statefulset/sample', '--timeout=60s')
    const containerd = runningPid(pidFile(layout, 'containerd'))
    assert.ok(containerd)
    process.kill(containerd, 'SIGKILL')
    assert.notDeepEqual(await hostTraces(layout, iptablesSave), traces, 'the comparison can fail')
    await stopCluster(instance, root)
    await leavesNothing()
    await assert.rejects(attachCluster(instance, root), /does not run; start it with/)
  })

  test('a bring-up that was killed can be taken down', async () => {
    await endedUp('namespaces open', 'SIGKILL')
    await stopCluster(instance, root)
    await leavesNothing()
  })

  test('a bring-up that was interrupted can be taken down', async () => {
    await endedUp('kube-apiserver ready', 'SIGINT')
    await stopCluster(instance, root)
    await leavesNothing()
  })

  test('a bring-up that was killed can be brought up', async () => {
    await endedUp('kube-apiserver ready', 'SIGKILL')
    cluster = await start()
    assert.ok(lines.some((line) => line.includes('remains of an earlier attempt removed')))
    await must('get', 'nodes')
    await stopCluster(instance, root)
    await leavesNothing()
  })
})

/** Runs `up` in a process of its own and ends it without warning once it has said `moment`. */
function endedUp(moment: string, signal: 'SIGKILL' | 'SIGINT'): Promise<void> {
  return new Promise((killed, failed) => {
    const up = spawn(process.execPath, [join(root, 'e2e/cluster/main.ts'), 'up', '--instance', instance])
    let said = ''
    up.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes(moment)) up.kill(signal)
    })
    up.on('error', failed)
    up.on('close', (code, by) =>
      by === signal ? killed() : failed(new Error(`up ended with ${code} before '${moment}':\n${said}`)),
    )
  })
}

/** Sends a text to a port of the loopback and collects what comes back until the other side closes. */
function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

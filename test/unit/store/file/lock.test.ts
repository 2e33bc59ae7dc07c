import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LockedError } from '../../../../lib/errors.js'
import { systemEnv } from '../../../../lib/store/file/env.js'
import { takeLock } from '../../../../lib/store/file/lock.js'
import { begin, bytesOf, metadataFor, mustFind, mustPut } from '../../../conformance/store-kit.js'
import { FakeClock } from '../../../helpers/clock.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { emptyDir, fileStoreOf, NOW, opened } from '../../../helpers/file-rig.js'
import { gate, until } from '../../../helpers/gate.js'

/* One process owns a directory, and one copy of drey in it. */

const seams = { env: systemEnv, now: () => NOW, pause: () => new Promise<void>((go) => setImmediate(go)) }

function lockable(dir = emptyDir()): string {
  mkdirSync(join(dir, 'LOCK'), { mode: 0o700 })
  return dir
}

const names = (dir: string): string[] => readdirSync(join(dir, 'LOCK'))

/** A process that owns the directory until it is killed. */
async function owner(dir: string): Promise<ReturnType<typeof spawn>> {
  const script = `
    import { createCache, fileStore } from ${JSON.stringify(new URL('../../../../dist/index.js', import.meta.url).href)}
    await createCache({ tiers: [fileStore({ dir: ${JSON.stringify(dir)}, maxBytes: '8MiB' })] })
    console.log('open')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

describe('the lock of a directory', () => {
  test('is had once, and again when it was given up', async () => {
    const dir = lockable()
    const lock = await takeLock(dir, seams)
    await expect(takeLock(dir, seams)).rejects.toThrow(LockedError)
    await expect(takeLock(dir, seams)).rejects.toThrow(/this process/)
    await lock.release()
    expect(names(dir)).toEqual([])
    await (await takeLock(dir, seams)).release()
  })

  test('is had by one of many who want it at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const dir = lockable()
      const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => takeLock(dir, seams)))
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(won.length).toBe(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LockedError)
        else await outcome.value.release()
      }
    }
  })

  test('works where the path is longer than a socket takes', async () => {
    const dir = join(emptyDir(), 'x'.repeat(120))
    mkdirSync(dir)
    lockable(dir)
    const lock = await takeLock(dir, seams)
    await expect(takeLock(dir, seams)).rejects.toThrow(LockedError)
    await lock.release()
  })

  test('goes over a socket whose owner is dead, and over what is no socket', async () => {
    const dir = lockable()
    const dead = join(dir, 'LOCK', '00000000000000aa')
    const child = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    await once(child, 'exit')
    expect(names(dir)).toEqual(['00000000000000aa'])
    writeFileSync(join(dir, 'LOCK', 'note'), '')
    const lock = await takeLock(dir, seams)
    expect(names(dir)).toHaveLength(2)
    await lock.release()
    expect(names(dir)).toEqual(['note'])
  })

  test('is another’s who says nothing', async () => {
    const dir = lockable()
    const server = createServer((socket) => socket.end())
    await new Promise<void>((listening) => server.listen(join(dir, 'LOCK', '00000000000000aa'), listening))
    await expect(takeLock(dir, seams)).rejects.toThrow(/does not answer/)
    server.close()
  })

  test('is not left behind by a claim that failed', async () => {
    const dir = lockable()
    const env = new FaultEnv()
    await (await takeLock(dir, { ...seams, env })).release()
    for (const [at] of env.calls.entries()) {
      const failing = new FaultEnv()
      failing.onCall = ({ index, name }) => (index === at && name !== 'unlink' ? { code: 'EIO' } : undefined)
      const lock = await takeLock(dir, { ...seams, env: failing }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'ERR_DREY_IO' })
        return undefined
      })
      await lock?.release()
      expect(names(dir)).toEqual([])
    }
  })

  test('names another process, and is free when that is killed', { timeout: 60_000 }, async () => {
    const dir = emptyDir()
    const child = await owner(dir)
    const config = { dir, segmentBytes: 2 ** 20, maxBytes: 8 * 2 ** 20 }
    await expect(opened(fileStoreOf(config))).rejects.toMatchObject({
      code: 'ERR_DREY_LOCKED',
      message: expect.stringContaining(`process ${child.pid}`),
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await opened(fileStoreOf(config))
    expect(store.stats().recovery).toMatchObject({ clean: false, doubt: false })
    await store.close()
    expect(names(dir)).toEqual([])
  })
})

describe('close', () => {
  test('does not wait for a disk that hangs, and keeps others out until it is over', async () => {
    const dir = emptyDir()
    const env = new FaultEnv()
    const clock = new FakeClock()
    const store = await opened(fileStoreOf({ dir }, { env, clock }))
    const draft = await begin(store, 'k', 10)
    expect(await draft.write(bytesOf(10, 'k'))).toBe(true)
    const held = gate()
    env.onCall = ({ name }) => (name === 'write' ? held.opened.then(() => undefined) : undefined)
    const committed = Promise.resolve(draft.commit(metadataFor(10)))
    await new Promise((resolve) => setImmediate(resolve))
    const warnings: unknown[] = []
    const onWarning = (warning: Error): void => void warnings.push((warning as { code?: string }).code)
    process.on('warning', onWarning)
    const closed = Promise.resolve(store.close())
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(10_000)
    await closed
    await expect(opened(fileStoreOf({ dir }))).rejects.toMatchObject({ code: 'ERR_DREY_LOCKED' })
    expect(warnings).toContain('DREY_CLOSE')
    process.off('warning', onWarning)
    held.open()
    await committed
    await until(() => names(dir).length === 0, 'the lock is given up')
    const again = await opened(fileStoreOf({ dir }))
    expect(again.stats()).toMatchObject({ entries: 1, diskErrors: 0 })
    await again.close()
  })

  test('leaves no timer, no file and no lock', async () => {
    const dir = emptyDir()
    const clock = new FakeClock()
    const open = readdirSync('/proc/self/fd').length
    const store = await opened(fileStoreOf({ dir, durability: 'none' }, { clock }))
    await mustPut(store, 'k', bytesOf(100_000, 'k'))
    await mustPut(store, 'small', bytesOf(100, 'k'))
    const held = await mustFind(store, 'k')
    await store.close()
    await store.close()
    expect(clock.pending).toBe(0)
    expect(readdirSync('/proc/self/fd').length).toBe(open)
    expect(names(dir)).toEqual([])
    expect(() => held.read(Buffer.alloc(1), 0)).toThrow('closed')
    held.release()
  })
})

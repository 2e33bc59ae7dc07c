import { LockedError, messageOf } from '../../errors.js'
import { type Answering, codeOf, type Env, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from './env.js'
import { openFailure } from './failure.js'
import { LOCK_FOLDER } from './format/names.js'

/*
 * One process owns a directory, and one copy of drey in it (docs/disk-format.md, section 9).
 *
 * Every claimant publishes a socket under a name of its own before it looks for others, so of two at least one sees the
 * other. A name whose owner is dead refuses connections, and is removed; it is never used again.
 */

/** A directory that is owned. */
export interface Lock {
  /** Gives it up. Never rejects: what cannot be removed refuses connections, and the next owner removes it. */
  release(): Promise<void>
}

const NAME = /^[0-9a-f]{16}$/
const NEW_NAME = /^[0-9a-f]{16}\.new$/
const ANSWER_MS = 1000
const ROUNDS = 50
const STALE_MS = 60_000
/** Longer paths do not fit a socket's address. */
const LONGEST_PATH = 100

export interface LockSeams {
  readonly env: Env
  readonly now: () => number
  readonly pause: (ms: number) => Promise<void>
}

/** @throws `ERR_DREY_LOCKED` that names the owner; `ERR_DREY_IO` */
export async function takeLock(dir: string, seams: LockSeams): Promise<Lock> {
  const { env } = seams
  const folder = `${dir}/${LOCK_FOLDER}`
  const fd = await env.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
    throw openFailure(error, folder, 'opening the folder of locks')
  })
  // The longest name in it has 20 characters.
  const short = folder.length + 21 <= LONGEST_PATH ? folder : `/proc/self/fd/${fd}`
  try {
    const claim = await contend(dir, folder, short, seams)
    return {
      release: async () => {
        await claim.withdraw()
        await quietly(env.close(fd))
      },
    }
  } catch (error) {
    await quietly(env.close(fd))
    if (error instanceof LockedError) throw error
    throw openFailure(error, folder, 'taking the lock')
  }
}

async function contend(dir: string, folder: string, short: string, seams: LockSeams): Promise<Claim> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const claim = await publish(folder, short, seams)
    try {
      const other = await settle(claim, folder, short, seams)
      if (other === undefined) {
        claim.own()
        await sweep(folder, seams)
        return claim
      }
      if (other.owner) throw new LockedError(`${dir}: ${other.says}; close it, or use another directory`)
    } catch (error) {
      await claim.withdraw()
      throw error
    }
    await claim.withdraw()
    await seams.pause(5 + (seams.env.random(1)[0]! % 32))
  }
  throw new LockedError(`${dir}: ${ROUNDS} times another process wanted it at the same time; try again`)
}

interface Claim {
  readonly name: string
  own(): void
  withdraw(): Promise<void>
}

async function publish(folder: string, short: string, { env, now }: LockSeams): Promise<Claim> {
  const name = env.random(8).toString('hex')
  let state: 'candidate' | 'owner' = 'candidate'
  const since = now()
  const line = (): string =>
    `${state} ${JSON.stringify({ pid: process.pid, since, title: process.title.slice(0, 200) })}`
  const answering: Answering = await env.listen(`${short}/${name}.new`, line)
  try {
    await env.rename(`${folder}/${name}.new`, `${folder}/${name}`)
  } catch (error) {
    await answering.close()
    throw error
  }
  return {
    name,
    own: () => {
      state = 'owner'
    },
    withdraw: async () => {
      await answering.close()
      await quietly(env.unlink(`${folder}/${name}`))
    },
  }
}

interface Other {
  readonly owner: boolean
  readonly says: string
}

/** Who is in the way: an owner, or a candidate that goes before; undefined when nobody is left. */
async function settle(
  claim: Claim,
  folder: string,
  short: string,
  { env, pause }: LockSeams,
): Promise<Other | undefined> {
  for (let look = 0; look < ROUNDS; look += 1) {
    let others = 0
    for (const { name } of await env.list(folder)) {
      if (!NAME.test(name) || name === claim.name) continue
      const says = await ask(env, folder, short, name)
      if (says === undefined) continue
      if (says.owner || name < claim.name) return says
      others += 1
    }
    if (others === 0) return undefined
    await pause(2)
  }
  return { owner: false, says: 'another process' }
}

/** What the socket says; undefined when its owner is dead or has gone. */
async function ask(env: Env, folder: string, short: string, name: string): Promise<Other | undefined> {
  try {
    const asked = await env.ask(`${short}/${name}`, ANSWER_MS)
    if (asked === 'refused') {
      await quietly(env.unlink(`${folder}/${name}`))
      return undefined
    }
    if (asked === 'silent') return { owner: true, says: 'is owned by a process that does not answer' }
    return read(asked.line)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    // What is no socket refuses in ways of its own; nobody can own anything by it.
    if (codeOf(error) === 'ENOTSOCK') return undefined
    throw error
  }
}

function read(line: string): Other {
  const owner = !line.startsWith('candidate ')
  try {
    const { pid, since, title } = JSON.parse(line.slice(line.indexOf(' ') + 1)) as Record<string, unknown>
    if (pid === process.pid) {
      return { owner, says: 'is open in this process already, by this or another copy of drey' }
    }
    const when = typeof since === 'number' ? ` since ${new Date(since).toISOString()}` : ''
    return { owner, says: `is owned by process ${String(pid)} (${String(title)})${when}` }
  } catch (error) {
    return { owner, says: `is owned by a process that says what is not understood (${messageOf(error)})` }
  }
}

/**
 * Who has the directory, in words; undefined for nobody. Takes nothing, and with an `env` that removes nothing leaves everything where it is.
 *
 * @throws what the system says
 */
export async function ownerOf(dir: string, env: Env): Promise<string | undefined> {
  const folder = `${dir}/${LOCK_FOLDER}`
  let fd: number
  try {
    fd = await env.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    // An open makes it.
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const short = folder.length + 21 <= LONGEST_PATH ? folder : `/proc/self/fd/${fd}`
    for (const { name } of await env.list(folder)) {
      const other = NAME.test(name) ? await ask(env, folder, short, name) : undefined
      if (other?.owner === true) return other.says
    }
    return undefined
  } finally {
    await env.close(fd)
  }
}

/** Removes names that were never published. */
async function sweep(folder: string, { env, now }: LockSeams): Promise<void> {
  for (const { name } of await env.list(folder)) {
    if (!NEW_NAME.test(name)) continue
    try {
      const { changedAt } = await env.status(`${folder}/${name}`)
      if (now() - changedAt > STALE_MS) await env.unlink(`${folder}/${name}`)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}

/** For what is tidied up on the way out: nothing depends on it. */
async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined)
}

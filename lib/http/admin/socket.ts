import { once } from 'node:events'
import { chmod, lstat, mkdtemp, rename, rmdir, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { ConfigError, messageOf } from '../../errors.js'

/** A socket in the file system that a server listens on. */
export interface SocketPlace {
  /** Takes it away, unless somebody else has put another there. */
  remove(): Promise<void>
}

/**
 * Has `server` listen on a socket at `path` that its user alone can connect to. One that is there and refuses connections is
 * replaced: nobody listens there any more.
 *
 * @throws `ERR_DREY_CONFIG` for a place that something else has; Node's error
 */
export async function listenAt(server: Server, path: string): Promise<SocketPlace> {
  await assertFree(path)
  // There is no moment at which others may connect: it is made where nobody else gets in, and is moved once its mode is right.
  const folder = await mkdtemp(`${path}.`)
  const made = `${folder}/s`
  try {
    server.listen(made)
    await once(server, 'listening')
    await chmod(made, 0o600)
    await rename(made, path)
  } catch (error) {
    await unlink(made).catch(absent)
    throw error
  } finally {
    await rmdir(folder)
  }
  const { ino } = await lstat(path)
  return {
    async remove() {
      const there = await lstat(path).catch(absent)
      if (there?.ino === ino) await unlink(path).catch(absent)
    },
  }
}

async function assertFree(path: string): Promise<void> {
  const there = await lstat(path).catch(absent)
  if (there === undefined) return
  if (!there.isSocket()) {
    throw new ConfigError(
      `admin: got ${JSON.stringify(path)}, where something is that is no socket; it was left as it is`,
    )
  }
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return
    throw new ConfigError(`admin: got ${JSON.stringify(path)}, a socket of another: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    socket.destroy()
  }
  throw new ConfigError(
    `admin: got ${JSON.stringify(path)}, where another process listens; want another path`,
  )
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

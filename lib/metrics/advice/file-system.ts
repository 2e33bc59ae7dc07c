import type { statfs } from 'node:fs/promises'

/** Where a directory lies. */
export interface FileSystem {
  /** Bytes: of all, and that are free for this user. */
  readonly total: number
  readonly free: number
  /** Undefined: a disk, as far as is known. */
  readonly kind: 'memory' | 'network' | undefined
  readonly name: string
}

/** What Linux calls them: statfs(2). Others number them otherwise, and are taken for disks. */
const KINDS: ReadonlyMap<number, readonly [kind: 'memory' | 'network', name: string]> = new Map([
  [0x0102_1994, ['memory', 'tmpfs']],
  [0x8584_58f6, ['memory', 'ramfs']],
  [0x6969, ['network', 'nfs']],
  [0x517b, ['network', 'smb']],
  [0xff53_4d42, ['network', 'cifs']],
  [0xfe53_4d42, ['network', 'smb2']],
  [0x0102_1997, ['network', '9p']],
  [0x00c3_6400, ['network', 'ceph']],
  [0x5346_414f, ['network', 'afs']],
])

/** Undefined where the system does not say. Never rejects. */
export async function fileSystemOf(
  dir: string,
  ask: typeof statfs,
  platform: string = process.platform,
): Promise<FileSystem | undefined> {
  try {
    const { type, bsize, blocks, bavail } = await ask(dir)
    const [kind, name] = (platform === 'linux' ? KINDS.get(type >>> 0) : undefined) ?? [undefined, 'disk']
    return { total: bsize * blocks, free: bsize * bavail, kind, name }
  } catch {
    // Nothing is known of it then, and nothing can be said: who opened it would have failed where it is not there.
    return undefined
  }
}

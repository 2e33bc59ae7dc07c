/** What a file system is to a cache on a disk. */
export interface FileSystemKind {
  readonly name: string
  /** Of what it is not; none of one on a disk of this machine. */
  readonly caution?: { readonly says: string; readonly advice: string }
}

const inMemory = {
  says: 'it lies in memory, counts against it, and is gone after a restart',
  advice: 'use a directory on a disk, or a memory store',
} as const
const network = {
  says: 'it is reached over a network: slower, and whoever is at its other end may stop it',
  advice:
    'use a disk of this machine; a cache needs no shared one, and one process alone may own a directory',
} as const
const overlay = {
  says: 'it is the writable layer of a container: slower, and gone with the container',
  advice: 'mount a volume there',
} as const
const user = {
  says: 'a process serves it (FUSE): slower, and it does what that process does',
  advice: 'use a file system of the kernel',
} as const
const poor = {
  says: 'it has neither links nor sockets, nor permissions',
  advice: 'use ext4, xfs, btrfs or zfs',
} as const

/** By the number that Linux gives them: `statfs(2)`. */
const LINUX: ReadonlyMap<number, FileSystemKind> = new Map<number, FileSystemKind>([
  [0xef53, { name: 'ext4 (or ext2, ext3)' }],
  [0x58465342, { name: 'xfs' }],
  [0x9123683e, { name: 'btrfs' }],
  [0x2fc12fc1, { name: 'zfs' }],
  [0xf2f52010, { name: 'f2fs' }],
  [0xca451a4e, { name: 'bcachefs' }],
  [0x01021994, { name: 'tmpfs', caution: inMemory }],
  [0x858458f6, { name: 'ramfs', caution: inMemory }],
  [0x794c7630, { name: 'overlay', caution: overlay }],
  [0x6969, { name: 'nfs', caution: network }],
  [0xff534d42, { name: 'cifs', caution: network }],
  [0xfe534d42, { name: 'smb2', caution: network }],
  [0x00c36400, { name: 'ceph', caution: network }],
  [0x01021997, { name: '9p', caution: network }],
  [0x65735546, { name: 'fuse', caution: user }],
  [0x4d44, { name: 'vfat', caution: poor }],
  [0x2011bab0, { name: 'exfat', caution: poor }],
])

/** The kind of a number that `statfs` gave on that platform; other systems number theirs anew at each start. */
export function fileSystemKind(platform: NodeJS.Platform, type: number): FileSystemKind {
  if (platform !== 'linux') return { name: `of kind ${type} on ${platform}` }
  // Node gives some as negative numbers of 32 bits.
  return LINUX.get(type >>> 0) ?? { name: `of kind 0x${(type >>> 0).toString(16)}` }
}

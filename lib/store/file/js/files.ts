import { ClosedError } from '../../../errors.js'
import { codeOf, type Env, O_NOFOLLOW, O_RDONLY } from '../env.js'
import type { SpaceLedger } from '../ledger.js'

/** A file that is open for reading. */
export interface OpenFile {
  readonly path: string
  /** Once it was acquired. */
  readonly fd: number
}

interface Slot extends OpenFile {
  fd: number
  opening: Promise<void>
  refs: number
  /** Readers that keep bytes on the disk, which are pinned in the ledger meanwhile. */
  pins: number
  pinnedBytes: number
  /** The name is gone already; to be called when the file is. */
  gone: (() => void) | undefined
}

/**
 * Files open for reading: a bounded number of idle ones, and those that are in use.
 *
 * Invariants: a slot in `#slots` has its name on the disk, as far as we know; one with `gone` set is not in `#slots` any
 * more, and is closed by its last user, before `gone` is called; `#idle` are those in `#slots` without users, least recently
 * used first.
 */
export class OpenFiles {
  readonly #env: Env
  readonly #ledger: SpaceLedger
  #limit: number
  readonly #slots = new Map<string, Slot>()
  readonly #idle = new Set<Slot>()
  readonly #doomed = new Set<Slot>()
  /** Files on their way out. */
  readonly #leaving = new Set<Promise<unknown>>()
  #closed = false

  constructor(env: Env, ledger: SpaceLedger, limit: number) {
    this.#env = env
    this.#ledger = ledger
    this.#limit = limit
  }

  /** Opens the file, or takes it as it is open. To be released. @throws what the system says */
  async acquire(path: string): Promise<OpenFile> {
    if (this.#closed) throw new ClosedError('the file store is closed')
    const slot = this.#slots.get(path) ?? this.#begin(path)
    this.#idle.delete(slot)
    slot.refs += 1
    try {
      await slot.opening
    } catch (error) {
      slot.refs -= 1
      if (this.#slots.get(path) === slot) this.#slots.delete(path)
      throw error
    }
    return slot
  }

  release(file: OpenFile): void {
    const slot = file as Slot
    slot.refs -= 1
    if (slot.refs > 0) return
    if (slot.gone !== undefined) {
      this.track(this.#finish(slot))
    } else if (!this.#closed) {
      this.#idle.add(slot)
      this.#trim(this.#limit)
    }
  }

  /** So many idle ones from here on. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.#trim(limit)
  }

  /** Says that whoever has the file keeps `bytes` on the disk; to be taken back by `unpin`. */
  pin(file: OpenFile, bytes: number): void {
    const slot = file as Slot
    slot.pins += 1
    if (slot.pins > 1) return
    slot.pinnedBytes = bytes
    this.#ledger.pin(bytes)
  }

  unpin(file: OpenFile): void {
    const slot = file as Slot
    slot.pins -= 1
    if (slot.pins === 0) this.#ledger.unpin(slot.pinnedBytes)
  }

  /** Removes the name; `gone` is called when nobody has the file open any more. @throws what the system says, but for a name that is not there */
  async remove(path: string, gone: () => void): Promise<void> {
    try {
      await this.#env.unlink(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    const slot = this.#slots.get(path)
    if (slot === undefined) return gone()
    this.#slots.delete(path)
    this.#idle.delete(slot)
    slot.gone = gone
    this.#doomed.add(slot)
    if (slot.refs === 0) await this.#finish(slot)
  }

  /** Has `settled` wait for `leaving`, which must not wait for room itself, nor reject. */
  track(leaving: Promise<unknown>): void {
    const tracked = leaving.finally(() => this.#leaving.delete(tracked))
    this.#leaving.add(tracked)
  }

  /** Resolves when what is on its way out now is gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#leaving)
  }

  /** Closes everything, used or not: to be called when no read is under way. */
  async close(): Promise<void> {
    this.#closed = true
    const all = [...this.#slots.values(), ...this.#doomed]
    this.#slots.clear()
    this.#idle.clear()
    this.#doomed.clear()
    for (const slot of all) {
      await this.#closeSlot(slot)
      slot.gone?.()
      slot.gone = undefined
    }
  }

  #begin(path: string): Slot {
    const slot: Slot = {
      path,
      fd: -1,
      opening: Promise.resolve(),
      refs: 0,
      pins: 0,
      pinnedBytes: 0,
      gone: undefined,
    }
    slot.opening = this.#open(path).then((fd) => {
      slot.fd = fd
    })
    this.#slots.set(path, slot)
    this.#trim(this.#limit)
    return slot
  }

  async #open(path: string): Promise<number> {
    try {
      return await this.#env.open(path, O_RDONLY | O_NOFOLLOW)
    } catch (error) {
      const code = codeOf(error)
      if ((code !== 'EMFILE' && code !== 'ENFILE') || this.#idle.size === 0) throw error
      this.#trim(0)
      return this.#env.open(path, O_RDONLY | O_NOFOLLOW)
    }
  }

  #trim(limit: number): void {
    for (const slot of this.#idle) {
      if (this.#slots.size <= limit) return
      this.#slots.delete(slot.path)
      this.#idle.delete(slot)
      void this.#closeSlot(slot)
    }
  }

  async #finish(slot: Slot): Promise<void> {
    if (!this.#doomed.delete(slot)) return
    await this.#closeSlot(slot)
    slot.gone?.()
    slot.gone = undefined
  }

  async #closeSlot(slot: Slot): Promise<void> {
    const { fd } = slot
    slot.fd = -1
    // A descriptor is gone whatever close says, and of a file that was only read nothing can be lost.
    if (fd !== -1) await this.#env.close(fd).catch(() => undefined)
  }
}

import { type Env, systemEnv } from '../../lib/store/file/env.js'

/** A call of the system that a fault env lets through, fails or shortens. */
export interface Call {
  /** Which one it is, from 0 on. */
  readonly index: number
  readonly name: keyof Env
}

/** What is done to a call: `code` fails it; `short` lets a read or write do one byte only; a promise delays it. */
export type Fault = { readonly code: string } | 'short' | Promise<void> | undefined

/**
 * The system with faults: each call is counted, and `onCall` says what becomes of it. Calls that have no result worth
 * failing (`random`) are let through.
 */
export class FaultEnv implements Env {
  readonly calls: Array<keyof Env> = []
  onCall: (call: Call) => Fault = () => undefined
  readonly #beneath: Env

  constructor(beneath: Env = systemEnv) {
    this.#beneath = beneath
  }

  open(path: string, flags: number, mode?: number): Promise<number> {
    return this.#do('open', () => this.#beneath.open(path, flags, mode))
  }
  /** The descriptor is gone also when it fails, as the system has it. */
  async close(fd: number): Promise<void> {
    await this.#beneath.close(fd)
    await this.#do('close', async () => undefined)
  }
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#do('read', (short) => this.#beneath.read(fd, into, offset, short ? 1 : length, position))
  }
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#do('write', (short) => this.#beneath.write(fd, bytes, offset, short ? 1 : length, position))
  }
  datasync(fd: number): Promise<void> {
    return this.#do('datasync', () => this.#beneath.datasync(fd))
  }
  sync(fd: number): Promise<void> {
    return this.#do('sync', () => this.#beneath.sync(fd))
  }
  truncate(fd: number, length: number): Promise<void> {
    return this.#do('truncate', () => this.#beneath.truncate(fd, length))
  }
  statusOf(fd: number): ReturnType<Env['statusOf']> {
    return this.#do('statusOf', () => this.#beneath.statusOf(fd))
  }
  status(path: string): ReturnType<Env['status']> {
    return this.#do('status', () => this.#beneath.status(path))
  }
  list(path: string): ReturnType<Env['list']> {
    return this.#do('list', () => this.#beneath.list(path))
  }
  makeFolder(path: string): Promise<void> {
    return this.#do('makeFolder', () => this.#beneath.makeFolder(path))
  }
  link(from: string, to: string): Promise<void> {
    return this.#do('link', () => this.#beneath.link(from, to))
  }
  rename(from: string, to: string): Promise<void> {
    return this.#do('rename', () => this.#beneath.rename(from, to))
  }
  unlink(path: string): Promise<void> {
    return this.#do('unlink', () => this.#beneath.unlink(path))
  }
  space(path: string): ReturnType<Env['space']> {
    return this.#do('space', () => this.#beneath.space(path))
  }
  bootId(): Promise<Buffer | undefined> {
    return this.#beneath.bootId()
  }
  random(bytes: number): Buffer {
    return this.#beneath.random(bytes)
  }
  listen(path: string, line: () => string): ReturnType<Env['listen']> {
    return this.#do('listen', () => this.#beneath.listen(path, line))
  }
  ask(path: string, ms: number): ReturnType<Env['ask']> {
    return this.#do('ask', () => this.#beneath.ask(path, ms))
  }

  async #do<T>(name: keyof Env, call: (short: boolean) => Promise<T>): Promise<T> {
    const index = this.calls.push(name) - 1
    const fault = this.onCall({ index, name })
    if (fault instanceof Promise) await fault
    else if (typeof fault === 'object') {
      throw Object.assign(new Error(`${fault.code}: injected, ${name}`), { code: fault.code })
    }
    return call(fault === 'short')
  }
}

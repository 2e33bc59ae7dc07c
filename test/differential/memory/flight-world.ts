import type { Draft, FollowedFlight, LedFlight } from '../../../lib/store/store.js'
import { turns, until } from '../../helpers/gate.js'
import { brief } from './values.js'
import { type Known, MemoryWorld, readAll, type Writing } from './world.js'

/** A flight as the model knows it. */
export interface Leading {
  readonly key: string
  readonly flight: LedFlight
  readonly alone: boolean
  /** Which one of two was claimed first. */
  readonly order: number
  state: 'asking' | 'growing' | 'committed' | 'ended' | 'lost'
  note: string
  atEnd: string | undefined
  fenced: boolean
  /** What arrives, once there is a draft for it. */
  writing: Writing | undefined
  /** That the followers were told of it. */
  grown: boolean
  wanted: boolean
  /** The last follower has left since the leader was last told so. */
  untoldAlone: boolean
}

/** One who follows a flight. */
export interface Following {
  readonly flight: FollowedFlight
  readonly of: Leading
  /** Something happened of which it was not told yet. */
  untold: boolean
}

const over = ({ state }: Leading): boolean => state !== 'asking' && state !== 'growing'

/**
 * A memory that several share, and what is in flight in it: who leads, who follows, and what each must see and hear of.
 *
 * News come by the event loop, and are awaited: one that never comes is a failure.
 */
export class FlightWorld extends MemoryWorld {
  readonly leading: Leading[] = []
  readonly following: Following[] = []
  /** A call is under way: nobody may be called back. */
  #calling = false
  #order = 0
  readonly #wrong: string[] = []

  /** Runs what calls the stores. */
  calling<T>(call: () => T): T {
    this.#calling = true
    try {
      return call()
    } finally {
      this.#calling = false
    }
  }

  claim(at: number, key: string, seen: Known | undefined, alone: boolean): void {
    const reading = this.readings.find(({ known }) => known === seen)
    const there = this.find(key, true)
    there?.entry.release()
    const flight = this.calling(() => this.share(at).sharing!.claim(key, reading?.entry, alone))
    const open = alone ? undefined : this.leading.find((led) => led.key === key && this.#isOpen(led))
    const looks = !alone && there !== undefined && there.known !== seen
    const want = looks ? 'look' : open === undefined ? 'lead' : 'follow'
    const got = flight === 'look' ? flight : flight.leads ? 'lead' : 'follow'
    if (got !== want) throw new Error(`claim of ${brief(key)}: got ${got}, want ${want}`)
    if (flight === 'look') return
    if (flight.leads) this.#lead(key, flight, alone)
    else this.#follow(flight, open!)
  }

  /** A body begins to arrive. */
  begin(led: Leading, size: number | undefined): void {
    if (led.writing !== undefined || over(led)) return
    const draft = this.calling(() => led.flight.draft(size)) as Draft | undefined
    if (draft === undefined) {
      if ((size ?? 0) <= this.maxItemBytes) this.refused(`a draft of ${size} bytes`)
      return
    }
    const { flight, key, fenced } = led
    led.writing = { key, draft, flight, bytes: Buffer.alloc(0), open: true, fenced, holds: 0 }
    this.writings.push(led.writing)
  }

  grow(led: Leading, note: string): void {
    const { writing } = led
    if (writing === undefined || !writing.open || led.state !== 'asking') return
    this.calling(() => led.flight.grow(writing.draft, note))
    Object.assign(led, { state: 'growing', note, grown: true })
    this.tell(led)
  }

  end(led: Leading, note: string): void {
    this.calling(() => led.flight.end(note))
    if (over(led)) return
    this.#over(led, 'ended', note)
  }

  /** What was written under `key` in one step, or by a draft that is nobody's fill: older fills are void. */
  wrote(key: string, before = Number.POSITIVE_INFINITY): void {
    for (const led of this.leading) {
      if (led.key !== key || led.order >= before) continue
      this.#fence(led)
    }
  }

  override fence(key: string | undefined): void {
    super.fence(key)
    for (const led of this.leading) if (key === undefined || led.key === key) this.#fence(led)
  }

  /** The flight brought a value, or confirmed one. */
  committed(led: Leading): void {
    this.wrote(led.key, led.order)
    this.#over(led, 'committed', '')
  }

  /** Compares what each draft of a flight, and each who leads or follows, must see by now. */
  override check(key?: string): void {
    for (const led of this.leading) this.#checkDraft(led)
    super.check(key)
    for (const led of this.leading) this.#checkLead(led)
    for (const following of this.following) this.#checkFollower(following)
    if (this.#wrong.length > 0) throw new Error(this.#wrong[0])
  }

  override get followed(): boolean {
    return this.following.some(({ of }) => of.grown)
  }

  leave(following: Following, wanted: boolean): void {
    const { flight, of } = following
    this.following.splice(this.following.indexOf(following), 1)
    this.calling(() => flight.leave(wanted))
    this.calling(() => flight.leave(wanted))
    if (wanted) of.wanted = true
    if (!over(of) && !this.following.some((other) => other.of === of)) of.untoldAlone = true
    if (!flight.fenced) throw new Error('a flight that was left is not fenced')
  }

  /** The last of those who follow `led` is told of what happened. */
  tell(led: Leading): void {
    for (const following of this.following) if (following.of === led) following.untold = true
  }

  /** Resolves when all were told what they must be; fails when somebody never is. */
  async news(): Promise<void> {
    await turns(2)
    await until(
      () =>
        !this.following.some(({ untold }) => untold) && !this.leading.some(({ untoldAlone }) => untoldAlone),
      'all were told the news',
    )
  }

  async settle(): Promise<void> {
    await this.news()
    for (const led of this.leading) this.end(led, 'over')
    await this.news()
    this.check()
    for (const following of [...this.following]) this.leave(following, false)
  }

  #isOpen(led: Leading): boolean {
    return !led.alone && !led.fenced && !over(led)
  }

  #lead(key: string, flight: LedFlight, alone: boolean): void {
    this.#order += 1
    const led: Leading = {
      key,
      flight,
      alone,
      order: this.#order,
      state: 'asking',
      note: '',
      atEnd: undefined,
      fenced: false,
      writing: undefined,
      grown: false,
      wanted: false,
      untoldAlone: false,
    }
    flight.onAlone(() => {
      if (this.#calling) this.#wrong.push('a leader is called back from within a call')
      led.untoldAlone = false
    })
    this.leading.push(led)
  }

  #follow(flight: FollowedFlight, of: Leading): void {
    const following: Following = { flight, of, untold: false }
    flight.onNews(() => {
      if (this.#calling) this.#wrong.push('a follower is called back from within a call')
      if (!this.following.includes(following)) this.#wrong.push('one who has left is called back')
      following.untold = false
    })
    this.following.push(following)
  }

  #fence(led: Leading): void {
    led.fenced = true
    if (led.writing !== undefined) led.writing.fenced = true
  }

  #over(led: Leading, state: 'committed' | 'ended' | 'lost', note: string): void {
    Object.assign(led, { state, note, fenced: true, untoldAlone: false })
    // Nobody could fence it any more.
    if (led.writing !== undefined) led.writing.fenced = true
    this.tell(led)
  }

  /** A draft that was aborted, or refused its commit, ends its flight. */
  #checkDraft(led: Leading): void {
    if (over(led) || led.writing === undefined || led.writing.open) return
    if (led.atEnd === undefined) this.#over(led, 'lost', '')
    else this.#over(led, 'ended', led.atEnd)
  }

  #checkLead(led: Leading): void {
    const { flight, key } = led
    const followers = this.following.filter(({ of }) => of === led).length
    const got = [flight.fenced, flight.followers, flight.wanted]
    const want = over(led) ? [true, 0, false] : [led.fenced, followers, led.wanted]
    if (got.join() !== want.join()) {
      throw new Error(`who leads ${brief(key)} sees fenced, followers, wanted ${got}; want ${want}`)
    }
  }

  #checkFollower({ flight, of }: Following): void {
    const state = flight.look()
    const { key, writing, grown } = of
    const fail = (what: string): never => {
      throw new Error(
        `who follows ${brief(key)} sees ${brief({ ...state, growing: undefined })}; want ${what}`,
      )
    }
    if (state.kind !== of.state) fail(of.state)
    if (flight.fenced !== of.fenced) fail(`fenced ${of.fenced}`)
    if ('note' in state && state.note !== of.note) fail(`the note ${of.note}`)
    if (state.kind === 'asking') return
    // Who looked while it grew has its bytes for as long as it follows.
    const size = grown ? writing!.bytes.length : 0
    if (state.size !== size && state.kind === 'growing') fail(`${size} bytes`)
    if (state.kind !== 'growing') return
    const given = readAll({ read: (target, at) => state.growing.read(target, at) }, size)
    if (!given.equals(writing!.bytes)) fail('other bytes')
  }
}

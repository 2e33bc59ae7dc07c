/*
 * Bugs of the read path: of fills, fences, freshness and tags.
 */

/** `replace` is in `file` exactly once, and becomes `by`; `check` must then fail. */
export const BUGS = [
  {
    name: 'no fence: a delete does not keep older fills from committing (I5)',
    file: 'lib/cache/fence.ts',
    replace: '    for (const pass of this.#passes.get(key) ?? []) pass.fenced = true\n',
    by: '',
    check: 'readPath',
  },
  {
    name: 'commit on truncation: a body shorter than declared is whole (I1)',
    file: 'lib/cache/flow.ts',
    replace: 'declared !== undefined && this.spool.end < declared',
    by: 'declared !== undefined && this.spool.end < 0',
    check: 'readPath',
  },
  {
    name: 'double origin call: a fill cannot be joined (I6)',
    file: 'lib/cache/read-path.ts',
    replace: '    if (!alone) this.#joinable.set(key, fill)\n',
    by: '',
    check: 'readPath',
  },
  {
    name: 'stale served as fresh',
    file: 'lib/cache/metadata.ts',
    replace: 'return now < metadata.freshUntil && metadata.cachedAt <= now',
    by: 'return now <= metadata.freshUntil && metadata.cachedAt <= now',
    check: 'readPath',
  },
  {
    name: 'a reader joins a dead fill',
    file: 'lib/cache/read-path.ts',
    replace:
      'if (this.#joinable.get(fill.key) === fill) this.#joinable.delete(fill.key)\n        fences.leave(fill.pass)',
    by: 'fences.leave(fill.pass)',
    check: 'readPath',
  },
  {
    name: 'a tag is not noted',
    file: 'lib/store/tag-floors.ts',
    replace: '{ tag, hard: sequence, soft: 0, at: 0 }',
    by: '{ tag, hard: 0, soft: 0, at: 0 }',
    check: 'readPath',
  },
  {
    name: 'a fill from before an invalidation is joined after it (I5)',
    file: 'lib/cache/fill.ts',
    replace: 'return metadata === undefined || tags.standing(metadata) !== metadata',
    by: 'return false',
    check: 'readPath',
  },
  {
    name: 'unlogged tag: what was invalidated is not written (I5, across restarts)',
    file: 'lib/store/file/js/tag-log.ts',
    replace: 'const changed = this.#floors.since(this.#keptVersion)',
    by: 'const changed = this.#floors.since(version)',
    check: 'tagLog',
  },
  {
    name: 'sequence ahead of the log: new entries say that they are younger than what a crash takes (I5)',
    file: 'lib/store/file/js/tag-log.ts',
    replace: '    return this.#kept\n',
    by: '    return this.#floors.sequence\n',
    check: 'tagLog',
  },
  {
    name: 'tags that were not synced are not missed after the loss of power (I5)',
    file: 'lib/store/file/js/tag-log.ts',
    replace: 'this.#lost = head.open && !same',
    by: 'this.#lost = false',
    check: 'tagLog',
  },
  {
    name: 'a file of tags goes before another has what is in it (I5)',
    file: 'lib/store/file/js/tag-log.ts',
    replace: 'this.#rewrite(this.#floors.since(0), sequence)',
    by: 'this.#rewrite(changed, sequence)',
    check: 'tagLog',
  },
  {
    name: 'floor not joined from another thread (I5)',
    file: 'lib/cache/tags.ts',
    replace: 'if (version === this.#seen) return',
    by: 'if (this.#seen > 0) return',
    check: 'tagThreads',
  },
  {
    name: 'a flight of another thread from before an invalidation is joined after it (I5)',
    file: 'native/memory_store/store_flight.cc',
    replace: 'if (flight->began() == began) {',
    by: 'if (flight->began() <= began) {',
    check: 'tagThreads',
  },
  {
    name: 'two refreshes of a key at a time (I6)',
    file: 'lib/cache/refreshes.ts',
    replace: '    if (this.#keys.has(key)) return false\n',
    by: '',
    check: 'readPath',
  },
  {
    name: 'a tier that failed to delete is read (I5)',
    file: 'lib/store/tiered/jobs.ts',
    replace: 'return job === undefined || (job.valid && job.holds === 0)',
    by: 'return job === undefined || job.holds === 0',
    check: 'tiers',
  },
]

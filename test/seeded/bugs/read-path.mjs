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
    file: 'lib/cache/tags.ts',
    replace: '{ ...before, hard: sequence }',
    by: 'before',
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

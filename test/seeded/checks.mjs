/*
 * What bugs are looked for with: commands of the repository, and what has to be built for them.
 */

const addon = [[process.execPath, 'native/build.mjs']]
const vitest = (project, ...files) => ({
  command: [
    process.execPath,
    'node_modules/vitest/vitest.mjs',
    'run',
    '--bail=1',
    `--project=${project}`,
    ...files,
  ],
  env: { DREY_NATIVE: project === 'native' ? '1' : '0' },
})
const file = (name, test) => ({ name, build: [], ...vitest('js', `test/unit/store/file/${test}.test.ts`) })
const doctest = (variant, cases) => ({
  variant,
  build: [['make', '-C', 'test/native', `build/${variant}/tests`]],
  command: [`test/native/build/${variant}/tests`, `--test-case=${cases}`],
})

const io = doctest(
  'plain',
  'env:*,file*,folder:*,faults:*,power loss:*,executor:*,completions:*,rate limit:*',
)

/** By name: `name` for people, the commands that build what it runs on, the command that must fail, and its environment. */
export const CHECKS = {
  model: {
    name: 'the native engine against a map',
    build: addon,
    ...vitest('native', 'test/differential/memory.model.test.ts'),
  },
  flights: {
    name: 'flights against a model',
    build: addon,
    ...vitest('native', 'test/differential/memory-flights.model.test.ts'),
  },
  threads: {
    name: 'threads over one store',
    build: addon,
    ...vitest('native', 'test/threads/sharing.test.ts'),
  },
  cache: { name: 'caches against a history', build: addon, ...vitest('native', 'test/unit/cache/model') },
  readPath: {
    name: 'the read path',
    build: [],
    ...vitest(
      'js',
      'test/unit/cache/model/model.test.ts',
      ...['background', 'freshness', 'read-path', 'single-flight', 'tags', 'truncation'].map(
        (test) => `test/unit/cache/${test}.test.ts`,
      ),
    ),
  },
  dashboard: {
    name: 'the dashboard',
    build: [],
    ...vitest('js', 'test/unit/http/dashboard', 'test/unit/metrics/top-keys.test.ts'),
  },
  tagLog: {
    name: 'tags after a crash',
    build: [],
    ...vitest('js', 'test/unit/store/file/tags.test.ts', 'test/unit/cache/tags-outlast.test.ts'),
  },
  tagThreads: {
    name: 'tags between threads',
    build: addon,
    ...vitest('native', 'test/threads/tags.test.ts'),
  },
  tiers: {
    name: 'tiers against a history',
    build: [],
    ...vitest('js', 'test/unit/cache/model/tiers.test.ts', 'test/unit/cache/tiers.test.ts'),
  },
  jsModel: {
    name: 'the js engine against a map',
    build: [],
    ...vitest('js', 'test/differential/memory.model.test.ts'),
  },
  compression: {
    name: 'compression',
    build: [],
    ...vitest('js', 'test/unit/compression', 'test/unit/store/compressed.test.ts'),
  },
  compressors: {
    name: 'what every compressor must do',
    build: [],
    ...vitest('js', 'test/conformance/compressor.test.ts'),
  },
  pooled: {
    name: 'the cache over a pool',
    build: [],
    ...vitest(
      'js',
      'test/unit/cache/buffer-pool.test.ts',
      'test/unit/cache/buffer-pool.property.test.ts',
      'test/unit/cache/lending.test.ts',
    ),
  },
  jsEngine: { name: 'the js engine', build: [], ...vitest('js', 'test/unit/store/js-') },
  fileModel: file('the file store against a map', 'model'),
  fileCorrupt: file('the file store in damaged directories', 'corrupt'),
  filePower: file('the file store after the loss of power', 'power'),
  fileReclaim: file('reclaiming of the file store', 'reclaim'),
  fileOrder: file('the order of changes of the file store', 'order'),
  // Some cases of it: all of them take minutes.
  core: {
    name: 'the memory store in C++, under ASAN and UBSAN',
    ...doctest('sanitized', '*lent*,*drafts*,*clears*,*expired*,*one flight*,*owner*'),
  },
  news: { name: 'flights in C++', ...doctest('plain', '*flight: who begins*') },
  // Up to the first that fails: what a bug makes wait for ever comes behind it.
  io: {
    name: 'the io layer in C++',
    build: io.build,
    variant: io.variant,
    command: [...io.command, '--abort-after=1'],
  },
  fileCore: {
    name: 'the file store in C++',
    ...doctest(
      'plain',
      '*file store: what is set*,*churn*,*nearly dead*,*loss of power*,*an image is used*,*harmed*,*fences drafts*,*open stays*,*of a batch*',
    ),
  },
  races: {
    name: 'the memory store in C++, under TSAN',
    ...doctest('threads', '*memory store: threads*'),
  },
}

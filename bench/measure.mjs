/*
 * Runs suites, one after the other, each in a process of its own.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/**
 * What each found, or why it found nothing.
 *
 * @param {readonly import('./suites.mjs').Suite[]} suites
 * @param {{ quick: boolean, silent?: boolean }} how `silent`: their tables are not printed
 */
export async function measureAll(suites, how) {
  const folder = mkdtempSync(join(tmpdir(), 'drey-bench-'))
  const all = []
  try {
    for (const suite of suites) {
      const lacks = suite.lacks?.()
      process.stdout.write(
        `${how.silent ? '' : '\n'}=== ${suite.name}${lacks === undefined ? '' : `: left out, ${lacks}`}\n`,
      )
      if (lacks === undefined) all.push(await measure(suite, how, folder))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return all
}

async function measure({ name, script, args }, { quick, silent = false }, folder) {
  const file = join(folder, `${name}.json`)
  const command = [join('bench', script), ...args, ...(quick ? ['--quick'] : [])]
  const began = performance.now()
  const child = spawn(process.execPath, [join(here, script), ...command.slice(1), '--json', file], {
    stdio: ['ignore', silent ? 'ignore' : 'inherit', 'inherit'],
  })
  const [code, signal] = await once(child, 'exit')
  const seconds = (performance.now() - began) / 1000
  const said = { name, command: `node ${command.join(' ')}`, seconds }
  if (code !== 0 || !existsSync(file)) {
    return { ...said, failed: `it ended with ${code ?? signal}`, records: [], claims: [] }
  }
  const { records, claims } = JSON.parse(readFileSync(file, 'utf8'))
  return { ...said, records, claims }
}

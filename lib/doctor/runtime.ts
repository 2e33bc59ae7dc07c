import { bad, type Check, ok, warning } from './check.js'
import type { Machine } from './machine.js'

const OLDEST = [20, 19] as const
const NEWEST_TRIED = 26
const NAPI = 9

/** What this process runs with: Node, the addon, the processor, and packages that need not be there. */
export function runtimeChecks(machine: Machine): Check[] {
  return [
    nodeCheck(machine),
    addonCheck(machine),
    checksumCheck(machine),
    zstdCheck(machine),
    peerCheck(machine, 'prom-client', 'drey/prometheus'),
    peerCheck(machine, '@opentelemetry/api', 'drey/opentelemetry'),
  ]
}

function nodeCheck({ node, modules, napi, platform, arch }: Machine): Check {
  const says = `Node ${node} (ABI ${modules}, Node-API ${napi}) on ${platform} ${arch}`
  const [major = 0, minor = 0] = node.split('.').map(Number)
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return bad('node', says, `update Node: drey needs ${OLDEST.join('.')} or newer`)
  }
  if (Number(napi) < NAPI) return bad('node', says, `update Node: the addon needs Node-API ${NAPI}`)
  if (major > NEWEST_TRIED) {
    return warning('node', says, `drey was tried up to Node ${NEWEST_TRIED}: look for a newer drey`)
  }
  if (platform === 'win32') {
    return warning('node', says, 'drey was never tried on Windows: use Linux or macOS, or WSL')
  }
  return ok('node', says)
}

function addonCheck({ addon, wish }: Machine): Check {
  if (addon.loaded) {
    const { path, version, passedOver } = addon
    const says = `${version}, loaded from ${path}`
    if (passedOver.length === 0) return ok('addon', says)
    return warning(
      'addon',
      `${says}, after ${passedOver.join('; ')}`,
      'remove or rebuild what was passed over',
    )
  }
  const says = `not loaded: ${addon.reason}`
  if (wish === '0') {
    return warning('addon', says, 'unset DREY_NATIVE, unless the JavaScript path is what you want')
  }
  if (wish !== undefined && wish !== '') {
    return bad('addon', says, 'unset DREY_NATIVE, or give it 0 or 1; with 1 nothing runs without the addon')
  }
  return warning(
    'addon',
    `${says}; the JavaScript path is taken: slower, and a memory for each thread`,
    'install drey anew on this platform, or in a checkout run: npm run build:addon',
  )
}

function checksumCheck({ addon, checksums, arch }: Machine): Check {
  const [chosen] = checksums
  if (!addon.loaded || chosen === undefined) {
    return warning('crc32c', 'in JavaScript: reads of a disk are checked slower', 'get the addon to load')
  }
  const says = `${chosen}, of ${checksums.join(', ')}`
  if (chosen === 'portable' && (arch === 'x64' || arch === 'arm64')) {
    const wanted = arch === 'x64' ? 'SSE 4.2 and PCLMUL' : 'the CRC32 instructions'
    return warning('crc32c', says, `the processor, or the virtual machine, hides ${wanted}: let it show them`)
  }
  return ok('crc32c', says)
}

function zstdCheck({ zstd }: Machine): Check {
  if (zstd) return ok('zstd', 'this Node has it')
  return ok(
    'zstd',
    "this Node has none (22.15 and 23.8 do): compression 'zstd' is refused, lz4 and gzip are there",
  )
}

function peerCheck(machine: Machine, name: string, user: string): Check {
  const version = machine.versionOf(name)
  if (version === undefined) return ok(name, `not installed; only ${user} wants it`)
  return ok(name, `${version}, for ${user}`)
}

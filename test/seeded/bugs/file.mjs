/*
 * Bugs of the file store, in the js engine. The six that every file store could have are first.
 */
const js = (file) => `lib/store/file/js/${file}.ts`

export const BUGS = [
  {
    name: 'file: skipped CRC: a chunk of a blob is taken as it comes',
    file: js('blob-reader'),
    replace: 'crc32c(bytes) !== chunk.checksum',
    by: 'bytes.length < 0',
    check: 'fileCorrupt',
  },
  {
    name: 'file: unlogged delete: it is gone from the index alone',
    file: js('store'),
    replace: 'if (!had && pending === undefined && !this.#unwritten.has(identity)) return false',
    by: 'if (pending === undefined) return had',
    check: 'fileModel',
  },
  {
    name: 'file: tombstone dropped early: deletes do not outlive a segment that goes before the oldest',
    file: js('reclaim'),
    replace: 'if (!copied || !(await this.#outlive(found.markers))) return false',
    by: 'if (!copied) return false',
    check: 'fileReclaim',
  },
  {
    name: 'file: commit before write: an entry is there before its record is',
    file: js('writer'),
    replace: '    placed.encode(context)\n    try {\n      await writeFully',
    by: '    placed.encode(context)\n    placed.apply()\n    try {\n      await writeFully',
    check: 'filePower',
  },
  {
    name: 'file: an image older than the log is trusted',
    file: js('recovery'),
    replace: 'if (number < (image?.segment ?? 0)) continue',
    by: 'if (image !== undefined) continue',
    check: 'fileModel',
  },
  {
    name: 'file: ledger not charged: a blob takes nothing',
    file: js('blob-writer'),
    replace: 'const more = wanted - this.#charged',
    by: 'const more = 0 * wanted',
    check: 'fileReclaim',
  },
  {
    name: 'file: a torn tail stays, and is no tail at the open after the next',
    file: js('recovery'),
    replace: 'await env.truncate(fd, end)',
    by: '',
    check: 'filePower',
  },
  {
    name: 'file: of a torn tail only the last record is looked at',
    file: js('replay'),
    replace:
      'durability === DURABILITY.power ? await firstUnsynced(source, found) : await firstTorn(source, found)',
    by: 'await firstTorn(source, found)',
    check: 'filePower',
  },
  {
    name: 'file: nothing is in doubt after the loss of power',
    file: js('recovery'),
    replace: '!header.bootId.equals(bootId)) this.#all = true',
    by: '!header.bootId.equals(bootId)) this.#all = false',
    check: 'filePower',
  },
  {
    name: 'file: a blob is not synced before its record is',
    file: js('blob-writer'),
    replace: "      if (config.durability === 'power') {\n        await env.datasync(this.#fd)",
    by: "      if (config.durability === 'power') {",
    check: 'filePower',
  },
  {
    name: 'file: a segment is not synced before it is acknowledged',
    file: js('writer'),
    replace:
      "      if (config.durability === 'power') await env.datasync(this.#fd)\n    } catch (error) {\n      tally",
    by: '    } catch (error) {\n      tally',
    check: 'filePower',
  },
  {
    name: 'file: a put that was asked for before a delete comes in after it',
    file: js('store'),
    replace: 'const taken = Math.max(deletedAt, this.#clearedAt) > order',
    by: 'const taken = false',
    check: 'fileOrder',
  },
  {
    name: 'file: a copy forward overtakes what replaced it',
    file: js('reclaim'),
    replace:
      'wanted: (changed) => isCurrent() && !changed.has(entry.lo),\n      apply: (place) => {\n        if (!isCurrent()) return',
    by: 'wanted: () => true,\n      apply: (place) => {',
    check: 'fileReclaim',
  },
  {
    name: 'file: members of a batch without its end count',
    file: js('recovery'),
    replace: '    if ((record.flags & FLAG.member) !== 0 && !valid.has(at)) continue\n',
    by: '',
    check: 'fileOrder',
  },
  {
    name: 'file: skipped key compare: whoever has the identity is answered',
    file: js('reader'),
    replace: "if (id !== undefined && !bytes.subarray(key, metadata).equals(id.bytes)) return 'absent'",
    by: '',
    check: 'fileOrder',
  },
  {
    name: 'file: bytes are given back before the system has them',
    file: js('files'),
    replace: 'if (slot === undefined) return gone()',
    by: 'gone()\n    if (slot === undefined) return',
    check: 'fileModel',
  },
  {
    name: 'file: damage puts nothing in doubt',
    file: js('recovery'),
    replace: "    if (record.kind === 'damage') {\n      doubts.hurt()",
    by: "    if (record.kind === 'damage') {",
    check: 'fileOrder',
  },
]

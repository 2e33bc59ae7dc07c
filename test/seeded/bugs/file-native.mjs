/*
 * Bugs of the file store's core.
 */

/** `replace` is in `file` exactly once, and becomes `by`; `check` must then fail. */
export const BUGS = [
  // -- What is read (I2).
  {
    name: 'skipped CRC: the data of a record is taken as it is',
    file: 'native/file_store/format/record.cc',
    replace: 'if (Checksum(data.first(chunk.stored)) != chunk.checksum) return false;',
    by: '',
    check: 'fileCore',
  },
  {
    name: 'skipped CRC: a chunk of a blob is taken as it is',
    file: 'native/file_store/blobs.cc',
    replace: 'if (Checksum(bytes) == chunk->checksum) return {};',
    by: 'return {};',
    check: 'fileCore',
  },
  // -- What was removed or replaced (I5).
  {
    name: 'unlogged delete: the log hears of another key',
    file: 'native/file_store/file_store_write.cc',
    replace: 'item->bytes = MakeDelete(BytesOf(hash));',
    by: 'item->bytes = MakeDelete(Bytes16{});',
    check: 'fileCore',
  },
  {
    name: 'tombstone dropped early: a segment that is not the oldest goes, and its deletes with it',
    file: 'native/file_store/file_store_reclaim.cc',
    replace: 'wanted = !index_->Find(item.identity).has_value();',
    by: 'wanted = false;',
    check: 'fileCore',
  },
  {
    name: 'image older than the log trusted: what came after it is not replayed',
    file: 'native/file_store/recovery.cc',
    replace: 'if (each.number < image_.position.segment) continue;\n    const bool last',
    by: 'if (image_.number != 0) continue;\n    const bool last',
    check: 'fileCore',
  },
  {
    name: 'fence ignored: a draft is committed over a delete',
    file: 'native/file_store/log_writer.cc',
    replace: 'if (!closed && !fenced) {',
    by: 'if (!closed) {',
    check: 'fileCore',
  },
  {
    name: 'half a batch counts',
    file: 'native/file_store/recovery.cc',
    replace: 'if (head.member() && (head.flags & kFlagCopied) == 0) {',
    by: 'if (false) {',
    check: 'fileCore',
  },
  // -- What was promised (I7).
  {
    name: 'commit before write: it is said to be done when it has its place',
    file: 'native/file_store/log_writer.cc',
    replace: 'if (settings_.durability == Durability::kNone) Promise(run);',
    by: 'Promise(run);',
    check: 'fileCore',
  },
  {
    name: 'no doubt after a loss of power',
    file: 'native/file_store/recovery.cc',
    replace: 'if (lost && each.header.durability != Durability::kPower) Doubt(result_.next_sequence);',
    by: 'static_cast<void>(lost);',
    check: 'fileCore',
  },
  // -- The bound (I4).
  {
    name: 'ledger not charged: a blob grows for nothing',
    file: 'native/file_store/blobs.cc',
    replace: '  charge_ += more;\n',
    by: '  charge_ += more;\n  ledger.Give(more);\n',
    check: 'fileCore',
  },
  {
    name: 'ledger not charged: what is unlinked and open is given back at once',
    file: 'native/file_store/open_files.cc',
    replace:
      'if (lease != nullptr) lease->charge_ += charge;\n  }\n  if (lease == nullptr) ledger_.Give(charge);',
    by: '}\n  ledger_.Give(charge);',
    check: 'fileCore',
  },
]

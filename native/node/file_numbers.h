#pragma once

#include <cstdint>

namespace drey::node {

// The numbers that calls of the file store give beside what they return: places in one Float64Array
// for each environment. lib/native/file-numbers.ts has the same list.
enum FileNumber : uint32_t {
  // Of an entry that was found: where its value begins in the memory that was given, and how many
  // bytes of it are there.
  kFileValueAt,
  kFileValueBytes,
  kFileSize,
  // Bytes of all its chunks.
  kFileStored,
  kFileChunkPower,
  // The codec of what is there: 0 when those bytes are the value's own.
  kFileCodec,
  // Of a packed value, where the descriptions of its chunks begin.
  kFileTableAt,
  // Its sequence.
  kFileSequence,
  // 1 when it is in doubt.
  kFileDoubt,
  kFileCachedAt,
  kFileFreshUntil,
  kFileStaleUntil,
  kFileStaleIfErrorUntil,
  kFileNegative,
  // Texts of its metadata: where, and how long; -1 when there is none.
  kFileEtagAt,
  kFileEtagSize,
  kFileUserAt,
  kFileUserSize,
  kFileCodecAt,
  kFileCodecSize,
  kFileLabelsAt,
  kFileLabelsSize,
  // A handle, or -1; its number, and what it takes of the disk.
  kFileBlob,
  kFileBlobSequence,
  kFileBlobCharge,
  // What a find wants that had no room or has to wait: bytes of the record, and whether there is a
  // blob.
  kFileNeeded,
  kFileNeedsBlob,
  // How much of the block is given out.
  kFileBlockUsed,
  // What an open gives: a handle, and what holds in the directory.
  kFileStore,
  kFileStoreMaxItem,
  kFileStorePackLimit,
  kFileStoreChunkBytes,
  kFileStoreMaxBytes,
  kFileNumbers,
};

// What is told of operations that ended: so many numbers each, in an array of their own.
enum FileCompletion : uint32_t {
  kDoneOperation,
  // What fileDone in lib/native/addon.ts says, or -1: it failed.
  kDoneOutcome,
  kDoneFirst,
  kDoneSecond,
  kDoneNumbers
};

}  // namespace drey::node

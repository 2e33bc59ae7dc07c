#pragma once

#include <node_api.h>

// The functions that the addon exports, each a callback of Node-API; lib/native/addon.ts has their
// types.
namespace drey::node {

// crc32c(bytes: Uint8Array, seed: number): number
napi_value Crc32c(napi_env env, napi_callback_info info);

// crc32cBy(name: string, bytes: Uint8Array, seed: number): number, by the implementation of that
// name
napi_value Crc32cBy(napi_env env, napi_callback_info info);

// hash128(key: Uint8Array, data: Uint8Array | string, out: Uint32Array): void
napi_value Hash128(napi_env env, napi_callback_info info);

// listenSocket(host: string, port: number, backlog: number): number, the descriptor of a socket
// that shares its port
napi_value ListenSocket(napi_env env, napi_callback_info info);

// fileFeatures(path: string, out: Float64Array): void; waits for the disk
napi_value FileFeatures(napi_env env, napi_callback_info info);

// readChecked(fd: number, target: Uint8Array, seed: number, done: (bytes: number, checksum: number)
// => void): void
napi_value ReadChecked(napi_env env, napi_callback_info info);

// slabGiveBack(slab: ArrayBuffer): boolean
napi_value SlabGiveBack(napi_env env, napi_callback_info info);

// The memory store. lib/native/addon.ts says what each takes and gives; memory_store.cc,
// memory_room.cc, memory_body.cc and memory_flight.cc have them.
napi_value MemoryNumbers(napi_env env, napi_callback_info info);
napi_value MemoryNews(napi_env env, napi_callback_info info);
napi_value MemoryOpen(napi_env env, napi_callback_info info);
napi_value MemoryClose(napi_env env, napi_callback_info info);
napi_value MemoryBlock(napi_env env, napi_callback_info info);
napi_value MemoryFind(napi_env env, napi_callback_info info);
napi_value MemorySet(napi_env env, napi_callback_info info);
napi_value MemoryRevise(napi_env env, napi_callback_info info);
napi_value MemoryDelete(napi_env env, napi_callback_info info);
napi_value MemoryDiscard(napi_env env, napi_callback_info info);
napi_value MemoryClear(napi_env env, napi_callback_info info);
napi_value MemoryMaintain(napi_env env, napi_callback_info info);
napi_value MemoryTime(napi_env env, napi_callback_info info);
napi_value MemoryConfigure(napi_env env, napi_callback_info info);
napi_value MemoryLower(napi_env env, napi_callback_info info);
napi_value MemoryPolicy(napi_env env, napi_callback_info info);
napi_value MemoryPress(napi_env env, napi_callback_info info);
napi_value MemoryStats(napi_env env, napi_callback_info info);
napi_value MemoryTags(napi_env env, napi_callback_info info);
napi_value MemoryTagsSince(napi_env env, napi_callback_info info);
napi_value MemoryTagsAdd(napi_env env, napi_callback_info info);
napi_value MemoryListen(napi_env env, napi_callback_info info);
napi_value MemoryEvicted(napi_env env, napi_callback_info info);
napi_value MemoryHost(napi_env env, napi_callback_info info);
napi_value MemoryUnhost(napi_env env, napi_callback_info info);
napi_value MemoryBeyond(napi_env env, napi_callback_info info);
napi_value MemoryWeight(napi_env env, napi_callback_info info);
napi_value MemoryEvictable(napi_env env, napi_callback_info info);
napi_value MemoryEvict(napi_env env, napi_callback_info info);
napi_value MemoryRenew(napi_env env, napi_callback_info info);
napi_value MemoryList(napi_env env, napi_callback_info info);
napi_value MemorySpan(napi_env env, napi_callback_info info);
napi_value EntryView(napi_env env, napi_callback_info info);
napi_value EntryRead(napi_env env, napi_callback_info info);
napi_value EntryClose(napi_env env, napi_callback_info info);
napi_value DraftBegin(napi_env env, napi_callback_info info);
napi_value DraftWrite(napi_env env, napi_callback_info info);
napi_value DraftCommit(napi_env env, napi_callback_info info);
napi_value DraftCommitAll(napi_env env, napi_callback_info info);
napi_value MemoryBatches(napi_env env, napi_callback_info info);
napi_value DraftAbort(napi_env env, napi_callback_info info);
napi_value DraftView(napi_env env, napi_callback_info info);
napi_value DraftRead(napi_env env, napi_callback_info info);
napi_value DraftSize(napi_env env, napi_callback_info info);
napi_value DraftClose(napi_env env, napi_callback_info info);
napi_value FlightClaim(napi_env env, napi_callback_info info);
napi_value FlightLead(napi_env env, napi_callback_info info);
napi_value FlightFollowers(napi_env env, napi_callback_info info);
napi_value FlightWanted(napi_env env, napi_callback_info info);
napi_value FlightFenced(napi_env env, napi_callback_info info);
napi_value FlightDraft(napi_env env, napi_callback_info info);
napi_value FlightGrow(napi_env env, napi_callback_info info);
napi_value FlightAtEnd(napi_env env, napi_callback_info info);
napi_value FlightSet(napi_env env, napi_callback_info info);
napi_value FlightRevise(napi_env env, napi_callback_info info);
napi_value FlightEnd(napi_env env, napi_callback_info info);
napi_value FlightClose(napi_env env, napi_callback_info info);
napi_value FlightFollow(napi_env env, napi_callback_info info);
napi_value FlightLook(napi_env env, napi_callback_info info);
napi_value FlightNote(napi_env env, napi_callback_info info);
napi_value FlightLeave(napi_env env, napi_callback_info info);

// The file store, likewise: file_store.cc, file_find.cc, file_draft.cc and file_scan.cc have them.
napi_value FileAttach(napi_env env, napi_callback_info info);
napi_value FileOpen(napi_env env, napi_callback_info info);
napi_value FileOpened(napi_env env, napi_callback_info info);
napi_value FileClose(napi_env env, napi_callback_info info);
napi_value FileFailure(napi_env env, napi_callback_info info);
napi_value FileTuning(napi_env env, napi_callback_info info);
napi_value FileTune(napi_env env, napi_callback_info info);
napi_value FileStats(napi_env env, napi_callback_info info);
napi_value FileTags(napi_env env, napi_callback_info info);
napi_value FileTagsSince(napi_env env, napi_callback_info info);
napi_value FileTagsAdd(napi_env env, napi_callback_info info);
napi_value FileTime(napi_env env, napi_callback_info info);
napi_value FileListen(napi_env env, napi_callback_info info);
napi_value FileDropped(napi_env env, napi_callback_info info);
napi_value FileClear(napi_env env, napi_callback_info info);
napi_value FileFlush(napi_env env, napi_callback_info info);
napi_value FileCheckpoint(napi_env env, napi_callback_info info);
napi_value FileDelete(napi_env env, napi_callback_info info);
napi_value FileDiscard(napi_env env, napi_callback_info info);
napi_value FileRevise(napi_env env, napi_callback_info info);
napi_value FileBlock(napi_env env, napi_callback_info info);
napi_value FileFind(napi_env env, napi_callback_info info);
napi_value FileKnows(napi_env env, napi_callback_info info);
napi_value FileFindLater(napi_env env, napi_callback_info info);
napi_value FileTake(napi_env env, napi_callback_info info);
napi_value BlobRead(napi_env env, napi_callback_info info);
napi_value BlobClose(napi_env env, napi_callback_info info);
napi_value FilePut(napi_env env, napi_callback_info info);
napi_value FileKick(napi_env env, napi_callback_info info);
napi_value FileDraftBegin(napi_env env, napi_callback_info info);
napi_value FileDraftWrite(napi_env env, napi_callback_info info);
napi_value FileDraftEnd(napi_env env, napi_callback_info info);
napi_value FileCommitAll(napi_env env, napi_callback_info info);
napi_value FileScan(napi_env env, napi_callback_info info);
napi_value FileScanNext(napi_env env, napi_callback_info info);
napi_value FilePage(napi_env env, napi_callback_info info);
napi_value FileScanEnd(napi_env env, napi_callback_info info);

}  // namespace drey::node

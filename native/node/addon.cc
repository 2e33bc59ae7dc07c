#include <napi.h>

#include <memory>

#include "node/environment.h"
#include "node/functions.h"

#if !defined(DREY_VERSION)
#error "DREY_VERSION is the version of the package, which binding.gyp defines"
#endif

namespace drey::node {
namespace {

struct Export {
  const char* name;
  napi_callback callback;
};

constexpr Export kExports[] = {
    {"crc32c", Crc32c},
    {"crc32cBy", Crc32cBy},
    {"hash128", Hash128},
    {"listenSocket", ListenSocket},
    {"fileFeatures", FileFeatures},
    {"readChecked", ReadChecked},
    {"slabGiveBack", SlabGiveBack},
    {"memoryNumbers", MemoryNumbers},
    {"memoryNews", MemoryNews},
    {"memoryOpen", MemoryOpen},
    {"memoryClose", MemoryClose},
    {"memoryBlock", MemoryBlock},
    {"memoryFind", MemoryFind},
    {"memorySet", MemorySet},
    {"memoryRevise", MemoryRevise},
    {"memoryDelete", MemoryDelete},
    {"memoryDiscard", MemoryDiscard},
    {"memoryClear", MemoryClear},
    {"memoryMaintain", MemoryMaintain},
    {"memoryTime", MemoryTime},
    {"memoryConfigure", MemoryConfigure},
    {"memoryLower", MemoryLower},
    {"memoryPolicy", MemoryPolicy},
    {"memoryPress", MemoryPress},
    {"memoryStats", MemoryStats},
    {"memoryTags", MemoryTags},
    {"memoryTagsSince", MemoryTagsSince},
    {"memoryTagsAdd", MemoryTagsAdd},
    {"memoryListen", MemoryListen},
    {"memoryEvicted", MemoryEvicted},
    {"memoryHost", MemoryHost},
    {"memoryUnhost", MemoryUnhost},
    {"memoryBeyond", MemoryBeyond},
    {"memoryWeight", MemoryWeight},
    {"memoryEvictable", MemoryEvictable},
    {"memoryEvict", MemoryEvict},
    {"memoryRenew", MemoryRenew},
    {"memoryList", MemoryList},
    {"memorySpan", MemorySpan},
    {"entryView", EntryView},
    {"entryRead", EntryRead},
    {"entryClose", EntryClose},
    {"draftBegin", DraftBegin},
    {"draftWrite", DraftWrite},
    {"draftCommit", DraftCommit},
    {"draftCommitAll", DraftCommitAll},
    {"memoryBatches", MemoryBatches},
    {"draftAbort", DraftAbort},
    {"draftView", DraftView},
    {"draftRead", DraftRead},
    {"draftSize", DraftSize},
    {"draftClose", DraftClose},
    {"flightClaim", FlightClaim},
    {"flightLead", FlightLead},
    {"flightFollowers", FlightFollowers},
    {"flightWanted", FlightWanted},
    {"flightFenced", FlightFenced},
    {"flightDraft", FlightDraft},
    {"flightGrow", FlightGrow},
    {"flightAtEnd", FlightAtEnd},
    {"flightSet", FlightSet},
    {"flightRevise", FlightRevise},
    {"flightEnd", FlightEnd},
    {"flightClose", FlightClose},
    {"flightFollow", FlightFollow},
    {"flightLook", FlightLook},
    {"flightNote", FlightNote},
    {"flightLeave", FlightLeave},
    {"fileAttach", FileAttach},
    {"fileOpen", FileOpen},
    {"fileOpened", FileOpened},
    {"fileClose", FileClose},
    {"fileFailure", FileFailure},
    {"fileTuning", FileTuning},
    {"fileTune", FileTune},
    {"fileStats", FileStats},
    {"fileTags", FileTags},
    {"fileTagsSince", FileTagsSince},
    {"fileTagsAdd", FileTagsAdd},
    {"fileTime", FileTime},
    {"fileListen", FileListen},
    {"fileDropped", FileDropped},
    {"fileClear", FileClear},
    {"fileFlush", FileFlush},
    {"fileCheckpoint", FileCheckpoint},
    {"fileDelete", FileDelete},
    {"fileDiscard", FileDiscard},
    {"fileRevise", FileRevise},
    {"fileBlock", FileBlock},
    {"fileFind", FileFind},
    {"fileKnows", FileKnows},
    {"fileFindLater", FileFindLater},
    {"fileTake", FileTake},
    {"blobRead", BlobRead},
    {"blobClose", BlobClose},
    {"filePut", FilePut},
    {"fileKick", FileKick},
    {"fileDraftBegin", FileDraftBegin},
    {"fileDraftWrite", FileDraftWrite},
    {"fileDraftEnd", FileDraftEnd},
    {"fileCommitAll", FileCommitAll},
    {"fileScan", FileScan},
    {"fileScanNext", FileScanNext},
    {"filePage", FilePage},
    {"fileScanEnd", FileScanEnd},
};

Napi::Array Crc32cImplementations(Napi::Env env) {
  const auto implementations = crc32c::Implementations();
  Napi::Array names = Napi::Array::New(env, implementations.size());
  for (size_t at = 0; at < implementations.size(); at++) {
    names.Set(static_cast<uint32_t>(at), implementations[at].name);
  }
  return names;
}

// Runs once in every environment that loads the addon.
Napi::Object Init(Napi::Env env, Napi::Object exports) {
  std::unique_ptr<Environment> made(new Environment{crc32c::Fastest()});
  NAPI_THROW_IF_FAILED(env, made->memory.Open(env), exports);
  Environment* const environment = made.release();
  // From here on it is Node's, to be deleted with the environment.
  env.SetInstanceData(environment);

  // What the loader compares with the version of the package: a binary of another version is
  // refused.
  exports.Set("version", DREY_VERSION);
  exports.Set("crc32cImplementations", Crc32cImplementations(env));
  for (const Export& entry : kExports) {
    napi_value function = nullptr;
    const napi_status status = napi_create_function(env, entry.name, NAPI_AUTO_LENGTH,
                                                    entry.callback, environment, &function);
    NAPI_THROW_IF_FAILED(env, status, exports);
    exports.Set(entry.name, Napi::Value(env, function));
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(drey, Init)

}  // namespace drey::node

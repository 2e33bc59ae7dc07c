#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"
#include "node/memory_arguments.h"

// Flights: one call of the origin for all threads that have a store open.
namespace drey::node {
namespace {

enum Claim : int32_t { kLook, kLead, kJoin };

Status NoteArgument(napi_env env, napi_value value, Memory& memory, Flight::Note& note) {
  bool given = false;
  Status status = OptionalTextArgument(env, value, "note", memory.user_space, given);
  const Slice text = SliceOf(memory.user_space);
  if (status.ok()) note = std::make_shared<std::vector<uint8_t>>(text.begin(), text.end());
  return status;
}

}  // namespace

napi_value FlightClaim(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const KeyArgument key(env, arguments[1], memory);
  if (!key.ok()) return nullptr;
  const Result<uint32_t> seen = Uint32Argument(env, arguments[2], "seen");
  if (!seen.ok()) return Throw(env, seen.status());
  const bool alone = BoolArgument(env, arguments[3]);
  MemoryStore::Claimed claimed = open->store->Claim(key.key(), memory.owner(), seen.value(), alone);
  if (claimed.kind == MemoryStore::Claimed::Kind::kLook) return Int(env, kLook);
  memory.Number(kHandle) = memory.flights.Add(std::move(claimed.flight));
  return Int(env, claimed.kind == MemoryStore::Claimed::Kind::kLead ? kLead : kJoin);
}

napi_value FlightLead(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  const Result<uint64_t> token = CountArgument(env, arguments[1], "token");
  if (!token.ok()) return Throw(env, token.status());
  (*flight)->SetLeader(memory.news.mailbox(), token.value());
  return nullptr;
}

napi_value FlightFollowers(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto* flight = FlightArgument(env, arguments[0], arguments.environment().memory);
  return flight == nullptr ? nullptr : Int(env, static_cast<int32_t>((*flight)->joined()));
}

napi_value FlightWanted(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto* flight = FlightArgument(env, arguments[0], arguments.environment().memory);
  return flight == nullptr ? nullptr : Boolean(env, (*flight)->wanted());
}

napi_value FlightFenced(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto* flight = FlightArgument(env, arguments[0], arguments.environment().memory);
  return flight == nullptr ? nullptr : Boolean(env, (*flight)->fenced());
}

napi_value FlightDraft(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const auto* flight = FlightArgument(env, arguments[1], memory);
  if (flight == nullptr) return nullptr;
  uint64_t declared = 0;
  if (!DeclaredArgument(env, arguments[2], declared)) return nullptr;
  std::shared_ptr<Draft> draft = open->store->BeginFor(*flight, declared);
  if (draft == nullptr) return Int(env, -1);
  return Int(env, static_cast<int32_t>(memory.drafts.Add(std::move(draft))));
}

napi_value FlightGrow(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  const auto* draft = DraftArgument(env, arguments[1], memory);
  if (draft == nullptr) return nullptr;
  Flight::Note note;
  const Status status = NoteArgument(env, arguments[2], memory, note);
  if (!status.ok()) return Throw(env, status);
  (*flight)->Grow(*draft, std::move(note));
  return nullptr;
}

napi_value FlightAtEnd(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  Flight::Note note;
  const Status status = NoteArgument(env, arguments[1], memory, note);
  if (!status.ok()) return Throw(env, status);
  (*flight)->AtEnd(std::move(note));
  return nullptr;
}

napi_value FlightSet(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const auto* flight = FlightArgument(env, arguments[1], memory);
  if (flight == nullptr) return nullptr;
  const Result<Slice> value = BytesArgument(env, arguments[2], "value");
  if (!value.ok()) return Throw(env, value.status());
  Metadata metadata;
  const Status status = MetadataArgument(env, arguments[3], arguments[4], memory, metadata);
  if (!status.ok()) return Throw(env, status);
  return Int(env, static_cast<int32_t>(
                      open->store->Set((*flight)->key(), value.value(), metadata, flight->get())));
}

napi_value FlightRevise(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const auto* flight = FlightArgument(env, arguments[1], memory);
  if (flight == nullptr) return nullptr;
  const Result<uint32_t> version = Uint32Argument(env, arguments[2], "version");
  if (!version.ok()) return Throw(env, version.status());
  Metadata metadata;
  const Status status = MetadataArgument(env, arguments[3], arguments[4], memory, metadata);
  if (!status.ok()) return Throw(env, status);
  return Int(env, static_cast<int32_t>(open->store->Revise((*flight)->key(), version.value(),
                                                           metadata, flight->get())));
}

napi_value FlightEnd(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  Flight::Note note;
  const Status status = NoteArgument(env, arguments[1], memory, note);
  if (!status.ok()) return Throw(env, status);
  (*flight)->End(Flight::State::kAnswered, std::move(note));
  return nullptr;
}

napi_value FlightClose(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Result<uint32_t> handle = Uint32Argument(env, arguments[0], "flight");
  if (!handle.ok()) return Throw(env, handle.status());
  arguments.environment().memory.flights.Remove(handle.value());
  return nullptr;
}

napi_value FlightFollow(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  const Result<uint64_t> token = CountArgument(env, arguments[1], "token");
  if (!token.ok()) return Throw(env, token.status());
  memory.news.Await();
  (*flight)->Follow(memory.news.mailbox(), token.value());
  return nullptr;
}

napi_value FlightLook(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  Flight::View view = (*flight)->Look();
  memory.looked_at = std::move(view.note);
  const bool opens = BoolArgument(env, arguments[1]) && view.draft != nullptr;
  memory.Number(kHandle) = opens ? memory.drafts.Add(std::move(view.draft)) : -1.0;
  return Int(env, static_cast<int32_t>(view.state));
}

napi_value FlightNote(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Flight::Note& note = arguments.environment().memory.looked_at;
  napi_value text = nullptr;
  const char* const bytes = note == nullptr ? "" : reinterpret_cast<const char*>(note->data());
  napi_create_string_utf8(env, bytes, note == nullptr ? 0 : note->size(), &text);
  return text;
}

napi_value FlightLeave(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* flight = FlightArgument(env, arguments[0], memory);
  if (flight == nullptr) return nullptr;
  const Result<uint64_t> token = CountArgument(env, arguments[1], "token");
  if (!token.ok()) return Throw(env, token.status());
  memory.news.Unawait();
  (*flight)->Unfollow(memory.news.mailbox().get(), token.value());
  (*flight)->Leave(BoolArgument(env, arguments[2]));
  uint32_t handle = 0;
  napi_get_value_uint32(env, arguments[0], &handle);
  memory.flights.Remove(handle);
  return nullptr;
}

}  // namespace drey::node

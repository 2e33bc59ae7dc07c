#include "policy/policy.h"

#include <new>
#include <utility>

#include "policy/fifo.h"
#include "policy/lfu.h"
#include "policy/lru.h"
#include "policy/s3_fifo.h"
#include "policy/sieve.h"
#include "policy/w_tinylfu.h"

namespace drey {
namespace {

template <class Kind, class... Arguments>
std::unique_ptr<Policy> Simple(Arguments&&... arguments) noexcept {
  return std::unique_ptr<Policy>(new (std::nothrow) Kind(std::forward<Arguments>(arguments)...));
}

// A policy with memory of its own.
template <class Kind, class... Arguments>
std::unique_ptr<Policy> Remembering(const PolicySetting& setting,
                                    Arguments&&... arguments) noexcept {
  std::unique_ptr<Kind> policy(new (std::nothrow) Kind(std::forward<Arguments>(arguments)...));
  if (policy == nullptr || !policy->Reserve(setting)) return nullptr;
  return policy;
}

}  // namespace

std::optional<PolicyKind> PolicyKindOf(std::string_view name) noexcept {
  for (const PolicyName& known : kPolicyNames) {
    if (known.name == name) return known.kind;
  }
  return std::nullopt;
}

std::string_view NameOf(PolicyKind kind) noexcept {
  for (const PolicyName& known : kPolicyNames) {
    if (known.kind == kind) return known.name;
  }
  return {};
}

std::unique_ptr<Policy> MakePolicy(PolicyKind kind, const PolicyNodes& nodes,
                                   const PolicySetting& setting) noexcept {
  switch (kind) {
    case PolicyKind::kLru:
      return Simple<Lru>(nodes);
    case PolicyKind::kLfu:
      return Remembering<Lfu>(setting, nodes, Lfu::kMostBuckets);
    case PolicyKind::kFifo:
      return Simple<Fifo>(nodes);
    case PolicyKind::kSieve:
      return Simple<Sieve>(nodes);
    case PolicyKind::kS3Fifo:
      return Remembering<S3Fifo>(setting, nodes);
    case PolicyKind::kWTinyLfu:
      return Remembering<WTinyLfu>(setting, nodes, setting.capacity);
  }
  return nullptr;
}

}  // namespace drey

// Threefry-2x32 (Salmon et al. 2011), 20 rounds, with JAX's counters and hence its bits. Several
// vectors of counters are hashed at a time.

#include <algorithm>

#include "batch.h"
#include "vectors.h"

namespace ffi = xla::ffi;

namespace symla {
namespace {

using Words = ffi::Buffer<ffi::U32>;

constexpr int kVectors = 4;  // hashed together: the rounds of one vector depend on each other
constexpr int kBlock = kVectors * kLanes;

struct Block {
  alignas(64) uint32_t key0[kBlock], key1[kBlock], word0[kBlock], word1[kBlock];
};

INLINE Integers rotated(Integers x, int by) { return x << by | x >> (32 - by); }

void hash(Block& block) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  Integers x0[kVectors], x1[kVectors], key[3][kVectors];
  auto words = [](uint32_t* from, int v) {
    return reinterpret_cast<Integers*>(from) + v;
  };
  for (int v = 0; v < kVectors; ++v) {
    key[0][v] = *words(block.key0, v), key[1][v] = *words(block.key1, v);
    key[2][v] = key[0][v] ^ key[1][v] ^ 0x1BD11BDAu;
    x0[v] = *words(block.word0, v) + key[0][v], x1[v] = *words(block.word1, v) + key[1][v];
  }
#pragma GCC unroll 5
  for (uint32_t group = 1; group <= 5; ++group) {
#pragma GCC unroll 4
    for (int round = 0; round < 4; ++round)
      for (int v = 0; v < kVectors; ++v) {
        x0[v] += x1[v];
        x1[v] = rotated(x1[v], kRotations[(group - 1) % 2][round]) ^ x0[v];
      }
    for (int v = 0; v < kVectors; ++v)
      x0[v] += key[group % 3][v], x1[v] += key[(group + 1) % 3][v] + group;
  }
  for (int v = 0; v < kVectors; ++v) *words(block.word0, v) = x0[v], *words(block.word1, v) = x1[v];
}

// Hashes the counters first, first + 1, ... with each key. Returns both words of each hash, or with
// `mix` their exclusive or.
ffi::Error threefry(Words key, Words first, ffi::Result<Words> result, bool mix) {
  const Dims batch = batch_of(*result, mix ? 1 : 2);
  const int64_t each = result->dimensions()[batch.size()], total = product(batch) * each;
  const Operand<uint32_t> keys(key, batch), firsts(first, batch);
  uint32_t* out = result->typed_data();
  Dims place(batch.size());
  Block block;
  int64_t i = 0;  // index of the counter under the key at `place`
  for (int64_t begin = 0; begin < total; begin += kBlock) {
    const int count = std::min<int64_t>(kBlock, total - begin);
    for (int lane = 0; lane < count;) {
      const uint32_t *pair = keys.at(place), start = *firsts.at(place);
      for (; lane < count && i < each; ++lane, ++i) {
        block.key0[lane] = pair[0], block.key1[lane] = pair[1];
        block.word0[lane] = 0, block.word1[lane] = start + static_cast<uint32_t>(i);
      }
      if (i == each) advance(place, batch), i = 0;
    }
    hash(block);
    if (mix)
      for (int lane = 0; lane < count; ++lane) *out++ = block.word0[lane] ^ block.word1[lane];
    else
      for (int lane = 0; lane < count; ++lane) *out++ = block.word0[lane], *out++ = block.word1[lane];
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace symla

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_threefry, symla::threefry,
                              ffi::Ffi::Bind()
                                  .Arg<symla::Words>()   // keys
                                  .Arg<symla::Words>()   // first counters
                                  .Ret<symla::Words>()   // hashes
                                  .Attr<bool>("mix"));

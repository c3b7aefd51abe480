// Sizes, a candidate's weights packed into vectors, working memory, and the projections of inputs:
// what the layer update and its gradient share.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "vectors.h"

namespace symla {

// If the number of units is known at compile time (kFixed; 0: it is not), loops are unrolled. The
// arithmetic is the same, and so are the bits.
template <int kFixed>
struct Sizes {
  int A, B, M, I, any_units, ticks;
  bool sum;
  int units() const { return kFixed ? kFixed : any_units; }
  int padded() const { return round_up(units(), kLanes); }
  int blocks() const { return padded() / kLanes; }
  int gates() const { return kGates * padded(); }
  int message() const { return round_up(M, kLanes); }
};

// The offset of each part in one candidate's packed weights, and their size, in numbers.
struct Packing {
  int below, above, shared, recurrent, bias;
  int forward_weight, forward_bias, backward_weight, backward_bias;
  int size;

  Packing(int units, int inputs, int M) {
    const int gates = kGates * round_up(units, kLanes), message = round_up(M, kLanes);
    below = 0;
    above = below + inputs * gates;
    shared = above + inputs * gates;
    recurrent = shared + 2 * gates;
    bias = recurrent + units * gates;
    forward_weight = bias + gates;
    forward_bias = forward_weight + units * message;
    backward_weight = forward_bias + message;
    backward_bias = backward_weight + units * message;
    size = backward_bias + message;
  }
};

// Where each part of one candidate's weights is, packed or as JAX holds them.
template <typename T>
struct Parts {
  T *below, *above, *shared, *recurrent, *bias;
  T *forward_weight, *forward_bias, *backward_weight, *backward_bias;
};

inline Parts<const float> parts(const float* packed, const Packing& at) {
  return {packed + at.below,         packed + at.above,          packed + at.shared,
          packed + at.recurrent,     packed + at.bias,           packed + at.forward_weight,
          packed + at.forward_bias,  packed + at.backward_weight, packed + at.backward_bias};
}

// rows x 4N -> for each block of lanes a panel of rows x 4 vectors.
inline void pack_gates(const float* from, int rows, int units, float* to) {
  for (int k = 0; k < units; k += kLanes)
    for (int j = 0; j < rows; ++j)
      for (int g = 0; g < kGates; ++g, to += kLanes) {
        const float* source = from + (j * kGates + g) * units + k;
        const int count = units - k;
        if (count < kLanes) copy_padded(to, source, count);
        store(to, load(count < kLanes ? to : source) * kGateScale[g]);
      }
}

// rows x M -> for each block of lanes a panel of rows x 1 vectors.
inline void pack_message_map(const float* from, int rows, int M, float* to) {
  for (int k = 0; k < M; k += kLanes)
    for (int j = 0; j < rows; ++j, to += kLanes) copy_padded(to, from + j * M + k, M - k);
}

inline void pack(const Parts<const float>& w, int units, int inputs, int M, float* to) {
  const Packing at(units, inputs, M);
  pack_gates(w.below, inputs, units, to + at.below);
  pack_gates(w.above, inputs, units, to + at.above);
  pack_gates(w.shared, 2, units, to + at.shared);
  pack_gates(w.recurrent, units, units, to + at.recurrent);
  pack_gates(w.bias, 1, units, to + at.bias);
  pack_message_map(w.forward_weight, units, M, to + at.forward_weight);
  pack_message_map(w.forward_bias, 1, M, to + at.forward_bias);
  pack_message_map(w.backward_weight, units, M, to + at.backward_weight);
  pack_message_map(w.backward_bias, 1, M, to + at.backward_bias);
}

// Memory of the thread, reused by later calls: new memory would cause a page fault per page.
inline float* workspace(size_t count) {
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local size_t capacity = 0;
  if (count > capacity) {
    memory.reset(static_cast<float*>(std::aligned_alloc(64, (count * 4 + 63) / 64 * 64)));
    if (!memory) throw std::bad_alloc();
    capacity = count;
  }
  return memory.get();
}

// The parts of the working memory, each of which begins on a cache line of its own.
class Plan {
 public:
  void add(float** part, size_t count) {
    parts_.push_back({part, size_});
    size_ += (count + 15) / 16 * 16;
  }

  // Says where each part is. A later call in the same thread ends its use.
  void place() const {
    float* base = workspace(size_);
    for (const auto& [part, offset] : parts_) *part = base + offset;
  }

 private:
  std::vector<std::pair<float**, size_t>> parts_;
  size_t size_ = 0;
};

template <int kFixed>
void store_gates(const Sizes<kFixed>& s, const Rows (&sum)[kGates], float* to) {
  for (int r = 0; r < kRows; ++r)
    for (int g = 0; g < kGates; ++g) store(to + r * s.gates() + g * kLanes, sum[g].row[r]);
}

// The projections of the inputs, which are constant over the micro ticks, for each a and each b.
template <int kFixed, typename Each>
void project(const Sizes<kFixed>& s, const Parts<const float>& w, const Each* lifetimes,
             int count, float* from_below, float* from_above) {
  for (int begin = 0; begin < count * s.A; begin += kRows) {
    const float* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
      const int row = std::min(begin + r, count * s.A - 1);
      rows[r] = lifetimes[row / s.A].below + row % s.A * s.I;
    }
    for (int k = 0; k < s.blocks(); ++k) {
      Rows sum[kGates] = {};
      accumulate<kGates>(sum, rows, w.below + k * s.I * kGates * kLanes, s.I);
      store_gates(s, sum, from_below + begin * s.gates() + k * kGates * kLanes);
    }
  }
  for (int begin = 0; begin < count * s.B; begin += kRows) {
    const float *rows[kRows], *shared[kRows];
    for (int r = 0; r < kRows; ++r) {
      const int row = std::min(begin + r, count * s.B - 1);
      rows[r] = lifetimes[row / s.B].above + row % s.B * s.I;
      shared[r] = lifetimes[row / s.B].shared;
    }
    for (int k = 0; k < s.blocks(); ++k) {
      Rows sum[kGates];
      for (int g = 0; g < kGates; ++g)
        sum[g] = each([&](int) { return load(w.bias + (k * kGates + g) * kLanes); });
      accumulate<kGates>(sum, shared, w.shared + k * 2 * kGates * kLanes, 2);
      accumulate<kGates>(sum, rows, w.above + k * s.I * kGates * kLanes, s.I);
      store_gates(s, sum, from_above + begin * s.gates() + k * kGates * kLanes);
    }
  }
}

}  // namespace symla

// A candidate's weights transposed, and the sums of its lifetimes' weight gradients, as vectors.

#pragma once

#include "fused_packing.h"

namespace symla {

constexpr int kMany = 2 * kRows;  // independent sums, to overlap their latency

// The offset of each transposed weight matrix, and their size. [reward, done] follow the inputs
// from above: there is one product for both.
struct TransposedPacking {
  int recurrent, below, above, forward, backward;
  int size;

  TransposedPacking(int units, int inputs, int M) {
    const int padded = round_up(units, kLanes), gates = kGates * padded;
    recurrent = 0;
    below = recurrent + padded * gates;
    above = below + round_up(inputs, kLanes) * gates;
    forward = above + round_up(inputs + 2, kLanes) * gates;
    backward = forward + padded * M;
    size = backward + padded * M;
  }
};

// rows x 4N -> for each block of `lanes` rows, a panel of 4N (padded as in pack_gates) vectors.
template <typename Row>
void pack_transposed_gates(Row row, int rows, int units, float* to) {
  for (int begin = 0; begin < rows; begin += kLanes)
    for (int k = 0; k < units; k += kLanes)
      for (int g = 0; g < kGates; ++g)
        for (int lane = 0; lane < kLanes; ++lane, to += kLanes)
          for (int r = 0; r < kLanes; ++r) {
            const bool real = begin + r < rows && k + lane < units;
            to[r] = real ? row(begin + r)[g * units + k + lane] : 0.0f;
          }
}

// N x M -> for each block of units a panel of M vectors.
inline void pack_transposed_map(const float* from, int units, int M, float* to) {
  for (int k = 0; k < units; k += kLanes)
    for (int j = 0; j < M; ++j, to += kLanes)
      for (int r = 0; r < kLanes; ++r) to[r] = k + r < units ? from[(k + r) * M + j] : 0.0f;
}

inline void transpose_weights(const Parts<const float>& w, int units, int inputs, int M,
                              float* to) {
  const TransposedPacking at(units, inputs, M);
  const int gates = kGates * units;
  auto recurrent = [&](int j) { return w.recurrent + j * gates; };
  auto below = [&](int j) { return w.below + j * gates; };
  auto above = [&](int j) {
    return j < inputs ? w.above + j * gates : w.shared + (j - inputs) * gates;
  };
  pack_transposed_gates(recurrent, units, units, to + at.recurrent);
  pack_transposed_gates(below, inputs, units, to + at.below);
  pack_transposed_gates(above, inputs + 2, units, to + at.above);
  pack_transposed_map(w.forward_weight, units, M, to + at.forward);
  pack_transposed_map(w.backward_weight, units, M, to + at.backward);
}

// sum[half].row[r] = the numbers of row half * kRows + r times a panel of `count` vectors.
template <int kHalves>
INLINE void multiply(Rows (&sum)[kHalves], const float* rows, int stride, const float* panel,
                     int count) {
  for (Rows& half : sum) half = Rows{};
  for (int j = 0; j < count; ++j, panel += kLanes) {
    const Vector weight = in_register(load(panel));
    UNROLL
    for (int half = 0; half < kHalves; ++half)
      sum[half] = each([&](int r) {
        return sum[half].row[r] + broadcast(rows[(half * kRows + r) * stride + j]) * weight;
      });
  }
}

// sum[j][v] += x[i][j] y[i][v] over `count` rows i, for j < width and kWidth vectors v: the gradient
// of a weight matrix. Rows are added up by themselves before they are added to `sum`, which
// keeps more bits of many.
template <int kWidth>
INLINE void add_products(float* sum, int width, const float* x, int x_stride, const float* y,
                         int y_stride, int count) {
  for (int j = 0; j < width; j += kRows) {
    Rows part[kWidth] = {};
    for (int i = 0; i < count; ++i) {
      const float* from = x + i * x_stride + j;
      const Rows factor = each([&](int r) { return broadcast(from[r]); });
      UNROLL
      for (int v = 0; v < kWidth; ++v) {
        const Vector other = in_register(load(y + i * y_stride + v * kLanes));
        part[v] = each([&](int r) { return part[v].row[r] + factor.row[r] * other; });
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kWidth; ++v) {
        float* to = sum + ((j + r) * kWidth + v) * kLanes;
        store(to, load(to) + part[v].row[r]);
      }
  }
}

// Adds sums in the order of add_products, a panel of `width` rows a block of lanes, to rows x 4N.
inline void add_gates(const float* sum, int width, int first, int rows, int units, float* to) {
  for (int k = 0; k < units; k += kLanes, sum += width * kGates * kLanes)
    for (int j = 0; j < rows; ++j)
      for (int g = 0; g < kGates; ++g)
        for (int lane = 0; lane < std::min(kLanes, units - k); ++lane)
          to[(j * kGates + g) * units + k + lane] += sum[((first + j) * kGates + g) * kLanes + lane];
}

// The same for rows x M.
inline void add_map(const float* sum, int width, int rows, int M, float* to) {
  for (int k = 0; k < M; k += kLanes, sum += width * kLanes)
    for (int j = 0; j < rows; ++j)
      for (int lane = 0; lane < std::min(kLanes, M - k); ++lane)
        to[j * M + k + lane] += sum[j * kLanes + lane];
}

}  // namespace symla

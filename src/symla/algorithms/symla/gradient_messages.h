// The gradient of what the layer update does once for each neuron: input projections and messages.

#pragma once

#include "gradient_packing.h"

namespace symla {

// From the gradient of messages, `per_lifetime` of each lifetime, that of the states, `averaged` to
// a message, and of the bias. from(e) is the gradient of the messages of lifetime e.
template <int kFixed, typename From>
void of_messages(const Sizes<kFixed>& s, int count, int per_lifetime, int averaged,
                 const float* transposed, float* of_message, float* of_state, float* sum_bias,
                 From from) {
  const int all = count * per_lifetime, m = s.message(), n = s.padded();
  const float times = s.sum ? averaged : 1;
  for (int row = 0; row < all; ++row) {
    const float* source = from(row / per_lifetime) + row % per_lifetime * s.M;
    for (int k = 0; k < m; k += kLanes) {
      float* to = of_message + row * m + k;
      copy_padded(to, source + k, s.M - k);
      store(to, load(to) * times);
      store(sum_bias + k, load(sum_bias + k) + load(to));
    }
  }
  for (int begin = 0; begin < all; begin += kMany)
    for (int k = 0; k < s.blocks(); ++k) {
      Rows sum[2];
      multiply(sum, of_message + begin * m, m, transposed + k * s.M * kLanes, s.M);
      for (int r = 0; r < kMany; ++r)
        store(of_state + (begin + r) * n + k * kLanes,
              sum[r / kRows].row[r % kRows] * (1.0f / averaged));
    }
}

// The gradient of a map from means of states to messages. `means` are still sums of `averaged`.
template <int kFixed>
void of_maps(const Sizes<kFixed>& s, int rows, int averaged, float* means, const float* of_message,
             int width, float* sum) {
  const int n = s.padded(), m = s.message();
  for (int i = 0; i < rows * n; i += kLanes) store(means + i, load(means + i) * (1.0f / averaged));
  for (int k = 0; k < m; k += kLanes)
    add_products<1>(sum + k * width, width, means, n, of_message + k, m, rows);
}

// From the gradient of projected inputs, rows of gates, that of the inputs.
template <int kFixed>
void of_rows(const Sizes<kFixed>& s, const float* rows, int count, const float* transposed,
             int lanes, float* to) {
  const int g = s.gates();
  for (int begin = 0; begin < count; begin += kMany)
    for (int k = 0; k < lanes; k += kLanes) {
      Rows sum[2];
      multiply(sum, rows + begin * g, g, transposed + k * g, g);
      for (int r = 0; r < kMany; ++r)
        store(to + (begin + r) * lanes + k, sum[r / kRows].row[r % kRows]);
    }
}

}  // namespace symla

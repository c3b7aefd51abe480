// The gradient of one update of a layer of SymLA (fused.cc), in one pass over the state.
//
// The gradient of what a candidate's lifetimes share is summed over them here, in their order: it
// does not depend on how many candidates are in the batch, and no sum is kept for each lifetime.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "batch.h"
#include "gradient_layer.h"

namespace ffi = xla::ffi;

namespace symla {
namespace {

using Floats = ffi::Buffer<ffi::F32>;
using Operands = std::vector<Operand<float>>;

// Operands and results in the order of fused_gradient.py.
enum In {
  kHidden, kCell, kPacked, kTransposed, kBelow, kAbove, kShared,
  kOfNewHidden, kOfNewCell, kOfForward, kOfBackward
};
enum Out { kOfHidden, kOfCell, kOfBelow, kOfAbove, kOfShared, kOfWeights };

template <int kFixed>
void run(const Sizes<kFixed>& sizes, const Dims& batch, const Operands& in, const Operands& out) {
  const int64_t total = product(batch);
  int64_t shared = 1;
  // Number of lifetimes whose weights are shared, and so is the sum of their gradient.
  auto is_shared = [&](size_t axis) {
    auto same = [&](const Operand<float>& x) { return x.stride[axis] == 0; };
    return same(in[kPacked]) && std::all_of(out.begin() + kOfWeights, out.end(), same);
  };
  for (size_t i = batch.size(); i-- > 0 && is_shared(i);) shared *= batch[i];
  CandidateGradient<kFixed> candidate(sizes, shared);
  std::vector<GradientLifetime> lifetimes(candidate.chunk());
  Dims place(batch.size());
  for (int64_t first = 0; first < total; first += shared) {
    auto weights = [&](int k) { return out[kOfWeights + k].at(place); };
    const Parts<float> of_weights = {weights(0), weights(1), weights(2), weights(3), weights(4),
                                     weights(5), weights(6), weights(7), weights(8)};
    candidate.select(in[kPacked].at(place), in[kTransposed].at(place));
    for (int64_t begin = first; begin < first + shared; begin += candidate.chunk()) {
      const int count = std::min<int64_t>(candidate.chunk(), first + shared - begin);
      for (int e = 0; e < count; ++e, advance(place, batch)) {
        auto from = [&](int i) { return in[i].at(place); };
        auto to = [&](int i) { return out[i].at(place); };
        lifetimes[e] = {from(kHidden),     from(kCell),        from(kBelow),     from(kAbove),
                        from(kShared),     from(kOfNewHidden), from(kOfNewCell), from(kOfForward),
                        from(kOfBackward), to(kOfHidden),      to(kOfCell),      to(kOfBelow),
                        to(kOfAbove),      to(kOfShared)};
      }
      candidate.run(lifetimes.data(), count);
    }
    candidate.add_weights(of_weights);
  }
}

template <typename Buffers>
Operands operands(Buffers& buffers, const Dims& batch) {
  Operands found;
  for (Floats& buffer : buffers) found.emplace_back(buffer, batch);
  return found;
}

ffi::Error pack_transposed(Floats below, Floats above, Floats shared, Floats recurrent, Floats bias,
                           Floats forward_weight, Floats forward_bias, Floats backward_weight,
                           Floats backward_bias, ffi::Result<Floats> packed) {
  const int units = recurrent.dimensions()[recurrent.dimensions().size() - 2];
  const int inputs = below.dimensions()[below.dimensions().size() - 2];
  const int M = forward_bias.dimensions().back();
  const Dims batch = batch_of(*packed, 1);
  Floats all[] = {below,          above,        shared,          recurrent,    bias,
                  forward_weight, forward_bias, backward_weight, backward_bias};
  const Operands in = operands(all, batch);
  const Operand<float> out(*packed, batch);
  Dims place(batch.size());
  for (int64_t i = 0; i < product(batch); ++i, advance(place, batch)) {
    auto w = [&](int k) { return in[k].at(place); };
    transpose_weights({w(0), w(1), w(2), w(3), w(4), w(5), w(6), w(7), w(8)}, units, inputs, M,
                      out.at(place));
  }
  return ffi::Error::Success();
}

ffi::Error layer_gradient(Floats hidden, Floats cell, Floats packed, Floats transposed,
                          Floats below, Floats above, Floats shared, Floats of_new_hidden,
                          Floats of_new_cell, Floats of_forward, Floats of_backward,
                          ffi::Result<Floats> of_hidden, ffi::Result<Floats> of_cell,
                          ffi::Result<Floats> of_below, ffi::Result<Floats> of_above,
                          ffi::Result<Floats> of_shared, ffi::Result<Floats> of_w_below,
                          ffi::Result<Floats> of_w_above, ffi::Result<Floats> of_w_shared,
                          ffi::Result<Floats> of_w_recurrent, ffi::Result<Floats> of_w_bias,
                          ffi::Result<Floats> of_w_forward, ffi::Result<Floats> of_w_forward_bias,
                          ffi::Result<Floats> of_w_backward, ffi::Result<Floats> of_w_backward_bias,
                          int64_t ticks, bool sum) {
  const Dims batch = batch_of(*of_hidden, 3);
  Floats inputs[] = {hidden, cell,          packed,      transposed, below,      above,
                     shared, of_new_hidden, of_new_cell, of_forward, of_backward};
  Floats of_weights[] = {*of_w_below,        *of_w_above,    *of_w_shared,
                         *of_w_recurrent,    *of_w_bias,     *of_w_forward,
                         *of_w_forward_bias, *of_w_backward, *of_w_backward_bias};
  Floats arguments[] = {*of_hidden, *of_cell, *of_below, *of_above, *of_shared};
  for (Floats& one : of_weights)
    std::memset(one.typed_data(), 0, one.element_count() * sizeof(float));
  const Operands in = operands(inputs, batch);
  Operands out = operands(arguments, batch);
  for (const Operand<float>& one : operands(of_weights, batch)) out.push_back(one);
  const auto sizes = of_hidden->dimensions().last(3);
  const int A = sizes[0], B = sizes[1], N = sizes[2], t = ticks;
  const int M = of_forward.dimensions().back(), I = below.dimensions().back();
  if (N == 16) run<16>({A, B, M, I, N, t, sum}, batch, in, out);
  else if (N == 64) run<64>({A, B, M, I, N, t, sum}, batch, in, out);
  else run<0>({A, B, M, I, N, t, sum}, batch, in, out);
  return ffi::Error::Success();
}

}  // namespace
}  // namespace symla

using symla::Floats;

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_pack_transposed, symla::pack_transposed,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>()   // below
                                  .Arg<Floats>()   // above
                                  .Arg<Floats>()   // shared
                                  .Arg<Floats>()   // recurrent
                                  .Arg<Floats>()   // bias
                                  .Arg<Floats>()   // forward weight
                                  .Arg<Floats>()   // forward bias
                                  .Arg<Floats>()   // backward weight
                                  .Arg<Floats>()   // backward bias
                                  .Ret<Floats>());  // packed

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_layer_gradient, symla::layer_gradient,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>()  // hidden
                                  .Arg<Floats>()  // cell
                                  .Arg<Floats>()  // packed weights
                                  .Arg<Floats>()  // transposed weights
                                  .Arg<Floats>()  // below
                                  .Arg<Floats>()  // above
                                  .Arg<Floats>()  // shared
                                  .Arg<Floats>()  // of the new hidden state
                                  .Arg<Floats>()  // of the new cell
                                  .Arg<Floats>()  // of the forward messages
                                  .Arg<Floats>()  // of the backward messages
                                  .Ret<Floats>()  // of the hidden state
                                  .Ret<Floats>()  // of the cell
                                  .Ret<Floats>()  // of below
                                  .Ret<Floats>()  // of above
                                  .Ret<Floats>()  // of shared
                                  .Ret<Floats>()  // of the weights: below
                                  .Ret<Floats>()  // above
                                  .Ret<Floats>()  // shared
                                  .Ret<Floats>()  // recurrent
                                  .Ret<Floats>()  // bias
                                  .Ret<Floats>()  // forward weight
                                  .Ret<Floats>()  // forward bias
                                  .Ret<Floats>()  // backward weight
                                  .Ret<Floats>()  // backward bias
                                  .Attr<int64_t>("micro_ticks")
                                  .Attr<bool>("sum"));

// Numbers in one candidate's transposed weights.
extern "C" int symla_transposed_size(int units, int inputs, int message) {
  return symla::TransposedPacking(units, inputs, message).size;
}

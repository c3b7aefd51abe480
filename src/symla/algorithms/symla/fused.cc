// One update of a layer of SymLA (plain.py computes the same in JAX): input projections, all micro
// ticks of all LSTMs, and messages, in one pass over the state.
//
// The lanes of a vector are the units of an LSTM, padded to full vectors. kRows LSTMs that share a
// candidate's weights are multiplied together, so that each loaded weight is used in kRows
// multiply-adds. Every LSTM is computed by the same instructions at any position in a batch,
// including remainders: the grouping of lifetimes does not change the bits of a result.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "batch.h"
#include "fused_layer.h"

namespace ffi = xla::ffi;

namespace symla {
namespace {

using Floats = ffi::Buffer<ffi::F32>;
using Operands = std::vector<Operand<float>>;

// Operands and results in the order of fused.py.
enum In { kHidden, kCell, kPacked, kBelow, kAbove, kShared, kIn };
enum Out { kNewHidden, kNewCell, kForward, kBackward, kOut };

template <int kFixed>
void run(const Sizes<kFixed>& sizes, const Dims& batch, const Operands& in,
         const Operands& out) {
  const int64_t total = product(batch);
  int64_t shared = 1;
  // Number of lifetimes of one candidate: the trailing axes along which its weights are shared.
  for (size_t i = batch.size(); i-- > 0 && in[kPacked].stride[i] == 0;) shared *= batch[i];
  const int size = Packing(sizes.units(), sizes.I, sizes.M).size;
  Candidate<kFixed> candidate(sizes, shared);
  std::vector<Lifetime> lifetimes(candidate.chunk());
  Dims place(batch.size());
  for (int64_t first = 0; first < total; first += shared) {
    const float* packed = in[kPacked].at(place);
    candidate.select(packed, packed + size);
    for (int64_t begin = first; begin < first + shared; begin += candidate.chunk()) {
      const int count = std::min<int64_t>(candidate.chunk(), first + shared - begin);
      for (int e = 0; e < count; ++e, advance(place, batch)) {
        auto from = [&](int i) { return in[i].at(place); };
        auto to = [&](int i) { return out[i].at(place); };
        lifetimes[e] = {from(kHidden),  from(kCell),  from(kBelow), from(kAbove),  from(kShared),
                        to(kNewHidden), to(kNewCell), to(kForward), to(kBackward)};
      }
      candidate.update(lifetimes.data(), count);
    }
  }
}

template <typename Buffers>
Operands operands(Buffers& buffers, const Dims& batch) {
  Operands found;
  for (Floats& buffer : buffers) found.emplace_back(buffer, batch);
  return found;
}

ffi::Error pack_weights(Floats below, Floats above, Floats shared, Floats recurrent, Floats bias,
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
    pack({w(0), w(1), w(2), w(3), w(4), w(5), w(6), w(7), w(8)}, units, inputs, M, out.at(place));
  }
  return ffi::Error::Success();
}

ffi::Error update_layer(Floats hidden, Floats cell, Floats packed, Floats below, Floats above,
                        Floats shared, ffi::Result<Floats> new_hidden, ffi::Result<Floats> new_cell,
                        ffi::Result<Floats> forward, ffi::Result<Floats> backward, int64_t ticks,
                        bool sum) {
  const Dims batch = batch_of(*new_hidden, 3);
  Floats inputs[] = {hidden, cell, packed, below, above, shared};
  Floats results[] = {*new_hidden, *new_cell, *forward, *backward};
  const Operands in = operands(inputs, batch), out = operands(results, batch);
  const auto sizes = new_hidden->dimensions().last(3);
  const int A = sizes[0], B = sizes[1], N = sizes[2], t = ticks;
  const int M = forward->dimensions().back(), I = below.dimensions().back();
  if (N == 16) run<16>({A, B, M, I, N, t, sum}, batch, in, out);
  else if (N == 64) run<64>({A, B, M, I, N, t, sum}, batch, in, out);
  else run<0>({A, B, M, I, N, t, sum}, batch, in, out);
  return ffi::Error::Success();
}

}  // namespace
}  // namespace symla

using symla::Floats;

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_pack_weights, symla::pack_weights,
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

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_update_layer, symla::update_layer,
                              ffi::Ffi::Bind()
                                  .Arg<Floats>()  // hidden
                                  .Arg<Floats>()  // cell
                                  .Arg<Floats>()  // packed weights
                                  .Arg<Floats>()  // below
                                  .Arg<Floats>()  // above
                                  .Arg<Floats>()  // shared
                                  .Ret<Floats>()  // hidden
                                  .Ret<Floats>()  // cell
                                  .Ret<Floats>()  // forward
                                  .Ret<Floats>()  // backward
                                  .Attr<int64_t>("micro_ticks")
                                  .Attr<bool>("sum"));

extern "C" int symla_vector_bits() { return 32 * symla::kLanes; }

// Numbers in one candidate's packed weights.
extern "C" int symla_packed_size(int units, int inputs, int message) {
  return symla::Packing(units, inputs, message).size;
}

// One update of a layer of SymLA (plain.py is the same in JAX): input projections, all micro ticks
// of all LSTMs, gates, message means and messengers, in one pass over the state.
//
// Lanes of a vector are the units of an LSTM, padded to full vectors. kRows LSTMs that share one
// candidate's weights go through the matrix product together, so that every weight that is loaded
// serves kRows fused multiply-adds. Every LSTM meets the very same instructions wherever it stands
// in a batch, remainders included: how lifetimes are grouped never changes a bit of the result.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "fused_layer.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace symla {
namespace {

using Floats = ffi::Buffer<ffi::F32>;
using Dims = std::vector<int64_t>;

// An operand under vmap: its leading axes are those of the result, or 1 where it is shared.
struct Operand {
  float* data;
  Dims stride;  // in elements, a leading axis each; 0 where shared

  template <typename Buffer>
  Operand(Buffer& buffer, const Dims& batch) : data(buffer.typed_data()) {
    const auto dims = buffer.dimensions();
    int64_t step = 1;
    for (size_t i = batch.size(); i < dims.size(); ++i) step *= dims[i];
    stride.resize(batch.size());
    for (size_t i = batch.size(); i-- > 0; step *= dims[i]) stride[i] = dims[i] == 1 ? 0 : step;
  }

  float* at(const Dims& place) const {
    int64_t offset = 0;
    for (size_t i = 0; i < place.size(); ++i) offset += place[i] * stride[i];
    return data + offset;
  }
};

void advance(Dims& place, const Dims& batch) {
  for (size_t i = batch.size(); i-- > 0; place[i] = 0)
    if (++place[i] < batch[i]) return;
}

// In the order of fused.py.
enum In { kHidden, kCell, kWeights, kBelow = kWeights + 9, kAbove, kShared, kIn };
enum Out { kNewHidden, kNewCell, kForward, kBackward, kOut };

template <int kFixed>
void run(const Sizes<kFixed>& sizes, const Dims& batch, const std::vector<Operand>& in,
         const std::vector<Operand>& out) {
  int64_t total = 1, shared = 1;
  for (int64_t size : batch) total *= size;
  // The lifetimes of one candidate: the trailing axes along which no weight changes.
  for (size_t i = batch.size(); i-- > 0; shared *= batch[i]) {
    bool changes = false;
    for (int w = kWeights; w < kBelow; ++w) changes |= in[w].stride[i] != 0;
    if (changes) break;
  }
  Candidate<kFixed> candidate(sizes, shared);
  std::vector<Lifetime> lifetimes(candidate.chunk());
  Dims place(batch.size());
  for (int64_t first = 0; first < total; first += shared) {
    auto w = [&](int i) { return in[kWeights + i].at(place); };
    candidate.pack({w(0), w(1), w(2), w(3), w(4), w(5), w(6), w(7), w(8)});
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

ffi::Error update_layer(ffi::RemainingArgs arguments, ffi::RemainingRets results, int64_t ticks,
                        bool sum) {
  std::vector<Floats> in_buffers, out_buffers;
  for (int i = 0; i < kIn; ++i) {
    auto buffer = arguments.get<Floats>(i);
    if (buffer.has_error()) return buffer.error();
    in_buffers.push_back(*buffer);
  }
  for (int i = 0; i < kOut; ++i) {
    auto buffer = results.get<Floats>(i);
    if (buffer.has_error()) return buffer.error();
    out_buffers.push_back(**buffer);
  }
  const auto dims = out_buffers[kNewHidden].dimensions();
  const Dims batch(dims.begin(), dims.end() - 3);
  std::vector<Operand> in, out;
  for (Floats& buffer : in_buffers) in.emplace_back(buffer, batch);
  for (Floats& buffer : out_buffers) out.emplace_back(buffer, batch);
  const int A = dims[batch.size()], B = dims[batch.size() + 1], N = dims[batch.size() + 2];
  const int M = out_buffers[kForward].dimensions().back(), t = ticks;
  const int I = in_buffers[kBelow].dimensions().back();
  if (N == 16) run<16>({A, B, M, I, N, t, sum}, batch, in, out);
  else if (N == 64) run<64>({A, B, M, I, N, t, sum}, batch, in, out);
  else run<0>({A, B, M, I, N, t, sum}, batch, in, out);
  return ffi::Error::Success();
}

}  // namespace
}  // namespace symla

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_update_layer, symla::update_layer,
                              ffi::Ffi::Bind()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<int64_t>("micro_ticks")
                                  .Attr<bool>("sum"));

extern "C" int symla_vector_bits() { return 32 * symla::kLanes; }

// One update of a layer of SymLA (plain.py is the same in JAX): input projections, all micro ticks
// of all LSTMs, gates, message means and messengers, in one pass over the state.
//
// Lanes of a vector are the units of an LSTM, padded to full vectors. kRows LSTMs that share one
// candidate's weights go through the matrix product together, so that every weight that is loaded
// serves kRows fused multiply-adds. Every LSTM meets the very same instructions wherever it stands
// in a batch, remainders included: how lifetimes are grouped never changes a bit of the result.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kRows = 4;  // 4 gates x 4 rows = 16 of 32 registers accumulate
#elif defined(__AVX__)
constexpr int kLanes = 8;
constexpr int kRows = 2;  // 8 of 16 registers
#else
constexpr int kLanes = 4;
constexpr int kRows = 4;  // Neon has 32 registers
#endif
#define UNROLL _Pragma("GCC unroll 4")
#define INLINE inline __attribute__((always_inline))
constexpr int kGates = 4;
constexpr int kTile = 32;  // LSTMs that live all their micro ticks in the first-level cache

typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef int32_t Integers __attribute__((vector_size(4 * kLanes)));
typedef float Loose __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

INLINE Vector load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
INLINE void store(float* to, Vector x) { *reinterpret_cast<Loose*>(to) = x; }
// GCC would rather load a weight again for every row than keep it: loads, not arithmetic, would
// then set the pace.
INLINE Vector in_register(Vector x) {
#if defined(__x86_64__)
  asm("" : "+v"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#endif
  return x;
}
INLINE Vector broadcast(float x) { return x - Vector{}; }

// The sizes people use get a copy of constant length instead of a call into the C library.
inline void copy(float* to, const float* from, int count) {
  if (count == 8) std::memcpy(to, from, 32);
  else if (count == 16) std::memcpy(to, from, 64);
  else std::memcpy(to, from, count * sizeof(float));
}

// A vector of `count` numbers, zeros behind them, from one array to another.
INLINE void copy_padded(float* to, const float* from, int count) {
  if (count >= kLanes) return store(to, load(from));
  store(to, Vector{});
  copy(to, from, count);
}

inline int round_up(int x, int step) { return (x + step - 1) / step * step; }

// ---- Gates ------------------------------------------------------------------------------------

// kRows vectors, treated alike. The gates are one long chain of dependent operations: a processor
// is only kept busy by several chains whose instructions alternate, so every line below is written
// out for all rows before the next one.
struct Rows {
  Vector row[kRows];
};

template <typename F>
INLINE Rows each(F f) {
  Rows out;
  UNROLL
  for (int r = 0; r < kRows; ++r) out.row[r] = f(r);
  return out;
}

INLINE Rows operator+(Rows x, Rows y) { return each([&](int r) { return x.row[r] + y.row[r]; }); }
INLINE Rows operator-(Rows x, Rows y) { return each([&](int r) { return x.row[r] - y.row[r]; }); }
INLINE Rows operator*(Rows x, Rows y) { return each([&](int r) { return x.row[r] * y.row[r]; }); }
INLINE Rows operator/(Rows x, Rows y) { return each([&](int r) { return x.row[r] / y.row[r]; }); }
INLINE Rows operator+(Rows x, float y) { return each([&](int r) { return x.row[r] + y; }); }
INLINE Rows operator-(Rows x, float y) { return each([&](int r) { return x.row[r] - y; }); }
INLINE Rows operator-(float x, Rows y) { return each([&](int r) { return x - y.row[r]; }); }
INLINE Rows operator*(Rows x, float y) { return each([&](int r) { return x.row[r] * y; }); }

// Both return `x` if it is NaN.
#if defined(__AVX512F__)
INLINE Vector at_most(Vector x, Vector limit) { return _mm512_min_ps(limit, x); }
INLINE Vector at_least(Vector x, Vector limit) { return _mm512_max_ps(limit, x); }
#else
INLINE Vector at_most(Vector x, Vector limit) { return x > limit ? limit : x; }
INLINE Vector at_least(Vector x, Vector limit) { return x < limit ? limit : x; }
#endif

// 2^x = power * scale to 2e-7, for |x| <= 42. Beyond it is clamped, which keeps every product of
// three of them finite and moves a sigmoid by less than 3e-13. The comparisons let NaN through, and
// the scale is multiplied, not added to the exponent, because NaN must stay NaN.
struct Exp2 {
  Rows power, scale;
};

INLINE Exp2 exp2(Rows x) {
  const Vector limit = broadcast(42.0f);
  x = each([&](int r) { return at_most(x.row[r], limit); });
  x = each([&](int r) { return at_least(x.row[r], -limit); });
  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits; 127 more, and
  // those bits are the exponent field of 2^integer.
  const float magic = 12582912.0f + 127.0f;
  const Rows rounded = x + magic;
  const Rows rest = x - (rounded - magic);
  // Minimax on [-1/2, 1/2], exact at 0 so that a silent LSTM stays exactly silent.
  Rows power = rest * 0.0013264705194160342f + 0.009671513922512531f;
  power = power * rest + 0.05550733953714371f;
  power = power * rest + 0.24022242426872253f;
  power = power * rest + 0.6931470036506653f;
  power = power * rest + 1.0f;
  return {power, each([&](int r) { return (Vector)((Integers)rounded.row[r] << 23); })};
}

INLINE Rows one_plus(const Exp2& e) { return e.power * e.scale + 1.0f; }
INLINE Rows one_minus(const Exp2& e) { return 1.0f - e.power * e.scale; }

constexpr float kLog2e = 1.4426950408889634f;
// sigmoid(x) = 1 / (1 + 2^(s x)), tanh(x) = (1 - 2^(2 s x)) / (1 + 2^(2 s x)), s = -log2(e): the
// packed weights carry the factor, so the matrix product ends where 2^x begins.
constexpr float kGateScale[kGates] = {-kLog2e, -kLog2e, -2 * kLog2e, -kLog2e};

// c' = sigmoid(forget) c + sigmoid(enter) tanh(candidate), h' = sigmoid(output) tanh(c').
// All denominators are shared: two divisions instead of five.
INLINE Rows open_gates(const Rows gate[kGates], Rows& cell) {
  const Exp2 candidate = exp2(gate[2]);
  const Rows enter = one_plus(exp2(gate[0])) * one_plus(candidate);
  const Rows forget = one_plus(exp2(gate[1]));
  cell = (cell * enter + one_minus(candidate) * forget) / (enter * forget);
  const Rows output = one_plus(exp2(gate[3]));
  const Exp2 squashed = exp2(cell * (-2 * kLog2e));
  return one_minus(squashed) / (output * one_plus(squashed));
}

// ---- Matrix products --------------------------------------------------------------------------

// sum[v].row[r] += rows[r][0..count) times a panel of `count` x kWidth vectors.
template <int kWidth>
INLINE void accumulate(Rows (&sum)[kWidth], const float* const* rows, const float* panel,
                       int count) {
  for (int j = 0; j < count; ++j, panel += kWidth * kLanes) {
    const Rows x = each([&](int r) { return broadcast(rows[r][j]); });
    UNROLL
    for (int v = 0; v < kWidth; ++v) {
      const Vector weight = in_register(load(panel + v * kLanes));
      sum[v] = each([&](int r) { return sum[v].row[r] + x.row[r] * weight; });
    }
  }
}

// ---- One candidate's weights ------------------------------------------------------------------

// `fixed` N (0: any) lets the compiler unroll; the arithmetic is the same.
template <int kFixed>
struct Sizes {
  int A, B, M, I, any_units, ticks;
  bool sum;
  int units() const { return kFixed ? kFixed : any_units; }
  int blocks() const { return (units() + kLanes - 1) / kLanes; }
  int padded() const { return blocks() * kLanes; }
  int gates() const { return kGates * padded(); }
  int message_blocks() const { return (M + kLanes - 1) / kLanes; }
  int message() const { return message_blocks() * kLanes; }
};

struct Pointers {  // one candidate's weights, as JAX holds them
  const float *below, *above, *shared, *recurrent, *bias;
  const float *forward_weight, *forward_bias, *backward_weight, *backward_bias;
};

// rows x 4N -> for each block of lanes a panel of rows x 4 vectors.
template <int kFixed>
void pack_gates(const Sizes<kFixed>& s, const float* from, int rows, float* to) {
  for (int k = 0; k < s.blocks(); ++k)
    for (int j = 0; j < rows; ++j)
      for (int g = 0; g < kGates; ++g, to += kLanes) {
        const float* source = from + (j * kGates + g) * s.units() + k * kLanes;
        copy_padded(to, source, s.units() - k * kLanes);
        store(to, load(to) * kGateScale[g]);
      }
}

// rows x M -> for each block of lanes a panel of rows x 1 vectors.
void pack_messenger(const float* from, int rows, int M, float* to) {
  for (int k = 0; k < M; k += kLanes)
    for (int j = 0; j < rows; ++j, to += kLanes) copy_padded(to, from + j * M + k, M - k);
}

// ---- Workspace --------------------------------------------------------------------------------

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

// Kept by the thread from call to call: fresh memory would fault in page by page.
float* workspace(size_t count) {
  thread_local std::unique_ptr<float, Free> memory;
  thread_local size_t capacity = 0;
  if (count > capacity) {
    memory.reset(static_cast<float*>(std::aligned_alloc(64, (count * 4 + 63) / 64 * 64)));
    capacity = memory ? count : 0;
  }
  return memory.get();
}

// Where one lifetime's arrays are.
struct Lifetime {
  const float *hidden, *cell, *below, *above, *shared;
  float *new_hidden, *new_cell, *forward, *backward;
};

// ---- The update -------------------------------------------------------------------------------

// All of one candidate: its packed weights, and scratch for a chunk of its lifetimes.
template <int kFixed>
class Candidate {
 public:
  Candidate(const Sizes<kFixed>& sizes, int lifetimes) : s(sizes) {
    const int lstms = s.A * s.B;
    chunk_ = std::min(lifetimes, (kTile + lstms - 1) / lstms);
    const int n = s.padded(), m = s.message(), g = s.gates();
    const int below_rows = round_up(chunk_ * s.A, kRows), above_rows = round_up(chunk_ * s.B, kRows);
    const int all = round_up(chunk_ * lstms, kRows);
    size_t size = 0;
    auto plan = [&](float** part, size_t count) {
      parts_.push_back({part, size});
      size += count;
    };
    plan(&below_weight_, s.I * g);
    plan(&above_weight_, s.I * g);
    plan(&shared_weight_, 2 * g);
    plan(&recurrent_, s.units() * g);
    plan(&bias_, g);
    plan(&forward_weight_, s.units() * m);
    plan(&forward_bias_, m);
    plan(&backward_weight_, s.units() * m);
    plan(&backward_bias_, m);
    plan(&from_below_, below_rows * g);
    plan(&from_above_, above_rows * g);
    plan(&hidden_, all * n);
    plan(&tile_hidden_, kTile * n);
    plan(&tile_cell_, kTile * n);
    plan(&mean_forward_, above_rows * n);
    plan(&mean_backward_, below_rows * n);
    plan(&sent_, kRows * m);
    float* base = workspace(size);
    for (auto& [part, offset] : parts_) *part = base + offset;

    for (int t = 0; t < all; ++t) {
      const int real = std::min(t, chunk_ * lstms - 1), e = real / lstms;
      lstm_below_.push_back(from_below_ + (real / s.B) * g);
      lstm_above_.push_back(from_above_ + (e * s.B + real % s.B) * g);
    }
  }

  int chunk() const { return chunk_; }

  void pack(const Pointers& w) {
    pack_gates(s, w.below, s.I, below_weight_);
    pack_gates(s, w.above, s.I, above_weight_);
    pack_gates(s, w.shared, 2, shared_weight_);
    pack_gates(s, w.recurrent, s.units(), recurrent_);
    pack_gates(s, w.bias, 1, bias_);
    pack_messenger(w.forward_weight, s.units(), s.M, forward_weight_);
    pack_messenger(w.forward_bias, 1, s.M, forward_bias_);
    pack_messenger(w.backward_weight, s.units(), s.M, backward_weight_);
    pack_messenger(w.backward_bias, 1, s.M, backward_bias_);
  }

  // At most chunk() lifetimes.
  void update(const Lifetime* lifetimes, int count) {
    project(lifetimes, count);
    const int lstms = s.A * s.B;
    for (int begin = 0; begin < count * lstms; begin += kTile)
      live(lifetimes, begin, std::min(begin + kTile, count * lstms));
    for (int e = 0; e < count; ++e) average(e);
    send(mean_forward_, forward_weight_, forward_bias_, count, s.B, s.sum ? s.A : 1,
         [&](int e) { return lifetimes[e].forward; });
    send(mean_backward_, backward_weight_, backward_bias_, count, s.A, s.sum ? s.B : 1,
         [&](int e) { return lifetimes[e].backward; });
  }

 private:
  // The inputs stay the same over the micro ticks, and depend on a alone or on b alone.
  void project(const Lifetime* lifetimes, int count) {
    for (int begin = 0; begin < count * s.A; begin += kRows) {
      const float* rows[kRows];
      for (int r = 0; r < kRows; ++r) {
        const int row = std::min(begin + r, count * s.A - 1);
        rows[r] = lifetimes[row / s.A].below + row % s.A * s.I;
      }
      for (int k = 0; k < s.blocks(); ++k) {
        Rows sum[kGates] = {};
        accumulate<kGates>(sum, rows, below_weight_ + k * s.I * kGates * kLanes, s.I);
        keep(sum, from_below_ + begin * s.gates() + k * kGates * kLanes);
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
          sum[g] = each([&](int) { return load(bias_ + (k * kGates + g) * kLanes); });
        accumulate<kGates>(sum, shared, shared_weight_ + k * 2 * kGates * kLanes, 2);
        accumulate<kGates>(sum, rows, above_weight_ + k * s.I * kGates * kLanes, s.I);
        keep(sum, from_above_ + begin * s.gates() + k * kGates * kLanes);
      }
    }
  }

  void keep(const Rows (&sum)[kGates], float* to) {
    for (int r = 0; r < kRows; ++r)
      for (int g = 0; g < kGates; ++g) store(to + r * s.gates() + g * kLanes, sum[g].row[r]);
  }

  // All micro ticks of the LSTMs [begin, end) of the chunk.
  void live(const Lifetime* lifetimes, int begin, int end) {
    const int n = s.padded(), rounded = round_up(end - begin, kRows);
    // The last tick must write the chunk's own buffer.
    float* from = s.ticks % 2 ? tile_hidden_ : hidden_ + begin * n;
    float* to = s.ticks % 2 ? hidden_ + begin * n : tile_hidden_;
    for_each_lstm(begin, end, [&](int t, int e, int at) {
      for (int lane = 0; lane < n; lane += kLanes) {
        copy_padded(from + t * n + lane, lifetimes[e].hidden + at + lane, s.units() - lane);
        copy_padded(tile_cell_ + t * n + lane, lifetimes[e].cell + at + lane, s.units() - lane);
      }
    });
    for (int tick = 0; tick < s.ticks; ++tick, std::swap(from, to))
      for (int k = 0; k < s.blocks(); ++k)
        for (int t = 0; t < rounded; t += kRows)
          this->tick(&lstm_below_[begin + t], &lstm_above_[begin + t], k, from + t * n,
                     tile_cell_ + t * n + k * kLanes, to + t * n + k * kLanes);
    for_each_lstm(begin, end, [&](int t, int e, int at) {
      copy(lifetimes[e].new_hidden + at, hidden_ + (begin + t) * n, s.units());
      copy(lifetimes[e].new_cell + at, tile_cell_ + t * n, s.units());
    });
  }

  // f(place in the tile, lifetime, where its state starts)
  template <typename F>
  void for_each_lstm(int begin, int end, F f) const {
    const int lstms = s.A * s.B;
    for (int t = begin, e = begin / lstms, i = begin % lstms; t < end; ++t) {
      f(t - begin, e, i * s.units());
      if (++i == lstms) i = 0, ++e;
    }
  }

  // One block of lanes of kRows LSTMs, one tick.
  void tick(const float* const* below, const float* const* above, int k, const float* hidden,
            float* cell, float* to) const {
    const int n = s.padded(), offset = k * kGates * kLanes;
    const float* rows[kRows];
    UNROLL
    for (int r = 0; r < kRows; ++r) rows[r] = hidden + r * n;
    Rows gate[kGates];
    UNROLL
    for (int g = 0; g < kGates; ++g)
      gate[g] = each([&](int r) {
        return load(below[r] + offset + g * kLanes) + load(above[r] + offset + g * kLanes);
      });
    accumulate<kGates>(gate, rows, recurrent_ + offset * s.units(), s.units());
    Rows c = each([&](int r) { return load(cell + r * n); });
    const Rows h = open_gates(gate, c);
    each([&](int r) { store(to + r * n, h.row[r]); return Vector{}; });
    each([&](int r) { store(cell + r * n, c.row[r]); return Vector{}; });
  }

  // The messengers are linear: average the states first, project the average.
  void average(int e) {
    const int n = s.padded();
    const float per_a = 1.0f / s.A, per_b = 1.0f / s.B;
    for (int k = 0; k < n; k += kLanes) {
      const float* hidden = hidden_ + e * s.A * s.B * n + k;
      float* forward = mean_forward_ + e * s.B * n + k;
      float* backward = mean_backward_ + e * s.A * n + k;
      for (int b = 0; b < s.B; ++b) store(forward + b * n, Vector{});
      for (int a = 0; a < s.A; ++a) {
        Vector over_b{};
        for (int b = 0; b < s.B; ++b, hidden += n) {
          const Vector h = load(hidden);
          store(forward + b * n, load(forward + b * n) + h);
          over_b += h;
        }
        store(backward + a * n, over_b * per_b);
      }
      for (int b = 0; b < s.B; ++b) store(forward + b * n, load(forward + b * n) * per_a);
    }
  }

  template <typename To>
  void send(const float* means, const float* weight, const float* bias, int count, int per_lifetime,
            float times, To to) {
    for (int begin = 0; begin < count * per_lifetime; begin += kRows) {
      const float* rows[kRows];
      for (int r = 0; r < kRows; ++r)
        rows[r] = means + std::min(begin + r, count * per_lifetime - 1) * s.padded();
      for (int k = 0; k < s.message(); k += kLanes) {
        Rows sum[1] = {each([&](int) { return load(bias + k); })};
        accumulate<1>(sum, rows, weight + k * s.units(), s.units());
        for (int r = 0; r < kRows; ++r) store(sent_ + r * s.message() + k, sum[0].row[r] * times);
      }
      for (int row = begin; row < std::min(begin + kRows, count * per_lifetime); ++row)
        copy(to(row / per_lifetime) + row % per_lifetime * s.M, sent_ + (row - begin) * s.message(), s.M);
    }
  }

  Sizes<kFixed> s;
  int chunk_;
  std::vector<std::pair<float**, size_t>> parts_;
  std::vector<const float*> lstm_below_, lstm_above_;  // an LSTM's two projected inputs
  float *below_weight_, *above_weight_, *shared_weight_, *recurrent_, *bias_;
  float *forward_weight_, *forward_bias_, *backward_weight_, *backward_bias_;
  float *from_below_, *from_above_, *hidden_, *tile_hidden_, *tile_cell_;
  float *mean_forward_, *mean_backward_, *sent_;
};

// ---- Batches ----------------------------------------------------------------------------------

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

void locate(int64_t index, const Dims& batch, Dims& place) {
  for (size_t i = batch.size(); i-- > 0; index /= batch[i]) place[i] = index % batch[i];
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
    locate(first, batch, place);
    auto w = [&](int i) { return in[kWeights + i].at(place); };
    candidate.pack({w(0), w(1), w(2), w(3), w(4), w(5), w(6), w(7), w(8)});
    for (int64_t begin = first; begin < first + shared; begin += candidate.chunk()) {
      const int count = std::min<int64_t>(candidate.chunk(), first + shared - begin);
      for (int e = 0; e < count; ++e) {
        locate(begin + e, batch, place);
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

XLA_FFI_DEFINE_HANDLER_SYMBOL(symla_update_layer, update_layer,
                              ffi::Ffi::Bind()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<int64_t>("micro_ticks")
                                  .Attr<bool>("sum"));

extern "C" int symla_vector_bits() { return 32 * kLanes; }

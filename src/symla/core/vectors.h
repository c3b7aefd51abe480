// Vectors as wide as the processor's registers, and the arithmetic of an LSTM on them.

#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace symla {

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
constexpr int kGates = 4;

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif
#define INLINE inline __attribute__((always_inline))

typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Integers __attribute__((vector_size(4 * kLanes)));
typedef float Unaligned __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

INLINE Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
INLINE void store(float* to, Vector x) { *reinterpret_cast<Unaligned*>(to) = x; }
// Keeps a weight in a register. Otherwise GCC loads it again for every row, and loads, not
// arithmetic, determine the speed.
INLINE Vector in_register(Vector x) {
#if defined(__x86_64__)
  asm("" : "+v"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#endif
  return x;
}
INLINE Vector broadcast(float x) { return x - Vector{}; }

// Common sizes get a copy of constant length instead of a call into the C library.
inline void copy(float* to, const float* from, int count) {
  if (count == 8) std::memcpy(to, from, 32);
  else if (count == 16) std::memcpy(to, from, 64);
  else std::memcpy(to, from, count * sizeof(float));
}

// Copies `count` numbers, at most a vector of them, and fills the rest of the vector with zeros.
INLINE void copy_padded(float* to, const float* from, int count) {
  if (count >= kLanes) return store(to, load(from));
  store(to, Vector{});
  copy(to, from, count);
}

inline int round_up(int x, int step) { return (x + step - 1) / step * step; }

// ---- Gates ------------------------------------------------------------------------------------

// kRows vectors to which the same operations apply. The gates are a long chain of dependent
// operations. A processor overlaps several such chains if their instructions alternate, so each
// operation below is done for all rows before the next one.
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
INLINE Rows operator+(Rows x, float y) { return each([&](int r) { return x.row[r] + y; }); }
INLINE Rows operator-(Rows x, float y) { return each([&](int r) { return x.row[r] - y; }); }
INLINE Rows operator-(float x, Rows y) { return each([&](int r) { return x - y.row[r]; }); }
INLINE Rows operator/(float x, Rows y) { return each([&](int r) { return x / y.row[r]; }); }
INLINE Rows operator*(Rows x, float y) { return each([&](int r) { return x.row[r] * y; }); }

// The smaller and the larger of two numbers. Both return `x` if it is NaN.
#if defined(__AVX512F__)
INLINE Vector at_most(Vector x, Vector limit) { return _mm512_min_ps(limit, x); }
INLINE Vector at_least(Vector x, Vector limit) { return _mm512_max_ps(limit, x); }
#elif defined(__AVX__)
INLINE Vector at_most(Vector x, Vector limit) { return _mm256_min_ps(limit, x); }
INLINE Vector at_least(Vector x, Vector limit) { return _mm256_max_ps(limit, x); }
#else
INLINE Vector at_most(Vector x, Vector limit) { return x > limit ? limit : x; }
INLINE Vector at_least(Vector x, Vector limit) { return x < limit ? limit : x; }
#endif

// 1 + 2^x with an error of at most 2e-7, for x <= 42. Larger x are clamped, which keeps every
// product of three results finite and changes a sigmoid by less than 3e-13. NaN stays NaN: at_most
// and at_least return it, and the scale is multiplied, not added to the exponent. Both polynomials
// are minimax on the interval of `rest`, and exact at 0 so that an LSTM whose weights, inputs and
// state are 0 computes exactly 0.
#if defined(__AVX512DQ__)
INLINE Rows one_plus_exp2(Rows x) {
  x = each([&](int r) { return at_most(x.row[r], broadcast(42.0f)); });
  const Rows rest = each([&](int r) { return (Vector)_mm512_reduce_ps(x.row[r], 9); });  // x - floor
  Rows power = rest * 0.0018671314464882016f + 0.009017025120556355f;
  power = power * rest + 0.05579992011189461f;
  power = power * rest + 0.24016444385051727f;
  power = power * rest + 0.6931512951850891f;
  power = power * rest + 1.0f;
  return each([&](int r) { return (Vector)_mm512_scalef_ps(power.row[r], x.row[r]); }) + 1.0f;
}

// Takes half the time of a division. One Newton step doubles the 14 bits of the estimate.
INLINE Rows reciprocal(Rows x) {
  const Rows estimate = each([&](int r) { return (Vector)_mm512_rcp14_ps(x.row[r]); });
  return estimate + estimate * (1.0f - x * estimate);
}
#else
INLINE Rows one_plus_exp2(Rows x) {
  const Vector limit = broadcast(42.0f);
  x = each([&](int r) { return at_most(x.row[r], limit); });
  x = each([&](int r) { return at_least(x.row[r], -limit); });
  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits; 127 more, and
  // those bits are the exponent field of 2^integer.
  const float magic = 12582912.0f + 127.0f;
  const Rows rounded = x + magic;
  const Rows rest = x - (rounded - magic);
  Rows power = rest * 0.0013264705194160342f + 0.009671513922512531f;
  power = power * rest + 0.05550733953714371f;
  power = power * rest + 0.24022242426872253f;
  power = power * rest + 0.6931470036506653f;
  power = power * rest + 1.0f;
  const Rows scale = each([&](int r) { return (Vector)((Integers)rounded.row[r] << 23); });
  return power * scale + 1.0f;
}

INLINE Rows reciprocal(Rows x) { return 1.0f / x; }
#endif

constexpr float kLog2e = 1.4426950408889634f;
// sigmoid(x) = 1 / (1 + 2^(s x)), tanh(x) = (1 - 2^(2 s x)) / (1 + 2^(2 s x)), s = -log2(e). The
// packed weights include the factor, so that the matrix product gives the exponent of 2.
constexpr float kGateScale[kGates] = {-kLog2e, -kLog2e, -2 * kLog2e, -kLog2e};

// c' = sigmoid(forget) c + sigmoid(input) tanh(candidate), h' = sigmoid(output) tanh(c').
// Fractions are put on common denominators: two divisions instead of five.
INLINE Rows apply_gates(const Rows gate[kGates], Rows& cell) {
  const Rows candidate = one_plus_exp2(gate[2]);
  const Rows input = one_plus_exp2(gate[0]) * candidate;
  const Rows forget = one_plus_exp2(gate[1]);
  cell = (cell * input + (2.0f - candidate) * forget) * reciprocal(input * forget);
  const Rows output = one_plus_exp2(gate[3]);
  const Rows squashed = one_plus_exp2(cell * (-2 * kLog2e));
  return (2.0f - squashed) * reciprocal(output * squashed);
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

}  // namespace symla

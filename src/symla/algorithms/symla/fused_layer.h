// Updates the layers of a candidate's lifetimes.

#pragma once

#include <algorithm>
#include <vector>

#include "fused_packing.h"

namespace symla {

constexpr int kFetch = 24;  // cache lines to prefetch per tick of kRows LSTMs
constexpr int kTile = 32;  // LSTMs whose state stays in the first-level cache over all micro ticks

// One lifetime's arrays. The new state may overwrite the old one.
struct Lifetime {
  const float *hidden, *cell, *below, *above, *shared;
  float *new_hidden, *new_cell, *forward, *backward;
};

// Updates the lifetimes of one candidate at a time, in chunks: its weights and working memory.
template <int kFixed>
class Candidate {
 public:
  Candidate(const Sizes<kFixed>& sizes, int lifetimes) : s(sizes) {
    const int lstms = s.A * s.B;
    chunk_ = std::min(lifetimes, (kTile + lstms - 1) / lstms);
    const int n = s.padded(), m = s.message(), g = s.gates();
    const int below_rows = round_up(chunk_ * s.A, kRows);
    const int above_rows = round_up(chunk_ * s.B, kRows);
    const int all = round_up(chunk_ * lstms, kRows);
    Plan plan;
    plan.add(&from_below_, below_rows * g);
    plan.add(&from_above_, above_rows * g);
    plan.add(&hidden_, all * n);
    plan.add(&tile_start_, kTile * n);
    plan.add(&tile_hidden_[0], kTile * n);
    plan.add(&tile_hidden_[1], kTile * n);
    plan.add(&tile_cell_, kTile * n);
    plan.add(&mean_forward_, above_rows * n);
    plan.add(&mean_backward_, below_rows * n);
    plan.add(&sent_, 2 * kRows * m);
    plan.place();

    // Rows past the last LSTM repeat it; their results are not used.
    for (int t = 0; t < all; ++t) {
      const int lstm = std::min(t, chunk_ * lstms - 1), e = lstm / lstms;
      lstm_below_.push_back(from_below_ + lstm / s.B * g);
      lstm_above_.push_back(from_above_ + (e * s.B + lstm % s.B) * g);
    }
  }

  int chunk() const { return chunk_; }

  // Uses the packed weights of one candidate from now on, and prefetches those of the `next` one.
  void select(const float* packed, const float* next) {
    next_ = next, next_end_ = next + Packing(s.units(), s.I, s.M).size;
    w = parts(packed, Packing(s.units(), s.I, s.M));
  }

  // Updates `count` lifetimes, at most chunk().
  void update(const Lifetime* lifetimes, int count) {
    project(s, w, lifetimes, count, from_below_, from_above_);
    const int lstms = s.A * s.B;
    const bool in_place = can_update_in_place(lifetimes, count);
    for (int begin = 0; begin < count * lstms; begin += kTile)
      run_ticks(lifetimes, begin, std::min(begin + kTile, count * lstms), in_place);
    for (int e = 0; e < count; ++e)
      average(in_place ? lifetimes[e].new_hidden : hidden_ + e * lstms * s.padded(), e);
    send(mean_forward_, w.forward_weight, w.forward_bias, count, s.B, s.sum ? s.A : 1,
         [&](int e) { return lifetimes[e].forward; });
    send(mean_backward_, w.backward_weight, w.backward_bias, count, s.A, s.sum ? s.B : 1,
         [&](int e) { return lifetimes[e].backward; });
  }

 private:
  // Whether the state has the layout of the working memory: full vectors, full groups of rows, and
  // lifetimes next to each other. Then the first tick reads the old state and the last one writes
  // the new state without copies. There must be two ticks: with one, LSTMs of several vectors would
  // overwrite hidden states that are still to be read.
  bool can_update_in_place(const Lifetime* lifetimes, int count) const {
    const int lstms = s.A * s.B, size = lstms * s.units();
    bool found = s.units() == s.padded() && count * lstms % kRows == 0 && s.ticks > 1;
    const Lifetime& first = lifetimes[0];
    for (int e = 1; e < count; ++e)
      found = found && lifetimes[e].hidden == first.hidden + e * size &&
              lifetimes[e].cell == first.cell + e * size &&
              lifetimes[e].new_hidden == first.new_hidden + e * size &&
              lifetimes[e].new_cell == first.new_cell + e * size;
    return found;
  }

  // All micro ticks of the LSTMs [begin, end) of the chunk.
  void run_ticks(const Lifetime* lifetimes, int begin, int end, bool in_place) {
    const int n = s.padded(), rounded = round_up(end - begin, kRows), first = begin * n;
    const float* hidden = in_place ? lifetimes->hidden + first : tile_start_;
    const float* cell = in_place ? lifetimes->cell + first : tile_cell_;
    float* last_hidden = in_place ? lifetimes->new_hidden + first : hidden_ + first;
    float* last_cell = in_place ? lifetimes->new_cell + first : tile_cell_;
    if (!in_place)
      for_each_lstm(begin, end, [&](int t, int e, int at) {
        const float *hidden = lifetimes[e].hidden + at, *cell = lifetimes[e].cell + at;
        for (int lane = 0; lane < n; lane += kLanes) {
          __builtin_prefetch(hidden + kTile * s.units() + lane);  // usually of the next tile
          __builtin_prefetch(cell + kTile * s.units() + lane);
          copy_padded(tile_start_ + t * n + lane, hidden + lane, s.units() - lane);
          copy_padded(tile_cell_ + t * n + lane, cell + lane, s.units() - lane);
        }
      });
    for (int tick = 0; tick < s.ticks; ++tick) {
      const bool last = tick == s.ticks - 1;
      float* to_hidden = last ? last_hidden : tile_hidden_[tick % 2];
      float* to_cell = last ? last_cell : tile_cell_;
      for (int k = 0; k < s.blocks(); ++k)
        for (int t = 0; t < rounded; t += kRows) {
          fetch_next();
          this->tick(&lstm_below_[begin + t], &lstm_above_[begin + t], k, hidden + t * n,
                     cell + t * n + k * kLanes, to_hidden + t * n + k * kLanes,
                     to_cell + t * n + k * kLanes);
        }
      hidden = to_hidden, cell = to_cell;
    }
    if (!in_place)
      for_each_lstm(begin, end, [&](int t, int e, int at) {
        copy(lifetimes[e].new_hidden + at, hidden_ + (begin + t) * n, s.units());
        copy(lifetimes[e].new_cell + at, tile_cell_ + t * n, s.units());
      });
  }

  // The weights of a population exceed the second-level cache, so those of the next candidate are
  // prefetched from the third-level cache during the computation.
  void fetch_next() {
    for (int line = 0; line < kFetch && next_ < next_end_; ++line, next_ += 16)
      __builtin_prefetch(next_, 0, 2);
  }

  // Calls f(index in the tile, lifetime, offset of the LSTM's state in its lifetime).
  template <typename F>
  void for_each_lstm(int begin, int end, F f) const {
    const int lstms = s.A * s.B;
    for (int t = begin, e = begin / lstms, i = begin % lstms; t < end; ++t) {
      f(t - begin, e, i * s.units());
      if (++i == lstms) i = 0, ++e;
    }
  }

  // One tick of one block of lanes of kRows LSTMs.
  void tick(const float* const* below, const float* const* above, int k, const float* hidden,
            const float* cell, float* to_hidden, float* to_cell) const {
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
    accumulate<kGates>(gate, rows, w.recurrent + offset * s.units(), s.units());
    Rows c = each([&](int r) { return load(cell + r * n); });
    const Rows h = apply_gates(gate, c);
    UNROLL
    for (int r = 0; r < kRows; ++r)
      store(to_hidden + r * n, h.row[r]), store(to_cell + r * n, c.row[r]);
  }

  // Means of the hidden states. Messages are linear in them, so the means are projected.
  void average(const float* states, int e) {
    const int n = s.padded();
    const float per_a = 1.0f / s.A, per_b = 1.0f / s.B;
    for (int k = 0; k < n; k += kLanes) {
      const float* hidden = states + k;
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

  // The messages of `count` lifetimes, `per_lifetime` of each; to(e) is the array of lifetime e.
  template <typename To>
  void send(const float* means, const float* weight, const float* bias, int count, int per_lifetime,
            float times, To to) {
    const int all = count * per_lifetime, m = s.message();
    constexpr int kMany = 2 * kRows;  // independent sums, to overlap their latency
    for (int begin = 0; begin < all; begin += kMany) {
      const float* rows[kMany];
      for (int r = 0; r < kMany; ++r) rows[r] = means + std::min(begin + r, all - 1) * s.padded();
      for (int k = 0; k < m; k += kLanes) {
        const Rows start = each([&](int) { return load(bias + k); });
        Rows sum[2] = {start, start};
        const float* panel = weight + k * s.units();
        for (int j = 0; j < s.units(); ++j, panel += kLanes) {
          const Vector w = in_register(load(panel));
          UNROLL
          for (int half = 0; half < 2; ++half)
            sum[half] = each([&](int r) {
              return sum[half].row[r] + broadcast(rows[half * kRows + r][j]) * w;
            });
        }
        for (int r = 0; r < kMany; ++r)
          store(sent_ + r * m + k, sum[r / kRows].row[r % kRows] * times);
      }
      for (int row = begin; row < std::min(begin + kMany, all); ++row)
        copy(to(row / per_lifetime) + row % per_lifetime * s.M, sent_ + (row - begin) * m, s.M);
    }
  }

  Sizes<kFixed> s;
  Parts<const float> w;
  int chunk_;
  const float *next_, *next_end_;
  std::vector<const float*> lstm_below_, lstm_above_;  // an LSTM's two projected inputs
  float *from_below_, *from_above_, *hidden_, *tile_start_, *tile_hidden_[2], *tile_cell_;
  float *mean_forward_, *mean_backward_, *sent_;
};

}  // namespace symla

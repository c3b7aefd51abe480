// The gradient of a layer update, from the gradient of its results, for a candidate's lifetimes.

#pragma once

#include "gradient_gates.h"
#include "gradient_messages.h"

namespace symla {

constexpr int kGradientTile = 24;  // LSTMs whose gates stay in the caches from way to way
constexpr int kTiles = 4;  // of lifetimes whose inputs and messages are computed together
constexpr int kSaved = 6;          // vectors that a tick leaves for the way back

// One lifetime's arrays: those of the update, the gradient of its results, that of its arguments.
// The gradient of the old state may overwrite that of the new one.
struct GradientLifetime {
  const float *hidden, *cell, *below, *above, *shared;
  const float *of_new_hidden, *of_new_cell, *of_forward, *of_backward;
  float *of_hidden, *of_cell, *of_below, *of_above, *of_shared;
};

// The gradient of one candidate's lifetimes: its weights, their gradient, and working memory.
// Nothing but the arguments of the update is known of it: its ticks are computed again, which takes
// less time than to read their gates from memory.
template <int kFixed>
class CandidateGradient {
 public:
  CandidateGradient(const Sizes<kFixed>& sizes, int lifetimes) : s(sizes) {
    const int lstms = s.A * s.B, n = s.padded(), g = s.gates(), m = s.message();
    const int limit = s.blocks() > 2 ? kGradientTile / 2 : kGradientTile;
    const int together = std::max(1, std::min(lifetimes, limit / lstms));
    chunk_ = std::min(lifetimes, kTiles * together);
    // Tiles of nearly equal size.
    const int tiles = (together * lstms + limit - 1) / limit;
    tile_ = round_up((together * lstms + tiles - 1) / tiles, kRows);
    below_width_ = round_up(s.I, kRows), above_width_ = round_up(s.I + 3, kRows);
    unit_width_ = round_up(s.units(), kRows);
    below_lanes_ = round_up(s.I, kLanes), above_lanes_ = round_up(s.I + 2, kLanes);
    const int a = round_up(chunk_ * s.A, kMany), b = round_up(chunk_ * s.B, kMany);

    Plan plan;
    plan.add(&sum_below_, below_width_ * g);  // the six sums follow each other, see select()
    plan.add(&sum_above_, above_width_ * g);
    plan.add(&sum_recurrent_, unit_width_ * g);
    plan.add(&sum_forward_, unit_width_ * m);
    plan.add(&sum_backward_, unit_width_ * m);
    plan.add(&sum_bias_, 2 * m);
    plan.add(&from_below_, a * g);
    plan.add(&from_above_, b * g);
    plan.add(&of_from_below_, a * g);
    plan.add(&of_from_above_, b * g);
    plan.add(&below_, a * below_width_);
    plan.add(&above_, b * above_width_);
    plan.add(&of_below_, a * below_lanes_);
    plan.add(&of_above_, b * above_lanes_);
    plan.add(&mean_forward_, b * n);
    plan.add(&mean_backward_, a * n);
    plan.add(&of_forward_, b * m);
    plan.add(&of_backward_, a * m);
    plan.add(&of_mean_forward_, b * n);
    plan.add(&of_mean_backward_, a * n);
    plan.add(&hidden_, (s.ticks + 1) * tile_ * n);
    plan.add(&cell_, tile_ * n);
    plan.add(&saved_, (s.ticks - 1) * tile_ * kSaved * n);
    plan.add(&of_hidden_, tile_ * n);
    plan.add(&of_cell_, tile_ * n);
    plan.add(&of_gates_, s.ticks * tile_ * g);
    plan.place();
    for (int i = 0; i < chunk_ * lstms; ++i) {
      const int e = i / lstms;
      places_.push_back({e, i % lstms * s.units(), i / s.B, e * s.B + i % s.B});
    }
  }

  int chunk() const { return chunk_; }

  // Uses the weights of one candidate from now on, and begins the sums of their gradient.
  void select(const float* packed, const float* transposed) {
    w = parts(packed, Packing(s.units(), s.I, s.M));
    transposed_ = transposed;
    std::fill(sum_below_, sum_bias_ + 2 * s.message(), 0.0f);
  }

  // Adds the gradient of the weights to `to`.
  void add_weights(const Parts<float>& to) const {
    add_gates(sum_below_, below_width_, 0, s.I, s.units(), to.below);
    add_gates(sum_above_, above_width_, 0, s.I, s.units(), to.above);
    add_gates(sum_above_, above_width_, s.I, 2, s.units(), to.shared);
    add_gates(sum_above_, above_width_, s.I + 2, 1, s.units(), to.bias);
    add_gates(sum_recurrent_, unit_width_, 0, s.units(), s.units(), to.recurrent);
    add_map(sum_forward_, unit_width_, s.units(), s.M, to.forward_weight);
    add_map(sum_backward_, unit_width_, s.units(), s.M, to.backward_weight);
    for (int i = 0; i < s.M; ++i) {
      to.forward_bias[i] += sum_bias_[i];
      to.backward_bias[i] += sum_bias_[s.message() + i];
    }
  }

  // The gradient of `count` lifetimes, at most chunk().
  void run(const GradientLifetime* lifetimes, int count) {
    const int lstms = s.A * s.B, n = s.padded(), m = s.message();
    const TransposedPacking at(s.units(), s.I, s.M);
    project(s, w, lifetimes, count, from_below_, from_above_);
    of_messages(s, count, s.B, s.A, transposed_ + at.forward, of_forward_, of_mean_forward_,
                sum_bias_, [&](int e) { return lifetimes[e].of_forward; });
    of_messages(s, count, s.A, s.B, transposed_ + at.backward, of_backward_, of_mean_backward_,
                sum_bias_ + m, [&](int e) { return lifetimes[e].of_backward; });
    std::fill(mean_forward_, mean_forward_ + count * s.B * n, 0.0f);
    std::fill(mean_backward_, mean_backward_ + count * s.A * n, 0.0f);
    std::fill(of_from_below_, of_from_below_ + count * s.A * s.gates(), 0.0f);
    std::fill(of_from_above_, of_from_above_ + count * s.B * s.gates(), 0.0f);
    for (int begin = 0; begin < count * lstms; begin += tile_)
      run_tile(lifetimes, begin, std::min(begin + tile_, count * lstms));
    of_inputs(lifetimes, count, at);
    of_maps(s, count * s.B, s.A, mean_forward_, of_forward_, unit_width_, sum_forward_);
    of_maps(s, count * s.A, s.B, mean_backward_, of_backward_, unit_width_, sum_backward_);
  }

 private:
  // Where what belongs to an LSTM of the chunk is.
  struct Place {
    int lifetime, state;  // the offset of the state in its lifetime
    int from, to;         // the neurons that it connects
  };

  static void add(float* to, Vector x) { store(to, load(to) + x); }

  // All ticks of the LSTMs [begin, end) of the chunk, and back.
  void run_tile(const GradientLifetime* lifetimes, int begin, int end) {
    const int n = s.padded(), g = s.gates(), count = end - begin, last = s.ticks - 1;
    const int rounded = round_up(count, kRows);
    load_tile(lifetimes, begin, count, rounded);
    for (int tick = 0; tick < s.ticks; ++tick)
      for (int k = 0; k < s.blocks(); ++k)
        for (int t = 0; t < rounded; t += kRows) this->tick(begin, tick, k, t, rounded);
    for (int tick = last; tick >= 0; --tick)
      for (int k = 0; k < s.blocks(); ++k) {
        int t = 0;
        for (; t + kMany <= rounded; t += kMany) back<2>(tick, k, t, rounded);
        if (t < rounded) back<1>(tick, k, t, rounded);
      }
    for (int k = 0; k < s.blocks(); ++k)
      add_products<kGates>(sum_recurrent_ + k * unit_width_ * kGates * kLanes, unit_width_, hidden_,
                           n, of_gates_ + k * kGates * kLanes, g, s.ticks * rounded);
    store_tile(lifetimes, begin, count, rounded);
  }

  // The old state, and the gradient of the new one: what comes to it directly and by messages.
  // Rows past the last LSTM are zero, and add nothing to any sum.
  void load_tile(const GradientLifetime* lifetimes, int begin, int count, int rounded) {
    const int n = s.padded();
    for (int t = 0; t < count; ++t) {
      const Place& place = places_[begin + t];
      const GradientLifetime& life = lifetimes[place.lifetime];
      for (int k = 0; k < n; k += kLanes) {
        const int from = place.state + k, to = t * n + k, rest = s.units() - k;
        for (const float* next : {life.hidden, life.cell, life.of_new_cell, life.of_new_hidden})
          __builtin_prefetch(next + from + tile_ * s.units());  // usually of the next tile
        copy_padded(hidden_ + to, life.hidden + from, rest);
        copy_padded(cell_ + to, life.cell + from, rest);
        copy_padded(of_cell_ + to, life.of_new_cell + from, rest);
        copy_padded(of_hidden_ + to, life.of_new_hidden + from, rest);
        store(of_hidden_ + to, load(of_hidden_ + to) + (load(of_mean_forward_ + place.to * n + k) +
                                                        load(of_mean_backward_ + place.from * n + k)));
      }
    }
    for (float* part : {hidden_, cell_, of_hidden_, of_cell_})
      std::fill(part + count * n, part + rounded * n, 0.0f);
  }

  // Adds the new states to their means, and the gradient of the gates, over all ticks, to that of
  // the projected inputs. The gradient of the old state goes where it is wanted.
  void store_tile(const GradientLifetime* lifetimes, int begin, int count, int rounded) {
    const int n = s.padded(), g = s.gates();
    const Place* places = &places_[begin];
    for (int k = 0; k < n; k += kLanes) {
      const float* hidden = hidden_ + s.ticks * rounded * n + k;
      add_to_both(places, count, mean_backward_, mean_forward_, n, k,
                  [&](int t) { return load(hidden + t * n); });
    }
    for (int k = 0; k < g; k += kLanes)
      add_to_both(places, count, of_from_below_, of_from_above_, g, k, [&](int t) {
        const float* gates = of_gates_ + t * g + k;
        Vector sum = load(gates);
        for (int tick = 1; tick < s.ticks; ++tick) sum += load(gates + tick * rounded * g);
        return sum;
      });
    for (int t = 0; t < count; ++t) {
      const GradientLifetime& life = lifetimes[places[t].lifetime];
      copy(life.of_hidden + places[t].state, of_hidden_ + t * n, s.units());
      copy(life.of_cell + places[t].state, of_cell_ + t * n, s.units());
    }
  }

  // Adds a vector of each LSTM to the rows of the two neurons that it connects. LSTMs from the
  // same neuron follow each other.
  template <typename F>
  static void add_to_both(const Place* places, int count, float* from, float* to, int size, int k,
                          F vector) {
    Vector sum{};
    for (int t = 0; t < count; ++t) {
      const Vector x = vector(t);
      sum += x;
      add(to + places[t].to * size + k, x);
      if (t + 1 < count && places[t + 1].from == places[t].from) continue;
      add(from + places[t].from * size + k, sum);
      sum = Vector{};
    }
  }

  // One tick of block k of the lanes of kRows LSTMs of the tile. The last one goes straight back.
  void tick(int begin, int tick, int k, int t, int rounded) {
    const int n = s.padded(), offset = k * kGates * kLanes;
    const float* hidden = hidden_ + (tick * rounded + t) * n;
    const float* rows[kRows];
    UNROLL
    for (int r = 0; r < kRows; ++r) rows[r] = hidden + r * n;
    Rows gate[kGates];
    const float *below[kRows], *above[kRows];  // rows past the last LSTM repeat it
    for (int r = 0; r < kRows; ++r) {
      const Place& place = places_[std::min<int>(begin + t + r, places_.size() - 1)];
      below[r] = from_below_ + place.from * s.gates();
      above[r] = from_above_ + place.to * s.gates();
    }
    UNROLL
    for (int g = 0; g < kGates; ++g)
      gate[g] = each([&](int r) {
        const int at = offset + g * kLanes;
        return load(below[r] + at) + load(above[r] + at);
      });
    accumulate<kGates>(gate, rows, w.recurrent + offset * s.units(), s.units());
    Slopes slopes;
    float* cell = cell_ + t * n + k * kLanes;
    Rows c = each([&](int r) { return load(cell + r * n); });
    const Rows h = apply_gates(gate, c, slopes);
    float* to = hidden_ + ((tick + 1) * rounded + t) * n + k * kLanes;
    for (int r = 0; r < kRows; ++r) store(to + r * n, h.row[r]);
    if (tick == s.ticks - 1) return back_through_gates(slopes, tick, k, t, rounded);
    for (int r = 0; r < kRows; ++r) {
      store(cell + r * n, c.row[r]);
      float* to = saved_ + ((tick * s.blocks() + k) * rounded + t + r) * kSaved * kLanes;
      store(to, slopes.input.row[r]);
      store(to + kLanes, slopes.forget.row[r]);
      store(to + 2 * kLanes, slopes.candidate.row[r]);
      store(to + 3 * kLanes, slopes.output.row[r]);
      store(to + 4 * kLanes, slopes.squash.row[r]);
      store(to + 5 * kLanes, slopes.keep.row[r]);
    }
  }

  // Back through the recurrent product of one tick, and the gates of the one before.
  template <int kHalves>
  void back(int tick, int k, int t, int rounded) {
    const int n = s.padded(), g = s.gates();
    Rows sum[kHalves];
    multiply(sum, of_gates_ + (tick * rounded + t) * g, g, transposed_ + k * g * kLanes, g);
    for (int half = 0; half < kHalves; ++half, t += kRows) {
      for (int r = 0; r < kRows; ++r)
        store(of_hidden_ + (t + r) * n + k * kLanes, sum[half].row[r]);
      if (tick == 0) continue;
      const float* from =
          saved_ + (((tick - 1) * s.blocks() + k) * rounded + t) * kSaved * kLanes;
      auto saved = [&](int v) {
        return each([&](int r) { return load(from + (r * kSaved + v) * kLanes); });
      };
      back_through_gates({saved(0), saved(1), saved(2), saved(3), saved(4), saved(5)}, tick - 1, k,
                         t, rounded);
    }
  }

  INLINE void back_through_gates(const Slopes& slopes, int tick, int k, int t, int rounded) {
    const int n = s.padded(), g = s.gates();
    const float* of_hidden = of_hidden_ + t * n + k * kLanes;
    float* of_cell = of_cell_ + t * n + k * kLanes;
    float* to = of_gates_ + (tick * rounded + t) * g + k * kGates * kLanes;
    Rows gates[kGates], cell = each([&](int r) { return load(of_cell + r * n); });
    gates_gradient(slopes, each([&](int r) { return load(of_hidden + r * n); }), cell, gates);
    for (int r = 0; r < kRows; ++r) {
      store(of_cell + r * n, cell.row[r]);
      for (int v = 0; v < kGates; ++v) store(to + r * g + v * kLanes, gates[v].row[r]);
    }
  }

  // From the gradient of projected inputs that of the inputs and of their weights.
  void of_inputs(const GradientLifetime* lifetimes, int count, const TransposedPacking& at) {
    const int a = count * s.A, b = count * s.B, g = s.gates();
    for (int row = 0; row < a; ++row)
      for (int j = 0; j < below_width_; ++j)
        below_[row * below_width_ + j] =
            j < s.I ? lifetimes[row / s.A].below[row % s.A * s.I + j] : 0.0f;
    for (int row = 0; row < b; ++row) {
      const GradientLifetime& life = lifetimes[row / s.B];
      float* to = above_ + row * above_width_;
      std::fill(to, to + above_width_, 0.0f);
      std::copy(life.above + row % s.B * s.I, life.above + (row % s.B + 1) * s.I, to);
      to[s.I] = life.shared[0], to[s.I + 1] = life.shared[1], to[s.I + 2] = 1.0f;  // of the bias
    }
    for (int k = 0; k < s.blocks(); ++k) {
      const int panel = k * kGates * kLanes;
      add_products<kGates>(sum_below_ + panel * below_width_, below_width_, below_, below_width_,
                           of_from_below_ + panel, g, a);
      add_products<kGates>(sum_above_ + panel * above_width_, above_width_, above_, above_width_,
                           of_from_above_ + panel, g, b);
    }
    of_rows(s, of_from_below_, a, transposed_ + at.below, below_lanes_, of_below_);
    of_rows(s, of_from_above_, b, transposed_ + at.above, above_lanes_, of_above_);
    for (int row = 0; row < a; ++row)
      copy(lifetimes[row / s.A].of_below + row % s.A * s.I, of_below_ + row * below_lanes_, s.I);
    for (int row = 0; row < b; ++row) {
      const GradientLifetime& life = lifetimes[row / s.B];
      const float* from = of_above_ + row * above_lanes_;
      copy(life.of_above + row % s.B * s.I, from, s.I);
      for (int i = 0; i < 2; ++i)
        life.of_shared[i] = (row % s.B ? life.of_shared[i] : 0.0f) + from[s.I + i];
    }
  }

  Sizes<kFixed> s;
  Parts<const float> w;
  const float* transposed_;
  int chunk_, tile_, below_width_, above_width_, unit_width_, below_lanes_, above_lanes_;
  std::vector<Place> places_;
  float *sum_below_, *sum_above_, *sum_recurrent_, *sum_forward_, *sum_backward_, *sum_bias_;
  float *from_below_, *from_above_, *of_from_below_, *of_from_above_;
  float *below_, *above_, *of_below_, *of_above_;
  float *mean_forward_, *mean_backward_, *of_forward_, *of_backward_;
  float *of_mean_forward_, *of_mean_backward_;
  float *hidden_, *cell_, *saved_, *of_hidden_, *of_cell_, *of_gates_;
};

}  // namespace symla

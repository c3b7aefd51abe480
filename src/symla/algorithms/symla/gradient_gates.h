// The gates of an LSTM with their derivatives, and the way back through them.

#pragma once

#include "vectors.h"

namespace symla {

// The derivatives of an LSTM's unit, at the values that it had.
struct Slopes {
  Rows input, forget, candidate;  // of the new cell, in the gates before their functions
  Rows output, squash;            // of the new hidden state, in the output gate and the new cell
  Rows keep;                      // of the new cell, in the old one
};

// The same update as apply_gates, to float rounding, and its derivatives. Returns the hidden state.
INLINE Rows apply_gates(const Rows gate[kGates], Rows& cell, Slopes& slopes) {
  const Rows input = reciprocal(one_plus_exp2(gate[0]));
  const Rows forget = reciprocal(one_plus_exp2(gate[1]));
  const Rows power = one_plus_exp2(gate[2]);
  const Rows candidate = (2.0f - power) * reciprocal(power);
  slopes.keep = forget;
  slopes.input = candidate * (input - input * input);
  slopes.forget = cell * (forget - forget * forget);
  slopes.candidate = input - input * candidate * candidate;
  cell = forget * cell + input * candidate;
  const Rows output = reciprocal(one_plus_exp2(gate[3]));
  const Rows other = one_plus_exp2(cell * (-2 * kLog2e));
  const Rows squashed = (2.0f - other) * reciprocal(other);
  const Rows hidden = output * squashed;
  slopes.output = hidden - hidden * output;
  slopes.squash = output - hidden * squashed;
  return hidden;
}

// From the gradient of the new state that of the gates, before their functions; the gradient of
// the new cell becomes that of the old one.
INLINE void gates_gradient(const Slopes& slopes, Rows of_hidden, Rows& of_cell,
                           Rows (&of_gate)[kGates]) {
  of_cell = of_cell + of_hidden * slopes.squash;
  of_gate[0] = of_cell * slopes.input;
  of_gate[1] = of_cell * slopes.forget;
  of_gate[2] = of_cell * slopes.candidate;
  of_gate[3] = of_hidden * slopes.output;
  of_cell = of_cell * slopes.keep;
}

}  // namespace symla

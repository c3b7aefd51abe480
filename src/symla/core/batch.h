// Operands of a call under vmap. Their leading axes are the batch axes of the result; an axis of
// size 1 is shared by the whole batch.

#pragma once

#include <cstdint>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace symla {

using Dims = std::vector<int64_t>;

template <typename T>
struct Operand {
  T* data;
  Dims stride;  // in elements, one per batch axis; 0 where shared

  template <typename Buffer>
  Operand(Buffer& buffer, const Dims& batch) : data(buffer.typed_data()) {
    const auto dims = buffer.dimensions();
    int64_t step = 1;
    for (size_t i = batch.size(); i < dims.size(); ++i) step *= dims[i];
    stride.resize(batch.size());
    for (size_t i = batch.size(); i-- > 0; step *= dims[i]) stride[i] = dims[i] == 1 ? 0 : step;
  }

  // The data of one element of the batch.
  T* at(const Dims& place) const {
    int64_t offset = 0;
    for (size_t i = 0; i < place.size(); ++i) offset += place[i] * stride[i];
    return data + offset;
  }
};

// The axes that vmap added: all but the last `own` of the result.
template <typename Buffer>
Dims batch_of(const Buffer& result, int own) {
  const auto dims = result.dimensions();
  return Dims(dims.begin(), dims.end() - own);
}

inline int64_t product(const Dims& dims) {
  int64_t size = 1;
  for (int64_t dim : dims) size *= dim;
  return size;
}

// Moves `place` to the next element of the batch, in row-major order.
inline void advance(Dims& place, const Dims& batch) {
  for (size_t i = batch.size(); i-- > 0; place[i] = 0)
    if (++place[i] < batch[i]) return;
}

}  // namespace symla

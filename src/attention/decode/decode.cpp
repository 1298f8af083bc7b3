#include <limelight/decode.h>

#include "attention/decode/decode_call.h"

namespace limelight {

void decode(ConstTensorView query, const KeyValueCache& cache, TensorView out,
            const AttentionOptions& options, TensorView lse) {
  const DecodeArguments arguments = {query, cache, out, lse};
  const AttentionShape shape = check_decode(arguments, options);
  const Visibility visibility(shape, options);
  simd::decode({arguments, shape, options, visibility});
}

}  // namespace limelight

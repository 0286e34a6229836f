#include "edge/dialect.h"

const edge_dialect_t *const edge_dialects[EDGE_DIALECTS] = {&edge_dialect_raw, &edge_dialect_centrifuge};

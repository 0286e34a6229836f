#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "check.failed condition=\"%s\" at=%s:%d function=%s\n", condition, file, line, function);
    abort();
}

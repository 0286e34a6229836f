/* base/check - CHECK(): our own invariants, never compiled out.
 * Thread: any.
 *
 * A failed CHECK is a bug in Heddle and aborts with its place. Bytes, configuration, peers and replies of
 * other systems never meet a CHECK; they get an ERR_*.
 */
#ifndef HEDDLE_BASE_CHECK_H
#define HEDDLE_BASE_CHECK_H

#define CHECK(condition)                                            \
    do {                                                            \
        if (__builtin_expect(!(condition), 0))                      \
            check_failed(#condition, __FILE__, __LINE__, __func__); \
    } while (0)

_Noreturn void check_failed(const char *condition, const char *file, int line, const char *function);

#endif
